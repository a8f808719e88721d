import type { ParsedAddress } from '../base/address.ts';
import type { RowBlock } from '../batch/row-block.ts';
import { writeAutoTags } from './auto-tags.ts';
import { endColumns, type EndColumns } from './end-columns.ts';
import type { Inventory } from './inventory.ts';
import type { Lookup } from './lookup.ts';
import { writeResources } from './resource-columns.ts';
import { WORDS, word } from './resource-table.ts';
import { writeServices, type ServiceEnd, type ServiceQuestions } from './services.ts';

/** What the rules for tables of one end work on: events, profiles, logs, external metrics. */
export interface SingleEnd {
  readonly columns: EndColumns;
  readonly agent: Uint16Array;
  readonly isIpv4: Uint8Array;
  /** Of a server's end; the tables' own rows have none. */
  readonly ports?: ServiceEnd['ports'];
}

/** What is asked of a Lookup once the resources are found. */
export interface FoundLookup extends ServiceQuestions {
  readonly inventory: ServiceQuestions['inventory'] & Pick<Inventory, 'isEmpty'>;
  readonly resources: Lookup['resources'];
}

export function singleEnd(block: RowBlock): SingleEnd {
  return {
    columns: endColumns(block, ''),
    agent: block.fixed[block.column('agent_id')]!.u16,
    isIpv4: block.fixed[block.column('is_ipv4')]!.u8,
  };
}

/** An end of a single row that stands in no block. */
export function oneRowEnd(): SingleEnd {
  return {
    columns: {
      vpc: new Int32Array(1),
      ip4: new Uint32Array(1),
      ip6: new Uint32Array(4),
      gprocess: new Uint32Array(1),
      region: new Uint16Array(1),
      zone: new Uint16Array(1),
      host: new Uint16Array(1),
      deviceType: new Uint8Array(1),
      device: new Uint32Array(1),
      subnet: new Uint16Array(1),
      podNode: new Uint32Array(1),
      podNamespace: new Uint16Array(1),
      podGroup: new Uint32Array(1),
      pod: new Uint32Array(1),
      podCluster: new Uint16Array(1),
      service: new Uint32Array(1),
      autoInstance: new Uint32Array(1),
      autoInstanceType: new Uint8Array(1),
      autoService: new Uint32Array(1),
      autoServiceType: new Uint8Array(1),
    },
    agent: new Uint16Array(1),
    isIpv4: new Uint8Array(1),
  };
}

/** Writes an address into an end of one row. */
export function writeAddress({ columns, isIpv4 }: SingleEnd, address: ParsedAddress): void {
  isIpv4[0] = address.isIpv4 ? 1 : 0;
  columns.ip4[0] = address.ip4;
  columns.ip6.set(address.ip6);
}

/** Writes VPC and address of an agent into a row; an unknown agent is on the Internet, and no agent (0) in an unknown VPC. */
export function writeAgentAddress(lookup: Lookup, { columns, agent, isIpv4 }: SingleEnd, row: number): void {
  const { inventory, versions } = lookup;
  columns.vpc[row] = lookup.agentVpc(versions[row]!, agent[row]!);
  const known = inventory.agent(versions[row]!, agent[row]!);
  if (known === 0) return;
  const { agents } = inventory;
  isIpv4[row] = agents.isIpv4[known]!;
  columns.ip4[row] = agents.ip4[known]!;
  for (let i = 0; i < 4; i++) columns.ip6[row * 4 + i] = agents.ip6[known * 4 + i]!;
}

/** Writes VPC and address of a resource into a row. */
export function writeResourceAddress(
  lookup: FoundLookup,
  { columns, isIpv4 }: SingleEnd,
  row: number,
  resource: number,
): void {
  const { words, ip6 } = lookup.inventory.resources;
  const at = resource * WORDS;
  columns.vpc[row] = words[at + word.vpc]!;
  isIpv4[row] = words[at + word.isIpv4]!;
  columns.ip4[row] = words[at + word.ip4]!;
  for (let i = 0; i < 4; i++) columns.ip6[row * 4 + i] = ip6[resource * 4 + i]!;
}

/** Writes everything that follows from the resources found. `podKeys`: pods that the messages name; they are written whether they are known or not. */
export function writeSingleEnds(lookup: FoundLookup, rows: number, end: SingleEnd, podKeys?: Uint32Array): void {
  const { inventory, resources } = lookup;
  const table = inventory.resources;
  const found = resources[0];
  const { columns, isIpv4, ports } = end;
  if (!inventory.isEmpty) writeResources(columns, rows, { table, found });
  if (podKeys !== undefined) {
    for (let row = 0; row < rows; row++) if (podKeys[row] !== 0) columns.pod[row] = podKeys[row]!;
  }
  const customServices = writeServices(lookup, rows, { end: columns, isIpv4, ports });
  writeAutoTags(columns, rows, { found, table, customServices });
}
