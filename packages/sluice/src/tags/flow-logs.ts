import type { RowBlock } from '../batch/row-block.ts';
import { observationPoints } from '../catalog/observation-points.ts';
import { seesProcesses } from './observed-at.ts';
import { isGlobalUnicast, isLoopback } from './address-kinds.ts';
import { writeAutoTags } from './auto-tags.ts';
import type { Lookup } from './lookup.ts';
import { correctOtelEnd, correctOtelPort } from './otel-rules.ts';
import { spanVpcs } from './span-vpcs.ts';
import { writeResources } from './resource-columns.ts';
import { WORDS, word } from './resource-table.ts';
import { rowColumns, type RowColumns } from './row-columns.ts';
import { writeServices } from './services.ts';
import { triedBy } from './tag-bits.ts';
import { trafficEnd, type TrafficEnd } from './traffic-end.ts';

/** Universal tags of flow_log.l4_flow_log. */
export function tagL4FlowLog(lookup: Lookup, block: RowBlock): void {
  tagFlowLog(lookup, block, rowColumns(block));
}

/** Universal tags of flow_log.l7_flow_log, from captured traffic and from imported spans. */
export function tagL7FlowLog(lookup: Lookup, block: RowBlock): void {
  const { rows } = block;
  const columns = rowColumns(block);
  const imported = { column: block.fixed[block.column('is_imported')]!.u8, value: 1 };
  const hasSpans = imported.column.subarray(0, rows).includes(1);
  if (hasSpans) spanVpcs(lookup, block, imported.column);
  tagFlowLog(lookup, block, columns);
  for (const suffix of ['_0', '_1'] as const) {
    const end = trafficEnd(block, suffix);
    writeProcesses(lookup, rows, { end, columns, pids: block.fixed[block.column(`process_id${suffix}`)]!.u32 });
    if (hasSpans) correctOtelEnd(end.columns, rows, imported);
  }
  if (hasSpans) correctOtelPort(columns, rows, imported);
}

function tagFlowLog(lookup: Lookup, block: RowBlock, columns: RowColumns): void {
  const { rows } = block;
  const { inventory, resources } = lookup;
  const table = inventory.resources;
  const ends = [trafficEnd(block, '_0'), trafficEnd(block, '_1')] as const;
  for (const side of [0, 1] as const) {
    const end = ends[side];
    const found = resources[side];
    const vip = block.fixed[block.column(`vip_${side}`)]!.u8;
    resolve({ lookup, rows, columns, end, peer: ends[1 - side]!, vip, found });
    if (!inventory.isEmpty) {
      writeResources(end.columns, rows, { table, found, tagSource: end.tagSource });
      writeMacVpcs(lookup, rows, end, block.fixed[block.column(`epc_id_${side}`)]!.i32);
    }
    const customServices = writeServices(lookup, rows, {
      end: end.columns,
      isIpv4: columns.isIpv4,
      ports: side === 1 ? columns : undefined,
    });
    writeAutoTags(end.columns, rows, { found, table, customServices });
  }
}

interface Resolving {
  readonly lookup: Lookup;
  readonly rows: number;
  readonly columns: RowColumns;
  readonly end: TrafficEnd;
  readonly peer: TrafficEnd;
  readonly vip: Uint8Array;
  readonly found: Uint32Array;
}

/**
 * Finds the resource of each row's end: by pod, else by MAC where the address says less than it (virtual addresses, local traffic), else by the
 * agent's own address where processes see addresses that mean nothing elsewhere, else by the address. A pod that nobody knows is not written.
 */
function resolve({ lookup, rows, columns, end, peer, vip, found }: Resolving): void {
  const { inventory, versions, key } = lookup;
  const isKnown = !inventory.isEmpty;
  const { agent, isIpv4, point: points } = columns;
  const { podKey, mac, tagSource } = end;
  const { vpc, ip4, ip6, gprocess } = end.columns;
  for (let row = 0; row < rows; row++) {
    const version = versions[row]!;
    const is4 = isIpv4[row] !== 0;
    let pod = podKey[row]!;
    let source = 0;
    if (pod === 0 && peer.podKey[row] !== 0 && isLoopback(is4, ip4[row]!, ip6, row * 4)) {
      pod = peer.podKey[row]!;
      source = triedBy.peer;
    }
    if (isKnown && pod === 0 && gprocess[row] !== 0) {
      pod = inventory.podOfProcess(version, agent[row]!, gprocess[row]!);
      if (pod !== 0) source |= triedBy.process;
    }
    let resource = 0;
    if (pod !== 0) {
      source |= triedBy.pod;
      if (isKnown) resource = inventory.pod(version, pod);
    }
    if (resource === 0) {
      const number = points[row]!;
      let byMac = vip[row] !== 0;
      let byAgent = false;
      if (!byMac && seesProcesses[number] === 1) {
        const isLocal = !isGlobalUnicast(is4, ip4[row]!, ip6, row * 4);
        const hasMac = (mac[row * 2]! | mac[row * 2 + 1]!) !== 0;
        byMac = hasMac && (isLocal || number !== observationPoints.local);
        byAgent = !hasMac && isLocal;
      }
      if (byMac) {
        source |= triedBy.mac;
        if (isKnown) resource = lookup.byMac(version, vpc[row]!, mac, row);
      } else if (byAgent) {
        source |= triedBy.agent;
        if (isKnown) resource = lookup.atAgent(version, agent[row]!);
      }
    }
    if (resource === 0) {
      source |= triedBy.address;
      if (isKnown) {
        key.version = version;
        key.vpc = vpc[row]!;
        key.set(is4, ip4, ip6, row);
        resource = lookup.locate();
      }
    }
    tagSource[row] = source;
    found[row] = resource;
  }
}

/** epc_id: the VPC of the owner of the MAC address, for ends that are in a VPC. */
function writeMacVpcs(lookup: Lookup, rows: number, { columns, mac }: TrafficEnd, macVpc: Int32Array): void {
  const { words } = lookup.inventory.resources;
  const { vpc } = columns;
  for (let row = 0; row < rows; row++) {
    if (vpc[row]! <= 0 || (mac[row * 2]! | mac[row * 2 + 1]!) === 0) continue;
    const resource = lookup.byMac(lookup.versions[row]!, vpc[row]!, mac, row);
    macVpc[row] = words[resource * WORDS + word.macVpc]!;
  }
}

interface ProcessColumns {
  readonly end: TrafficEnd;
  readonly columns: RowColumns;
  readonly pids: Uint32Array;
}

/** Processes that the message names by pid only. They come too late for the auto tags, as in DeepFlow. */
function writeProcesses(lookup: Lookup, rows: number, { end, columns, pids }: ProcessColumns): void {
  const { inventory, versions } = lookup;
  const { gprocess } = end.columns;
  const { tagSource } = end;
  const { agent } = columns;
  for (let row = 0; row < rows; row++) {
    if (pids[row] === 0 || gprocess[row] !== 0) continue;
    tagSource[row] = tagSource[row]! | triedBy.pid;
    if (!inventory.isEmpty) gprocess[row] = inventory.process(versions[row]!, agent[row]!, pids[row]!);
  }
}
