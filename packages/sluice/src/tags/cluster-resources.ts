import type { Interface, Pod, PodNode, PodService, ServicePort, WorkloadType } from './description.ts';
import type { NodeObject } from './object-node.ts';
import type { PodObject } from './object-pod.ts';
import type { ServiceObject, ServicePortObject } from './object-service.ts';

/** Keys of the resources of one cluster (description.ts). */
export interface ClusterKeys {
  readonly cluster: string;
  readonly namespace: (name: string) => string;
  readonly node: (name: string) => string;
  readonly pod: (pod: { readonly uid: string }) => string;
  readonly service: (service: { readonly namespace: string; readonly name: string }) => string;
  readonly group: (group: { readonly namespace: string; readonly type: WorkloadType; readonly name: string }) => string;
}

export function clusterKeys(cluster: string): ClusterKeys {
  return {
    cluster,
    namespace: (name) => `${cluster}/${name}`,
    node: (name) => `${cluster}/${name}`,
    pod: ({ uid }) => `${cluster}/${uid}`,
    service: ({ namespace, name }) => `${cluster}/${namespace}/${name}`,
    group: ({ namespace, type, name }) => `${cluster}/${namespace}/${type}/${name}`,
  };
}

export function podResource(keys: ClusterKeys, pod: PodObject, group: string | undefined): Pod {
  const { labels, annotations, environment, containers, addresses, sinceS } = pod;
  return {
    kind: 'pod',
    key: keys.pod(pod),
    name: pod.name,
    cluster: keys.cluster,
    namespace: keys.namespace(pod.namespace),
    ...(group === undefined ? {} : { group }),
    ...(pod.node === '' ? {} : { node: keys.node(pod.node) }),
    ...(sinceS === undefined ? {} : { since: sinceS }),
    ...filled({ addresses, containers, labels, annotations, environment }),
  };
}

export function nodeResource(keys: ClusterKeys, node: NodeObject): PodNode {
  const { region, zone, addresses, createdS } = node;
  return {
    kind: 'pod_node',
    key: keys.node(node.name),
    name: node.name,
    cluster: keys.cluster,
    ...(region === '' ? {} : { region }),
    ...(zone === '' ? {} : { az: zone }),
    ...(createdS === undefined ? {} : { since: createdS }),
    ...filled({ addresses, interfaces: outerInterfaces(node.outerAddresses) }),
  };
}

/** What is behind a service. */
export interface Behind {
  /** Keys of workloads, sorted. */
  readonly groups: readonly string[];
  /** Numbers of a named port, sorted. */
  readonly portsOf: (port: ServicePortObject) => readonly number[];
}

export function serviceResource(keys: ClusterKeys, service: ServiceObject, { groups, portsOf }: Behind): PodService {
  const { labels, annotations, addresses, createdS } = service;
  return {
    kind: 'pod_service',
    key: keys.service(service),
    name: service.name,
    cluster: keys.cluster,
    namespace: keys.namespace(service.namespace),
    ...(createdS === undefined ? {} : { since: createdS }),
    ...filled({
      addresses,
      interfaces: outerInterfaces(service.outerAddresses),
      ports: service.ports.map((port) => servicePort(service, port, portsOf)),
      podGroups: groups,
      labels,
      annotations,
    }),
  };
}

function servicePort(service: ServiceObject, port: ServicePortObject, portsOf: Behind['portsOf']): ServicePort {
  const { target, nodePort } = port;
  let targetPorts: readonly number[] | undefined;
  if (typeof target === 'string') targetPorts = portsOf(port);
  // Whoever writes the endpoints himself need not care what the service says.
  else if (service.selector.length === 0) targetPorts = orElse(portsOf(port), target);
  else if (target !== port.port) targetPorts = [target];
  return {
    protocol: port.protocol,
    port: port.port,
    ...(targetPorts === undefined ? {} : { targetPorts }),
    ...(nodePort === undefined ? {} : { nodePort }),
  };
}

function orElse(found: readonly number[], target: number): readonly number[] {
  return found.length > 0 ? found : [target];
}

/** Addresses that one must not take for such of the VPC, unless they are private. */
function outerInterfaces(addresses: readonly string[]): readonly Interface[] {
  const named = (isWan: boolean) => addresses.filter((ip) => !PRIVATE.test(ip) === isWan).map((ip) => ({ ip }));
  const [outer, inner] = [named(true), named(false)];
  return [
    ...(outer.length === 0 ? [] : [{ isWan: true, addresses: outer }]),
    ...(inner.length === 0 ? [] : [{ addresses: inner }]),
  ];
}

const PRIVATE =
  /^(?:10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe[89ab])/i;

/** Without empty lists. */
function filled<T extends Readonly<Record<string, readonly unknown[]>>>(lists: T): Partial<T> {
  const kept = Object.entries(lists).filter(([, list]) => list.length > 0);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- some of its fields
  return Object.fromEntries(kept) as Partial<T>;
}
