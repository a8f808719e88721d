/** Every way in: the decoder of each type of agents' messages, and the routes that senders post to. */
import type { Append, HttpRoute, Tagger } from './base/ports.ts';
import type { Batch } from './batch/batch.ts';
import type { RowBlock } from './batch/row-block.ts';
import type { DataSource } from './catalog/types.ts';
import type { SluiceConfig } from './config/schema.ts';
import type { AcceptWindow } from './receivers/accept-window.ts';
import { createAgentStatsDecoder, createServerStatsDecoder } from './receivers/agent/dfstats.ts';
import { createDocumentDecoder } from './receivers/agent/documents.ts';
import { createL4FlowDecoder } from './receivers/agent/l4-flow.ts';
import { L7FlowDecoder } from './receivers/agent/l7-flow.ts';
import { createPacketSequenceDecoder } from './receivers/agent/packet-sequence.ts';
import { createProcEventDecoder } from './receivers/agent/proc-event.ts';
import type { Provinces } from './receivers/agent/provinces.ts';
import { createPrometheusRecordDecoder } from './receivers/agent/prometheus-record.ts';
import { createAgentLogDecoder } from './receivers/log/agent-log.ts';
import { createApplicationLogDecoder } from './receivers/log/application-log.ts';
import { toLogLimits } from './receivers/log/config.ts';
import { createLogWrite } from './receivers/log/write.ts';
import { MessageType } from './base/message-type.ts';
import { toTracesLimits } from './receivers/opentelemetry/config.ts';
import { createTraceDecoders } from './receivers/opentelemetry/records.ts';
import { createTraces } from './receivers/opentelemetry/traces.ts';
import { toProfileLimits } from './receivers/profile/config.ts';
import { createProfileIngest } from './receivers/profile/ingest.ts';
import { createProfileDecoder } from './receivers/profile/record.ts';
import { toRemoteWriteLimits } from './receivers/prometheus/config.ts';
import type { RemoteWrite } from './receivers/prometheus/write.ts';
import type { RecordDecoder } from './receivers/record-decoder.ts';
import type { RowIds } from './receivers/row-ids.ts';
import type { RowTarget } from './receivers/row-target.ts';
import { createTelegrafDecoder } from './receivers/telegraf/record.ts';
import { createTelegrafWrite } from './receivers/telegraf/write.ts';
import { rateLimited, type Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

/** Label of what agents send, in metrics. */
export const AGENT_INPUT = 'agent';

export interface InputsOptions {
  /** Where rows of agents gather. */
  readonly target: RowTarget;
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  readonly rowIds: RowIds;
  /** How far before and after now rows of a table may lie, for the routes; the target has its own. */
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly organisations: readonly number[];
  readonly remoteWrite: RemoteWrite;
  /** Names of address ranges, if there is a table of them. */
  readonly provinces: Provinces | undefined;
  readonly limits: SluiceConfig['limits'];
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface Inputs {
  /** By number of the message type; a type without one is counted and dropped. */
  readonly decoders: ReadonlyMap<number, RecordDecoder>;
  readonly routes: readonly HttpRoute[];
  /** No more records come than those at hand: none of them waits for anything. */
  end(): void;
  /** Hands on what was held back to be put together. */
  stop(): void;
}

export function startInputs(options: InputsOptions): Inputs {
  const { remoteWrite, metrics } = options;
  const common = { ...options, now: Date.now };
  const spans = { ...common, limits: toTracesLimits(options.limits) };
  const profiles = { ...common, limits: toProfileLimits(options.limits) };
  const logs = { ...common, limits: toLogLimits(options.limits) };
  const mayLog = rateLimited(10_000);
  const procEvents = createProcEventDecoder({
    ...common,
    failed: (error) => {
      metrics.droppedRows.inc({ input: AGENT_INPUT, reason: 'bug' });
      mayLog((suppressed) => options.log.error({ err: error, suppressed }, 'BUG: a row cannot be made; it is dropped'));
    },
  });
  const prometheus = createPrometheusRecordDecoder({
    write: (body, org, labels, agent) => remoteWrite.forward(body, org, labels, agent),
  });
  const traces = createTraceDecoders({
    ...spans,
    onRejected: (reason, count) => metrics.droppedRows.inc({ input: AGENT_INPUT, reason }, count),
    onWrongStarts: (count) => metrics.droppedFields.inc({ input: AGENT_INPUT, reason: 'wrong_start' }, count),
  });
  const agentLogs = createAgentLogDecoder(common);
  procEvents.start();
  return {
    decoders: new Map<number, RecordDecoder>([
      [MessageType.SYSLOG, agentLogs],
      [MessageType.SERVER_DFSTATS, createServerStatsDecoder(common)],
      [MessageType.METRICS, createDocumentDecoder(common)],
      [MessageType.TAGGEDFLOW, createL4FlowDecoder(common)],
      [MessageType.PROTOCOLLOG, new L7FlowDecoder(common)],
      [MessageType.OPENTELEMETRY, traces.plain],
      [MessageType.PROMETHEUS, prometheus],
      [MessageType.TELEGRAF, createTelegrafDecoder(common)],
      [MessageType.PACKETSEQUENCE, createPacketSequenceDecoder(common)],
      [MessageType.DFSTATS, createAgentStatsDecoder(common)],
      [MessageType.OPENTELEMETRY_COMPRESSED, traces.compressed],
      [MessageType.PROFILE, createProfileDecoder(profiles)],
      [MessageType.PROC_EVENT, procEvents],
      [MessageType.APPLICATION_LOG, createApplicationLogDecoder(logs)],
      [MessageType.AGENT_LOG, agentLogs],
    ]),
    routes: [
      ...remoteWrite.routes,
      ...createTraces(spans),
      ...createTelegrafWrite({ ...common, limits: toRemoteWriteLimits(options.limits) }),
      ...createLogWrite(logs),
      ...createProfileIngest(profiles),
    ],
    end: () => prometheus.stop(),
    stop: () => procEvents.stop(),
  };
}
