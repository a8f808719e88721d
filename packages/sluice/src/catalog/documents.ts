import { agentRows, keptDays } from './agent-rows.ts';
import { bothSides, exportable, seconds, text, u16, u32, u8, word } from './columns.ts';
import { pathDocumentKeys, singleDocumentKeys } from './keys.ts';
import type { ColumnSpec, DataSource } from './types.ts';
import * as tag from './universal-tags.ts';

/**
 * Tables of flow_metrics: a row sums up one second or minute of traffic, of one end (`network`, `application`) or between two ends (`network_map`,
 * `application_map`; side 0 is the client). Agents sum up both intervals themselves; neither is made of the other.
 */

const time = seconds('time', 'Begin of the interval', { role: 'time', sub: 'flow_info', unit: 's' });
/** Keeps the rows of an agent's parallel collectors apart; of no use in longer intervals. */
const thread = u8('_tid', 'Collector thread of the agent', { index: 'none', exportName: 'thread_id', rollUp: false });
const isKeyService = u8('is_key_service', 'Always 0', { index: 'minmax', exported: false });
const protocol = u8('protocol', 'IP protocol', { sub: 'network_layer', enum: 'protocol' });
const serverPort = u16('server_port', 'Port of the server; 0 where it is of no interest', {
  sub: 'transport_layer',
  index: 'set(300)',
});
const signalSource = u16('signal_source', 'Origin of the signal: packet, xFlow, eBPF, OTel', {
  sub: 'capture_info',
  enum: 'l7_signal_source',
});
const role = u8('role', '0 client, 1 server, 2 local, 3 other', { sub: 'capture_info', enum: 'role' });
const networkType = u8('capture_network_type_id', 'Network captured in: 3 cloud, others physical', {
  sub: 'capture_info',
});
const agent: ColumnSpec = { ...tag.agent, sub: 'capture_info' };

const captureNic = u32('capture_nic', 'Interface captured at; its meaning follows from capture_nic_type', {
  sub: 'capture_info',
  index: 'none',
});
const captureNicType = u8('capture_nic_type', 'What identifies the interface', {
  sub: 'capture_info',
  enum: 'capture_nic_type',
  index: 'none',
});
const natSource = u8('nat_source', 'How the address before translation was found', {
  sub: 'capture_info',
  enum: 'nat_source',
});
const tunnelType = u8('tunnel_type', 'Encapsulation of the packets', {
  sub: 'tunnel_info',
  enum: 'tunnel_type',
  index: 'none',
});
const observationPoint = word('observation_point', 'Place on the path: c, s, c-p, s-p, ...', {
  sub: 'capture_info',
  enum: 'observation_point',
});

/** Columns of application tables alone. */
const applicationTags: readonly ColumnSpec[] = [
  u8('l7_protocol', 'Application protocol', { sub: 'application_layer', enum: 'l7_protocol' }),
  word('app_service', 'Service, as the application says', { sub: 'service_info' }),
  word('app_instance', 'Instance, as the application says', { sub: 'service_info' }),
  text('endpoint', 'API endpoint', { sub: 'service_info' }),
  u8('biz_type', 'Business type', { sub: 'capture_info' }),
];

interface DocumentForm {
  /** Whether a row names both ends. */
  readonly isMap: boolean;
  readonly isApplication: boolean;
}

function tagColumns({ isMap, isApplication }: DocumentForm): readonly ColumnSpec[] {
  const ends = (column: ColumnSpec): readonly ColumnSpec[] => (isMap ? bothSides(column) : [column]);
  const sideBySide = (columns: readonly ColumnSpec[]) =>
    isMap ? [0, 1].flatMap((side) => columns.map((column) => bothSides(column)[side]!)) : columns;
  return [
    time,
    thread,
    ...ends(tag.zone),
    ...(isMap ? [] : [role]),
    ...ends(tag.gprocess),
    ...ends(tag.host),
    ...ends(tag.address4),
    ...ends(tag.address6),
    tag.isIpv4,
    ...ends(tag.tagSource),
    isKeyService,
    ...ends(tag.device),
    ...ends(tag.deviceType),
    ...ends(tag.vpc),
    ...(isApplication ? applicationTags : []),
    ...ends(tag.podCluster),
    ...ends(tag.podGroup),
    ...ends(tag.pod),
    ...ends(tag.podNode),
    ...ends(tag.podNamespace),
    protocol,
    ...ends(tag.region),
    ...sideBySide(tag.autoTags),
    signalSource,
    ...ends(tag.service),
    serverPort,
    ...ends(tag.subnet),
    ...(isMap ? [captureNicType, tunnelType, captureNic, natSource, observationPoint] : []),
    networkType,
    agent,
    tag.team,
  ];
}

/** Tags of one end in the order of DeepFlow's messages. */
const endFields: readonly ColumnSpec[] = [
  tag.address6,
  tag.address4,
  tag.vpc,
  tag.device,
  tag.deviceType,
  tag.region,
  tag.subnet,
  tag.host,
  tag.podNode,
  tag.zone,
  tag.podGroup,
  tag.podNamespace,
  tag.pod,
  tag.podCluster,
  tag.service,
  ...tag.autoTags,
  tag.gprocess,
];

function exportFields({ isMap, isApplication }: DocumentForm, metrics: readonly ColumnSpec[]): readonly ColumnSpec[] {
  const sides = isMap ? [0, 1] : [];
  return exportable([
    time,
    ...metrics,
    thread,
    ...(isMap ? sides.flatMap((side) => endFields.map((field) => bothSides(field)[side]!)) : endFields),
    ...(isMap ? [] : [role]),
    protocol,
    serverPort,
    agent,
    tag.organisation,
    tag.team,
    ...(isMap ? [captureNic, captureNicType, natSource, tunnelType, observationPoint] : []),
    networkType,
    tag.isIpv4,
    ...(isApplication ? applicationTags : []),
    signalSource,
  ]);
}

export interface DocumentTable {
  /** network, network_map, application or application_map. */
  readonly name: string;
  readonly description: string;
  /** Measured values in the order of the table. */
  readonly metrics: readonly ColumnSpec[];
  /** The same in the order of DeepFlow's messages. */
  readonly exportedMetrics: readonly ColumnSpec[];
}

/** The table of a kind of document for one interval. */
export function documentTable(table: DocumentTable, interval: '1s' | '1m'): DataSource {
  const isMap = table.name.endsWith('_map');
  const form = { isMap, isApplication: table.name.startsWith('application') };
  const orderBy = isMap
    ? ['time', 'l3_epc_id_1', 'ip4_1', 'ip6_1', 'l3_epc_id_0', 'ip4_0', 'ip6_0', 'server_port']
    : ['time', 'l3_epc_id', 'ip4', 'ip6', 'server_port'];
  return {
    ...agentRows,
    id: `flow_metrics.${table.name}.${interval}`,
    database: 'flow_metrics',
    table: `${table.name}.${interval}`,
    description: `${table.description}, per ${interval === '1s' ? 'second' : 'minute'}`,
    columns: [...tagColumns(form), ...table.metrics],
    keys: isMap ? pathDocumentKeys : singleDocumentKeys,
    exportFields: exportFields(form, table.exportedMetrics),
    orderBy,
    partitionBy: interval === '1s' ? '4 hours' : '12 hours',
    retention: keptDays(interval === '1s' ? 1 : 7),
  };
}
