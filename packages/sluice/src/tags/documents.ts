import type { RowBlock } from '../batch/row-block.ts';
import { seesProcesses } from './observed-at.ts';
import { isGlobalUnicast, isLoopback, isMulticast } from './address-kinds.ts';
import { writeAutoTags } from './auto-tags.ts';
import type { Lookup } from './lookup.ts';
import { correctOtelEnd, correctOtelPort } from './otel-rules.ts';
import { writeResources } from './resource-columns.ts';
import { rowColumns, type RowColumns } from './row-columns.ts';
import { writeServices } from './services.ts';
import { INTERNET, triedBy } from './tag-bits.ts';
import { trafficEnd, type TrafficEnd } from './traffic-end.ts';

/** Universal tags of network and application tables, of one end or two. */
export function tagDocuments(lookup: Lookup, block: RowBlock): void {
  const { rows } = block;
  const columns = rowColumns(block);
  const otel = { column: columns.signalSource, value: OTEL };
  const isPath = block.findColumn('l3_epc_id') < 0;
  const ends = isPath ? [trafficEnd(block, '_0'), trafficEnd(block, '_1')] : [trafficEnd(block, '')];
  const { inventory, resources } = lookup;
  for (const [side, end] of ends.entries()) {
    resolve({ lookup, rows, columns, end, peer: ends[1 - side], found: resources[side]! });
  }
  const table = inventory.resources;
  if (!inventory.isEmpty) {
    for (const [side, end] of ends.entries()) {
      writeResources(end.columns, rows, { table, found: resources[side]!, tagSource: end.tagSource });
    }
    if (isPath) copyToMulticast(lookup, rows, { columns, ends });
  }
  for (const [side, end] of ends.entries()) {
    const hasPort = side === 1 || !isPath;
    const customServices = writeServices(lookup, rows, {
      end: end.columns,
      isIpv4: columns.isIpv4,
      ports: hasPort ? columns : undefined,
    });
    writeAutoTags(end.columns, rows, { found: resources[side]!, table, customServices });
    correctOtelEnd(end.columns, rows, otel);
  }
  correctOtelPort(columns, rows, otel);
}

/** signal_source of documents made from OpenTelemetry spans. */
const OTEL = 4;

interface Resolving {
  readonly lookup: Lookup;
  readonly rows: number;
  readonly columns: RowColumns;
  readonly end: TrafficEnd;
  readonly peer: TrafficEnd | undefined;
  readonly found: Uint32Array;
}

/**
 * Finds the resource of each row's end: by pod, else by MAC, else by address, where processes see addresses that mean nothing elsewhere (loopback,
 * link-local) by the agent's own. The pod that was looked for stands in pod_id, also when nobody knows it. Ends on the Internet are not looked up.
 */
function resolve({ lookup, rows, columns, end, peer, found }: Resolving): void {
  const { inventory, versions, key } = lookup;
  const isKnown = !inventory.isEmpty;
  const { agent, isIpv4, point: points } = columns;
  const { podKey, mac, tagSource } = end;
  const { vpc, ip4, ip6, gprocess, pod: pods } = end.columns;
  for (let row = 0; row < rows; row++) {
    let pod = podKey[row]!;
    let source = 0;
    let resource = 0;
    if (vpc[row] !== INTERNET) {
      const version = versions[row]!;
      const is4 = isIpv4[row] !== 0;
      if (pod === 0 && peer !== undefined && peer.podKey[row] !== 0 && isLoopback(is4, ip4[row]!, ip6, row * 4)) {
        pod = peer.podKey[row]!;
        source = triedBy.peer;
      }
      if (isKnown && pod === 0 && gprocess[row] !== 0) {
        pod = inventory.podOfProcess(version, agent[row]!, gprocess[row]!);
        if (pod !== 0) source |= triedBy.process;
      }
      if (pod !== 0) {
        source |= triedBy.pod;
        if (isKnown) resource = inventory.pod(version, pod);
      }
      if (resource === 0 && (mac[row * 2]! | mac[row * 2 + 1]!) !== 0) {
        source |= triedBy.mac;
        if (isKnown) resource = lookup.byMac(version, vpc[row]!, mac, row);
      }
      if (resource === 0) {
        if (seesProcesses[points[row]!] === 1 && !isGlobalUnicast(is4, ip4[row]!, ip6, row * 4)) {
          source |= triedBy.agent;
          if (isKnown) resource = lookup.atAgent(version, agent[row]!);
        } else {
          source |= triedBy.address;
          if (isKnown) {
            key.version = version;
            key.vpc = vpc[row]!;
            key.set(is4, ip4, ip6, row);
            resource = lookup.locate();
          }
        }
      }
    }
    pods[row] = pod;
    tagSource[row] = source;
    found[row] = resource;
  }
}

interface Path {
  readonly columns: RowColumns;
  readonly ends: readonly TrafficEnd[];
}

/** A multicast address that nobody knows is where the other end is. */
function copyToMulticast(lookup: Lookup, rows: number, { columns, ends }: Path): void {
  for (const side of [0, 1] as const) {
    const { columns: own, tagSource } = ends[side]!;
    const other = ends[1 - side]!.columns;
    const found = lookup.resources[side];
    const otherFound = lookup.resources[1 - side]!;
    for (let row = 0; row < rows; row++) {
      if (found[row] !== 0 || otherFound[row] === 0) continue;
      if (!isMulticast(columns.isIpv4[row] !== 0, own.ip4[row]!, own.ip6, row * 4)) continue;
      own.region[row] = other.region[row]!;
      own.subnet[row] = other.subnet[row]!;
      own.zone[row] = other.zone[row]!;
      tagSource[row] = tagSource[row]! | triedBy.peer;
    }
  }
}
