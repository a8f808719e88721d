import type { ItemWriter } from '../../delivery/item-writer.ts';
import { ADDRESS, type NamedCells } from '../cells.ts';
import type { PodLabelCells } from '../selection.ts';
import { encodedText, putEncoded, putInt, putText, type AttributeKey } from './attribute-bytes.ts';
import {
  encodedChoices,
  encodedFlags,
  encodedProtocols,
  enumNames,
  ipProtocolNames,
  resourceKey,
} from './attribute-names.ts';
import {
  addressPart,
  choicePart,
  constantPart,
  longPart,
  namePart,
  numberPart,
  putName,
  textPart,
  type Part,
} from './attribute-parts.ts';
import { AttributeBlocks, type BlockPart } from './attribute-blocks.ts';
import { nicPart } from './capture-nic.ts';
import type { LogColumns } from './log-columns.ts';
import type { Chosen } from './chosen.ts';
import type { SpanOutline } from './span-outline.ts';
import { putNanoseconds } from './nanoseconds.ts';

/*
 * A Resource on the wire: its attributes, field 1 each.
 *
 * Which attributes there are, and what they are called, is DeepFlow's choice: nearly everything that is not about the one request stands here.
 */

const SIDES = ['_0', '_1'] as const;
type Side = (typeof SIDES)[number];

/** Universal tags in the order of DeepFlow: what an attribute is called, and the column that holds its id. */
const nameTags = [
  ['region', 'region_id'],
  ['az', 'az_id'],
  ['host', 'host_id'],
  ['vpc', 'l3_epc_id'],
  ['subnet', 'subnet_id'],
  ['pod_cluster', 'pod_cluster_id'],
  ['pod_ns', 'pod_ns_id'],
  ['pod_node', 'pod_node_id'],
  ['pod_group', 'pod_group_id'],
  ['pod', 'pod_id'],
  ['service', 'service_id'],
] as const;
const autoTags = [
  ['auto_instance_type', 'auto_instance_type'],
  ['auto_instance', 'auto_instance_id'],
  ['auto_service_type', 'auto_service_type'],
  ['auto_service', 'auto_service_id'],
] as const;
/** Devices that have an attribute of their own, by their kind's number. */
const deviceTags: readonly (readonly [kind: number, name: string])[] = [
  [1, 'chost'],
  [5, 'router'],
  [9, 'dhcpgw'],
  [11, 'pod_service'],
  [12, 'redis'],
  [13, 'rds'],
  [15, 'lb'],
  [16, 'natgw'],
];

const keyOf = (name: string, side: Side) => resourceKey(`df.universal_tag.${name}${side}`);
const tagKeys = new Map<string, AttributeKey>(
  SIDES.flatMap((side) => [...nameTags, ...autoTags].map(([name]) => [`${name}${side}`, keyOf(name, side)] as const)),
);
const deviceKeys = new Map<Side, readonly (AttributeKey | undefined)[]>(
  SIDES.map((side) => {
    const keys: (AttributeKey | undefined)[] = Array.from({ length: 17 });
    for (const [kind, name] of deviceTags) keys[kind] = keyOf(name, side);
    return [side, keys];
  }),
);

const serviceName = resourceKey('service.name');
const serviceInstance = resourceKey('service.instance.id');
const rowIdKey = resourceKey('df.flow_info.id');
const timeKey = resourceKey('df.flow_info.time');
const flowIdKey = resourceKey('df.flow_info.flow_id');

const signalKey = resourceKey('df.capture_info.signal_source');
const signals = encodedChoices(signalKey, ['Packet', 'xFlow', undefined, 'eBPF', 'OTel']);
const unknownSignal = encodedText(signalKey, 'unknown');
const natSources = encodedChoices(resourceKey('df.capture_info.nat_source'), enumNames('nat_source'));
const nicTypes = encodedChoices(resourceKey('df.capture_info.capture_nic_type'), enumNames('capture_nic_type'));
const pointKey = resourceKey('df.capture_info.observation_point');
const agentKey = resourceKey('df.capture_info.agent');

const ipv4Flags = encodedFlags(resourceKey('df.network.is_ipv4'));
const internetFlags = SIDES.map((side) => encodedFlags(resourceKey(`df.network.is_internet${side}`)));
const addressKeys = SIDES.map((side) => resourceKey(`df.network.ip${side}`));
const ipProtocols = encodedChoices(resourceKey('df.network.protocol'), ipProtocolNames);

/** Type 0 is no tunnel at all. */
const tunnels = encodedChoices(
  resourceKey('df.tunnel.tunnel_type'),
  new Map([...enumNames('tunnel_type')].filter(([type]) => type !== 0)),
);

const protocols = encodedProtocols(resourceKey('df.application.l7_protocol'));
const sdkName = encodedText(resourceKey('telemetry.sdk.name'), 'deepflow');
/** The release of DeepFlow whose rows and attributes these are. */
const sdkVersion = encodedText(resourceKey('telemetry.sdk.version'), 'v7.1.7.3');

/** VPC of addresses in the Internet. */
const INTERNET = -2;

/** Attributes of resources that are kept from Batch to Batch. */
export interface ResourceBlocks {
  readonly client: AttributeBlocks;
  readonly server: AttributeBlocks;
  readonly capture: AttributeBlocks;
  readonly protocols: AttributeBlocks;
}

export function createResourceBlocks(): ResourceBlocks {
  return {
    client: new AttributeBlocks(),
    server: new AttributeBlocks(),
    capture: new AttributeBlocks(),
    protocols: new AttributeBlocks(),
  };
}

export interface ResourceOptions {
  readonly columns: LogColumns;
  readonly chosen: Chosen;
  readonly outline: SpanOutline;
  readonly podLabels: readonly PodLabelCells[];
  readonly blocks: ResourceBlocks;
}

/** What writes the Resource of a row. */
export function resourceParts({ columns, chosen, outline, podLabels, blocks }: ResourceOptions): readonly Part[] {
  return [
    blocks.client.part(universalTags(columns, chosen, '_0')),
    blocks.server.part(universalTags(columns, chosen, '_1')),
    ...podLabels.map((cells) => podLabelPart(cells)),
    ...service(columns, chosen, outline),
    ...flowInfo(columns, chosen),
    blocks.capture.part(captureInfo(columns, chosen)),
    blocks.protocols.part([...network(columns, chosen), ...application(columns, chosen)]),
    ...addresses(columns, chosen),
    ...transport(columns, chosen),
  ];
}

/** The tags of one end. */
function universalTags(columns: LogColumns, { has }: Chosen, side: Side): readonly BlockPart[] {
  const ofNames = (tags: readonly (readonly [name: string, column: string])[]): readonly BlockPart[] =>
    tags
      .filter(([, column]) => has('universal_tag', `${column}${side}`))
      .map(([tag, column]) => named(tagKeys.get(`${tag}${side}`)!, columns.named(`${column}${side}`)));
  const [type, id] = [`l3_device_type${side}`, `l3_device_id${side}`];
  const device: readonly BlockPart[] = has('universal_tag', type, id)
    ? [{ put: devicePart(columns, side), by: { names: [columns.named(id)], bytes: [columns.bytes(type)] } }]
    : [];
  return [...ofNames(nameTags), ...device, ...ofNames(autoTags)];
}

function named(key: AttributeKey, cells: NamedCells): BlockPart {
  const put = namePart(key, cells);
  const by = { names: [cells] };
  if (cells.address === undefined) return { put, by };
  const { index } = cells;
  return {
    put: (writer, row) => {
      if (index[row] !== ADDRESS) put(writer, row);
    },
    by,
    putAddress: (writer, row) => {
      if (index[row] === ADDRESS) put(writer, row);
    },
  };
}

/** Name of the resource that owns the address, under its kind. */
function devicePart(columns: LogColumns, side: Side): Part {
  const types = columns.bytes(`l3_device_type${side}`);
  const names = columns.named(`l3_device_id${side}`);
  const keys = deviceKeys.get(side)!;
  return (writer, row) => {
    const key = keys[types[row]!];
    if (key !== undefined) putName(writer, key, names, row);
  };
}

/** Labels of pods as attributes, kept with the set they are made of. */
const encodedLabels: Readonly<Record<PodLabelCells['suffix'], WeakMap<object, Uint8Array>>> = {
  '': new WeakMap(),
  _0: new WeakMap(),
  _1: new WeakMap(),
};

function podLabelPart({ suffix, index, sets }: PodLabelCells): Part {
  const known = encodedLabels[suffix];
  return (writer, row) => {
    const at = index[row]!;
    if (at === 0) return;
    const labels = sets[at]!;
    let encoded = known.get(labels);
    if (encoded === undefined) {
      const attributes = labels.map(([name, value]) =>
        encodedText(resourceKey(`df.custom_tag.k8s.labels.${name}${suffix}`), value),
      );
      encoded = Buffer.concat(attributes);
      known.set(labels, encoded);
    }
    putEncoded(writer, encoded);
  };
}

function service(columns: LogColumns, { has }: Chosen, outline: SpanOutline): readonly Part[] {
  const parts: Part[] = [];
  if (has('service_info', 'app_service')) {
    parts.push(serviceOf(serviceName, 'app_service', 'auto_service_id', columns, outline));
  }
  if (has('service_info', 'app_instance')) {
    parts.push(serviceOf(serviceInstance, 'app_instance', 'auto_instance_id', columns, outline));
  }
  for (const side of SIDES) {
    if (has('service_info', `process_id${side}`)) {
      parts.push(numberPart(processKeys[side], columns.words(`process_id${side}`)));
    }
  }
  for (const side of SIDES) {
    if (has('service_info', `process_kname${side}`)) {
      parts.push(textPart(threadKeys[side], columns.text(`process_kname${side}`)));
    }
  }
  return parts;
}

const processKeys: Readonly<Record<Side, AttributeKey>> = {
  _0: resourceKey('process.pid_0'),
  _1: resourceKey('process.pid_1'),
};
const threadKeys: Readonly<Record<Side, AttributeKey>> = {
  _0: resourceKey('thread.name_0'),
  _1: resourceKey('thread.name_1'),
};

/** What the application says, else what is known of the end that the row was captured at. */
function serviceOf(key: AttributeKey, said: string, known: string, columns: LogColumns, outline: SpanOutline): Part {
  const own = columns.text(said);
  const ofClient = columns.named(`${known}_0`);
  const ofServer = columns.named(`${known}_1`);
  return (writer: ItemWriter, row: number) => {
    const start = own.start(row);
    const end = own.end(row);
    if (end > start) putText(writer, key, own.bytes, start, end);
    else putName(writer, key, outline.isClientSide(row) ? ofClient : ofServer, row);
  };
}

function flowInfo(columns: LogColumns, { has }: Chosen): readonly Part[] {
  const parts: Part[] = [];
  if (has('flow_info', '_id')) parts.push(longPart(rowIdKey, columns.words('_id')));
  if (has('flow_info', 'time', 'end_time')) {
    const ends = columns.words('end_time');
    parts.push((writer, row) => {
      putNanoseconds(ends, row, nanoseconds);
      if ((nanoseconds[0]! | nanoseconds[1]!) !== 0) putInt(writer, timeKey, nanoseconds[0]!, nanoseconds[1]!);
    });
  }
  if (has('flow_info', 'flow_id')) parts.push(longPart(flowIdKey, columns.words('flow_id')));
  return parts;
}

const nanoseconds = new Uint32Array(2);

function captureInfo(columns: LogColumns, { has }: Chosen): readonly BlockPart[] {
  const group = 'capture_info';
  const parts: BlockPart[] = [];
  if (has(group, 'signal_source')) {
    const values = lowBytes(columns.shorts('signal_source'));
    parts.push({ put: choicePart(signals, values, unknownSignal), by: { bytes: [values] } });
  }
  if (has(group, 'nat_source')) parts.push(choice(natSources, columns.bytes('nat_source')));
  if (has(group, 'capture_nic')) parts.push(nicPart(columns));
  if (has(group, 'capture_nic_type')) parts.push(choice(nicTypes, columns.bytes('capture_nic_type')));
  if (has(group, 'observation_point')) parts.push(named(pointKey, columns.named('observation_point')));
  if (has(group, 'agent_id')) parts.push(named(agentKey, columns.named('agent_id')));
  return parts;
}

/** Small numbers in wide columns; what is above 255 means nothing. */
function lowBytes(values: Uint16Array): Uint8Array {
  return Uint8Array.from(values, (value) => Math.min(value, 255));
}

function choice(attributes: readonly (Uint8Array | undefined)[], values: Uint8Array): BlockPart {
  return { put: choicePart(attributes, values), by: { bytes: [values] } };
}

function network(columns: LogColumns, { has }: Chosen): readonly BlockPart[] {
  const group = 'network_layer';
  const parts: BlockPart[] = [];
  const isIpv4 = columns.bytes('is_ipv4');
  if (has(group, 'is_ipv4')) {
    const put: Part = (writer, row) => putEncoded(writer, ipv4Flags[isIpv4[row] === 0 ? 0 : 1]);
    parts.push({ put, by: { bytes: [isIpv4] } });
  }
  if (has(group)) {
    for (const [end, side] of SIDES.entries()) {
      const [no, yes] = internetFlags[end]!;
      const vpcs = columns.words(`l3_epc_id${side}`);
      const put: Part = (writer, row) => putEncoded(writer, (vpcs[row]! | 0) === INTERNET ? yes : no);
      parts.push({ put, by: { words: [vpcs] } });
    }
  }
  if (has(group, 'protocol')) parts.push(choice(ipProtocols, columns.bytes('protocol')));
  if (has('tunnel_info', 'tunnel_type')) parts.push(choice(tunnels, columns.bytes('tunnel_type')));
  return parts;
}

function application(columns: LogColumns, { has }: Chosen): readonly BlockPart[] {
  const group = 'application_layer';
  const parts: BlockPart[] = [];
  if (has(group, 'l7_protocol')) {
    const numbers = columns.bytes('l7_protocol');
    const tls = columns.bytes('is_tls');
    const put: Part = (writer, row) => putEncoded(writer, protocols[tls[row] === 0 ? 0 : 1][numbers[row]!]!);
    parts.push({ put, by: { bytes: [numbers, tls] } });
  }
  if (has(group)) parts.push({ put: constantPart(sdkName), by: {} }, { put: constantPart(sdkVersion), by: {} });
  return parts;
}

function addresses(columns: LogColumns, { has }: Chosen): readonly Part[] {
  const isIpv4 = columns.bytes('is_ipv4');
  return SIDES.flatMap((side, end) => {
    if (!has('network_layer', `ip4${side}`, `ip6${side}`)) return [];
    const of = { isIpv4, ipv4: columns.words(`ip4${side}`), ipv6: columns.bytes(`ip6${side}`) };
    return [addressPart(addressKeys[end]!, of)];
  });
}

const clientPort = resourceKey('df.transport.client_port');
const serverPort = resourceKey('df.transport.server_port');
const requestSequence = resourceKey('df.transport.req_tcp_seq');
const responseSequence = resourceKey('df.transport.resp_tcp_seq');

function transport(columns: LogColumns, { has }: Chosen): readonly Part[] {
  const group = 'transport_layer';
  const parts: Part[] = [];
  if (has(group, 'client_port')) parts.push(numberPart(clientPort, columns.shorts('client_port')));
  if (has(group, 'server_port')) parts.push(numberPart(serverPort, columns.shorts('server_port')));
  if (has(group, 'req_tcp_seq')) parts.push(numberPart(requestSequence, columns.words('req_tcp_seq')));
  if (has(group, 'resp_tcp_seq')) parts.push(numberPart(responseSequence, columns.words('resp_tcp_seq')));
  return parts;
}
