import type { FixedValues, RowBlock } from '../../batch/row-block.ts';

/** Columns of l7_flow_log that rules write, bound to a block. */
export class L7FlowColumns {
  readonly id: FixedValues;
  readonly time: FixedValues;
  readonly startTime: FixedValues;
  readonly endTime: FixedValues;
  readonly duration: FixedValues;
  readonly isIpv4: FixedValues;
  readonly ip4Client: FixedValues;
  readonly ip4Server: FixedValues;
  readonly captureNic: FixedValues;
  readonly captureNicType: FixedValues;
  readonly natSource: FixedValues;
  readonly tunnelType: FixedValues;
  readonly signalSource: FixedValues;
  readonly observationPointNumber: FixedValues;
  readonly protocol: FixedValues;
  readonly type: FixedValues;
  readonly isTls: FixedValues;
  readonly isAsync: FixedValues;
  readonly isReversed: FixedValues;
  readonly status: FixedValues;
  readonly team: FixedValues;

  readonly ip6Client: number;
  readonly ip6Server: number;
  readonly requestId: number;
  readonly code: number;
  readonly requestLength: number;
  readonly responseLength: number;
  readonly affectedRows: number;
  readonly observationPoint: number;
  readonly bizProtocol: number;
  readonly exception: number;
  readonly result: number;
  readonly traceId: number;
  readonly traceId2: number;
  readonly attributeNames: number;
  readonly attributeValues: number;
  readonly metricsNames: number;
  readonly metricsValues: number;
  /** Numbers of texts, for looking at pending values. */
  readonly requestTypeText: number;
  readonly versionText: number;
  readonly bizProtocolText: number;
  readonly exceptionText: number;
  readonly resultText: number;

  constructor(block: RowBlock) {
    const column = (name: string) => block.column(name);
    const values = (name: string) => block.fixed[column(name)]!;
    const text = (name: string) => block.textOf[column(name)]!;
    this.id = values('_id');
    this.time = values('time');
    this.startTime = values('start_time');
    this.endTime = values('end_time');
    this.duration = values('response_duration');
    this.isIpv4 = values('is_ipv4');
    this.ip4Client = values('ip4_0');
    this.ip4Server = values('ip4_1');
    this.captureNic = values('capture_nic');
    this.captureNicType = values('capture_nic_type');
    this.natSource = values('nat_source');
    this.tunnelType = values('tunnel_type');
    this.signalSource = values('signal_source');
    this.observationPointNumber = values('observation_point_number');
    this.protocol = values('l7_protocol');
    this.type = values('type');
    this.isTls = values('is_tls');
    this.isAsync = values('is_async');
    this.isReversed = values('is_reversed');
    this.status = values('response_status');
    this.team = values('team_id');
    this.ip6Client = column('ip6_0');
    this.ip6Server = column('ip6_1');
    this.requestId = column('request_id');
    this.code = column('response_code');
    this.requestLength = column('request_length');
    this.responseLength = column('response_length');
    this.affectedRows = column('sql_affected_rows');
    this.observationPoint = column('observation_point');
    this.bizProtocol = column('biz_protocol');
    this.exception = column('response_exception');
    this.result = column('response_result');
    this.traceId = column('trace_id');
    this.traceId2 = column('_trace_id_2');
    this.attributeNames = column('attribute_names');
    this.attributeValues = column('attribute_values');
    this.metricsNames = column('metrics_names');
    this.metricsValues = column('metrics_values');
    this.requestTypeText = text('request_type');
    this.versionText = text('version');
    this.bizProtocolText = text('biz_protocol');
    this.exceptionText = text('response_exception');
    this.resultText = text('response_result');
  }
}
