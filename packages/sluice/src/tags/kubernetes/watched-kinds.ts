import type { ObjectKind } from '../object-kinds.ts';

interface WatchedKind {
  readonly kind: ObjectKind;
  /** Of the API group. */
  readonly group: string;
  readonly plural: string;
  /** Belongs to the cluster, not to a namespace. */
  readonly isOfCluster?: boolean;
  /** Names, labels and owners are all that is wanted. */
  readonly isMetadataOnly?: boolean;
  readonly labelSelector?: string;
}

const KINDS: readonly WatchedKind[] = [
  { kind: 'Namespace', group: '/api/v1', plural: 'namespaces', isOfCluster: true, isMetadataOnly: true },
  { kind: 'Node', group: '/api/v1', plural: 'nodes', isOfCluster: true },
  { kind: 'Service', group: '/api/v1', plural: 'services' },
  { kind: 'Deployment', group: '/apis/apps/v1', plural: 'deployments' },
  { kind: 'StatefulSet', group: '/apis/apps/v1', plural: 'statefulsets' },
  { kind: 'DaemonSet', group: '/apis/apps/v1', plural: 'daemonsets' },
  { kind: 'ReplicationController', group: '/api/v1', plural: 'replicationcontrollers' },
  // There are ten times as many as deployments, all with the same to say: who owns them.
  { kind: 'ReplicaSet', group: '/apis/apps/v1', plural: 'replicasets', isMetadataOnly: true },
  {
    kind: 'EndpointSlice',
    group: '/apis/discovery.k8s.io/v1',
    plural: 'endpointslices',
    // Those of services with a selector say what the selector says, and change with every pod.
    labelSelector: 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io',
  },
  { kind: 'Pod', group: '/api/v1', plural: 'pods' },
];

export interface WatchedPath {
  readonly kind: ObjectKind;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string;
}

/** What is asked for: each kind in the whole cluster, or in each of the namespaces. */
export function watchedPaths(namespaces: readonly string[]): readonly WatchedPath[] {
  return KINDS.flatMap(({ kind, group, plural, isOfCluster, isMetadataOnly, labelSelector }) => {
    const paths =
      isOfCluster === true || namespaces.length === 0
        ? [`${group}/${plural}`]
        : namespaces.map((name) => `${group}/namespaces/${encodeURIComponent(name)}/${plural}`);
    const query = labelSelector === undefined ? {} : { labelSelector };
    return paths.map((path) => ({
      kind,
      path,
      query,
      accept: isMetadataOnly === true ? METADATA : 'application/json',
    }));
  });
}

/** Of a list as of a watch; the last one is for servers that cannot. */
const METADATA = [
  'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
  'application/json',
].join(',');
