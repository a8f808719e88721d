import type { RowBlock } from '../batch/row-block.ts';
import type { Lookup } from './lookup.ts';
import { singleEnd, writeAgentAddress, writeResourceAddress, writeSingleEnds } from './single-ends.ts';

/**
 * Universal tags of events and profiles: what happens on an agent's machine. The resource is the pod that the message names, else the one at the
 * agent's own address; VPC and address are the resource's, or the agent's where there is none. `pidKeys` are the columns with pids by which the
 * process is looked for, in this order.
 */
export function tagEvents(lookup: Lookup, block: RowBlock, pidKeys: readonly string[]): void {
  const { rows } = block;
  const { inventory, versions, resources } = lookup;
  const end = singleEnd(block);
  const podKeys = block.fixed[block.column('pod_key')]!.u32;
  const pids = pidKeys.map((name) => block.fixed[block.column(name)]!.u32);
  const found = resources[0];
  for (let row = 0; row < rows; row++) {
    let resource = 0;
    if (!inventory.isEmpty) {
      const version = versions[row]!;
      const agent = end.agent[row]!;
      if (podKeys[row] !== 0) resource = inventory.pod(version, podKeys[row]!);
      if (resource === 0) resource = lookup.atAgent(version, agent);
      let process = 0;
      for (let i = 0; i < pids.length && process === 0; i++) {
        const pid = pids[i]![row]!;
        if (pid !== 0) process = inventory.process(version, agent, pid);
      }
      end.columns.gprocess[row] = process;
    }
    found[row] = resource;
    if (resource === 0) writeAgentAddress(lookup, end, row);
    else writeResourceAddress(lookup, end, row, resource);
  }
  writeSingleEnds(lookup, rows, end, podKeys);
}
