import { PARENTS, type ParentColumn } from '../catalog/flow-tags.ts';
import type { ResourceKind } from './description.ts';
import type { FindHeld, Held } from './held.ts';
import { idOf, placementOf } from './placement.ts';
import { WORDS, word } from './resource-table.ts';

/** Kinds that are part of something. */
export const PARTS: readonly ResourceKind[] = [
  'subnet',
  'chost',
  'pod_node',
  'pod_ns',
  'pod_group',
  'pod_service',
  'pod',
  'agent',
  'gprocess',
];

export interface Whole {
  readonly find: FindHeld;
  /** Of the resource table. */
  readonly words: Uint32Array;
}

type Parents = Partial<Record<ParentColumn, number>>;

/** What a resource of one of PARTS is part of, as rows about it say it: ids in the order of PARENTS, 0 = nothing or not known. */
export function parentsOf(whole: Whole, held: Held): readonly number[] {
  const parents = namedParents(whole, held);
  return PARENTS.map((name) => parents[name] ?? 0);
}

function namedParents(whole: Whole, held: Held): Parents {
  const { find } = whole;
  const { resource } = held;
  switch (resource.kind) {
    case 'subnet':
      return { l3_epc_id: placementOf(find, resource).vpc };
    case 'chost':
      return locate(whole, held);
    case 'pod_node':
      return { ...locate(whole, held), pod_node_id: 0 };
    case 'pod_service':
    case 'pod':
      return { ...locate(whole, held), pod_ns_id: idOf(find, 'pod_ns', resource.namespace) };
    case 'pod_ns':
      return { pod_cluster_id: idOf(find, 'pod_cluster', resource.cluster) };
    case 'pod_group':
      return {
        pod_cluster_id: idOf(find, 'pod_cluster', resource.cluster),
        pod_ns_id: idOf(find, 'pod_ns', resource.namespace),
      };
    case 'agent':
    case 'gprocess': {
      const machine = resource.machine === undefined ? undefined : find(resource.machine.kind, resource.machine.key);
      if (machine === undefined) return {};
      return { ...locate(whole, machine), [`${machine.resource.kind}_id`]: machine.id };
    }
    case 'region':
    case 'az':
    case 'vpc':
    case 'host':
    case 'router':
    case 'dhcpgw':
    case 'redis':
    case 'rds':
    case 'lb':
    case 'natgw':
    case 'pod_cluster':
    case 'custom_service':
      return {};
  }
}

/** Where its row says it is; without one, what follows from its description. */
function locate({ find, words }: Whole, { resource, row }: Held): Parents {
  if (row === 0) {
    const { vpc, host, cluster } = placementOf(find, resource);
    return { l3_epc_id: vpc, host_id: host, pod_cluster_id: cluster };
  }
  const at = (name: keyof typeof word) => words[row * WORDS + word[name]]!;
  return {
    l3_epc_id: at('vpc'),
    subnet_id: at('subnet'),
    host_id: at('host'),
    pod_cluster_id: at('podCluster'),
    pod_node_id: at('podNode'),
    pod_group_id: at('podGroup'),
  };
}
