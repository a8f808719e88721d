import type { RowBlock } from '../batch/row-block.ts';
import { observationPoints } from '../catalog/observation-points.ts';
import type { Lookup } from './lookup.ts';
import { INTERNET } from './tag-bits.ts';

/**
 * Writes the VPCs of imported spans: the application's own end is in the agent's VPC; the other end is wherever its address is known, among the
 * agent's VPC, those connected with it, and addresses towards the Internet, in this order. A span that is neither client nor server has both ends in
 * the agent's.
 */
export function spanVpcs(lookup: Lookup, block: RowBlock, isImported: Uint8Array): void {
  const { inventory, versions } = lookup;
  const values = (name: string) => block.fixed[block.column(name)]!;
  const agent = values('agent_id').u16;
  const point = values('observation_point_number').u8;
  const vpcs = [values('l3_epc_id_0').i32, values('l3_epc_id_1').i32] as const;
  const isIpv4 = values('is_ipv4').u8;
  const ip4 = [values('ip4_0').u32, values('ip4_1').u32] as const;
  const ip6 = [values('ip6_0').u32, values('ip6_1').u32] as const;
  for (let row = 0; row < block.rows; row++) {
    if (isImported[row] !== 1) continue;
    const version = versions[row]!;
    const own = lookup.agentVpc(version, agent[row]!);
    for (const side of [0, 1] as const) {
      const isPeer = point[row] === observationPoints[side === 1 ? 'c-app' : 's-app'];
      if (!isPeer || inventory.isEmpty) {
        vpcs[side][row] = isPeer ? INTERNET : own;
        continue;
      }
      lookup.key.version = version;
      lookup.key.set(isIpv4[row] !== 0, ip4[side], ip6[side], row);
      vpcs[side][row] = peerVpc(lookup, version, own);
    }
  }
}

function peerVpc({ inventory, key }: Lookup, version: number, own: number): number {
  key.vpc = own;
  if (inventory.address(key) !== 0) return own;
  for (const peer of inventory.peerVpcs(version, own)) {
    key.vpc = peer;
    if (inventory.address(key) !== 0) return peer;
  }
  return inventory.wideAreaVpc(key) || INTERNET;
}
