import type { Inventory } from './inventory.ts';
import { ResourceTable } from './resource-table.ts';

const nobody = new Int32Array(0);

/** Knows nothing: rows get the tags that follow from the messages alone. */
export const emptyInventory: Inventory = {
  isEmpty: true,
  resources: new ResourceTable(),
  agents: { vpc: new Int32Array(1), isIpv4: new Uint8Array(1), ip4: new Uint32Array(1), ip6: new Uint32Array(4) },
  versionAt: () => 0,
  address: () => 0,
  network: () => 0,
  vpc: () => 0,
  mac: () => 0,
  pod: () => 0,
  podNamed: () => 0,
  agent: () => 0,
  process: () => 0,
  podOfProcess: () => 0,
  peerVpcs: () => nobody,
  wideAreaVpc: () => 0,
};
