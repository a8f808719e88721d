import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { PodLabelCells } from '../selection.ts';
import { encodedText, putEncoded, putInt, putText, type AttributeKey } from './attribute-bytes.ts';
import { resourceKey } from './attribute-names.ts';
import { addressPart, longPart, numberPart, putName, textPart, type Part } from './attribute-parts.ts';
import { AttributeBlocks } from './attribute-blocks.ts';
import { application, captureInfo, network } from './circumstance-parts.ts';
import type { LogColumns } from './log-columns.ts';
import type { Chosen } from './chosen.ts';
import type { SpanOutline } from './span-outline.ts';
import { putNanoseconds } from './nanoseconds.ts';
import { universalTags } from './universal-tag-parts.ts';

/*
 * A Resource on the wire: its attributes, field 1 each.
 *
 * Which attributes there are, and what they are called, is DeepFlow's choice: nearly everything that is not about the one request stands here.
 */

const SIDES = ['_0', '_1'] as const;
type Side = (typeof SIDES)[number];

const serviceName = resourceKey('service.name');
const serviceInstance = resourceKey('service.instance.id');
const rowIdKey = resourceKey('df.flow_info.id');
const timeKey = resourceKey('df.flow_info.time');
const flowIdKey = resourceKey('df.flow_info.flow_id');

const addressKeys = SIDES.map((side) => resourceKey(`df.network.ip${side}`));

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
