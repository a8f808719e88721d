import type { ResourceKind } from './description.ts';

/**
 * Kinds of resources, each after those that it follows from: a change goes down this list once.
 *
 * - `parents`: kinds that a resource of this kind points to. When one of those changes, what follows for this one is worked out again.
 * - `device`: number of the kind in l3_device_type and auto_*_type, where it has one.
 * - `mostIds`: greatest id, as wide as the columns that hold it.
 * - `firstId`: VPCs that agents are told have low numbers; those of names begin above.
 * - `addressRank`: of several kinds that claim one address the lower one has it.
 */
export const KINDS = {
  region: { parents: [], mostIds: 0xffff },
  az: { parents: ['region'], mostIds: 0xffff },
  vpc: { parents: ['region', 'vpc'], mostIds: 65_533, firstId: 1024 },
  subnet: { parents: ['region', 'az', 'vpc'], mostIds: 0xffff },
  host: { parents: ['region', 'az', 'vpc', 'subnet'], device: 6, mostIds: 0xffff, addressRank: 5 },
  pod_cluster: { parents: ['region', 'az', 'vpc'], device: 103, mostIds: 0xffff },
  pod_node: {
    parents: ['region', 'az', 'vpc', 'subnet', 'host', 'pod_cluster'],
    device: 14,
    mostIds: 0xffff_ffff,
    addressRank: 2,
  },
  pod_ns: { parents: ['pod_cluster'], mostIds: 0xffff },
  pod_group: { parents: ['pod_cluster', 'pod_ns'], mostIds: 0xffff_ffff },
  chost: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 1, mostIds: 0xffff_ffff, addressRank: 3 },
  router: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 5, mostIds: 0xffff_ffff, addressRank: 4 },
  dhcpgw: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 9, mostIds: 0xffff_ffff, addressRank: 4 },
  redis: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 12, mostIds: 0xffff_ffff, addressRank: 4 },
  rds: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 13, mostIds: 0xffff_ffff, addressRank: 4 },
  lb: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 15, mostIds: 0xffff_ffff, addressRank: 4 },
  natgw: { parents: ['region', 'az', 'vpc', 'subnet', 'host'], device: 16, mostIds: 0xffff_ffff, addressRank: 4 },
  pod: {
    parents: ['region', 'az', 'vpc', 'subnet', 'host', 'pod_cluster', 'pod_node', 'pod_ns', 'pod_group'],
    device: 10,
    mostIds: 0xffff_ffff,
    addressRank: 0,
  },
  pod_service: {
    parents: ['region', 'az', 'vpc', 'subnet', 'pod_cluster', 'pod_ns', 'pod_group', 'pod'],
    device: 11,
    mostIds: 0xffff_ffff,
    addressRank: 1,
  },
  agent: { parents: ['vpc', 'pod_cluster', 'pod_node', 'chost'], mostIds: 0xffff },
  gprocess: { parents: ['pod_node', 'chost', 'pod'], device: 120, mostIds: 0xffff_ffff },
  custom_service: {
    parents: ['vpc', 'host', 'pod_cluster', 'pod_group', 'chost', 'pod', 'pod_service'],
    device: 104,
    mostIds: 0xffff_ffff,
  },
} as const satisfies Record<ResourceKind, KindFacts>;

interface KindFacts {
  readonly parents: readonly ResourceKind[];
  readonly device?: number;
  readonly mostIds: number;
  readonly firstId?: number;
  readonly addressRank?: number;
}

export function kindFacts(kind: ResourceKind): KindFacts {
  return KINDS[kind];
}

/** In the order of KINDS. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of KINDS are these by its type
export const RESOURCE_KINDS: readonly ResourceKind[] = Object.keys(KINDS) as ResourceKind[];

export function isResourceKind(text: string): text is ResourceKind {
  return Object.hasOwn(KINDS, text);
}
