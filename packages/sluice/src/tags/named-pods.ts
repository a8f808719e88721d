import type { RowBlock } from '../batch/row-block.ts';
import type { Lookup } from './lookup.ts';
import { singleEnd, type SingleEnd, writeAgentAddress, writeResourceAddress, writeSingleEnds } from './single-ends.ts';

/**
 * Universal tags of logs and external metrics: what programs tell through an agent. The resource is the pod of the given name in the agent's cluster,
 * else the one at the given address in the agent's VPC, else the one at the agent's own address. The row keeps the address it was found by.
 */
export function tagNamedPods(lookup: Lookup, block: RowBlock): void {
  const { rows } = block;
  const { inventory, versions, resources } = lookup;
  const end = singleEnd(block);
  const name = block.column('pod_name_key');
  const found = resources[0];
  for (let row = 0; row < rows; row++) {
    const version = versions[row]!;
    const agent = end.agent[row]!;
    let resource = 0;
    if (!inventory.isEmpty) {
      const text = block.textAt(name, row);
      if (text.length > 0) resource = inventory.podNamed(version, agent, text);
    }
    if (resource !== 0) writeResourceAddress(lookup, end, row, resource);
    else {
      if (hasAddress(end, row)) {
        end.isIpv4[row] = end.columns.ip4[row] === 0 ? 0 : 1;
        end.columns.vpc[row] = lookup.agentVpc(version, agent);
      } else {
        end.isIpv4[row] = 1;
        writeAgentAddress(lookup, end, row);
      }
      if (!inventory.isEmpty) resource = locate(lookup, end, row);
    }
    found[row] = resource;
  }
  writeSingleEnds(lookup, rows, end);
}

function hasAddress({ columns: { ip4, ip6 } }: SingleEnd, row: number): boolean {
  const at = row * 4;
  return (ip4[row]! | ip6[at]! | ip6[at + 1]! | ip6[at + 2]! | ip6[at + 3]!) !== 0;
}

function locate(lookup: Lookup, { columns, isIpv4 }: SingleEnd, row: number): number {
  const { key } = lookup;
  key.version = lookup.versions[row]!;
  key.vpc = columns.vpc[row]!;
  key.set(isIpv4[row] !== 0, columns.ip4, columns.ip6, row);
  return lookup.locate();
}
