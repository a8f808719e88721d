import type { Resource, ResourceRef, WorkloadType } from './description.ts';
import { isSame } from './merge.ts';
import { clusterKeys, nodeResource, podResource, serviceResource, type ClusterKeys } from './cluster-resources.ts';
import { objectId, type ClusterObject } from './object-kinds.ts';
import type { ObjectOwner } from './object-meta.ts';
import type { NodeObject } from './object-node.ts';
import type { PodObject } from './object-pod.ts';
import type { ServiceObject } from './object-service.ts';
import type { SliceObject } from './object-slice.ts';
import type { WorkloadObject } from './object-workload.ts';
import { ServiceSelection, type Selectable } from './service-selection.ts';
import { Uses } from './uses.ts';

export interface ClusterOptions {
  /** As agents of the cluster report it. */
  readonly clusterId: string;
  /** As people call it. */
  readonly name: string;
  /** Key of the VPC of its nodes and pods; absent: not known. */
  readonly vpc: string | undefined;
  /** Most objects that are kept. */
  readonly mostObjects?: number;
}

const MOST_OBJECTS = 500_000;

/** A workload that pods name. */
interface Group {
  readonly namespace: string;
  readonly type: WorkloadType;
  readonly name: string;
}

/**
 * The objects of one Kubernetes cluster, and the resources that follow from them. Objects may come and go in any order: what is described depends on
 * those that are there alone. A change costs what it changes.
 */
export class ClusterObjects {
  readonly #keys: ClusterKeys;
  readonly #mostObjects: number;
  readonly #objects = new Map<string, ClusterObject>();
  readonly #resources = new Map<string, Resource>();
  #changed = new Map<string, Resource>();
  #gone = new Map<string, ResourceRef>();

  /** Names of nodes by their addresses. */
  readonly #nodes = new Map<string, string>();
  readonly #regions = new Uses<string>();
  /** Regions that nodes of a zone say it is in. */
  readonly #zones = new Map<string, Uses<string>>();
  readonly #namespaces = new Uses<string>();
  readonly #groups = new Uses<string>();
  readonly #selectables = new Map<string, Selectable>();
  readonly #groupOf = new Map<string, Group>();
  /** Pods by `<namespace>/<name>` of the replica set that made them. */
  readonly #podsOfSet = new Map<string, Set<PodObject>>();

  readonly #selection = new ServiceSelection((service) => this.#services.add(service));
  /** Services that are to be described anew. */
  readonly #services = new Set<ServiceObject>();
  /** Slices by service, and ids of services by the id of a pod that their slices name. */
  readonly #slices = new Map<string, Map<string, SliceObject>>();
  readonly #servicesOfPod = new Map<string, Uses<string>>();

  constructor(options: ClusterOptions) {
    this.#keys = clusterKeys(options.clusterId);
    this.#mostObjects = options.mostObjects ?? MOST_OBJECTS;
    this.describe(options);
  }

  get size(): number {
    return this.#objects.size;
  }

  /** What is said of the cluster itself. */
  describe({ name, vpc }: Pick<ClusterOptions, 'name' | 'vpc'>): void {
    const key = this.#keys.cluster;
    this.#set({ kind: 'pod_cluster', key, name: name || key, ...(vpc === undefined ? {} : { vpc }) });
  }

  /** Takes in an object, new or changed; false: there are too many. */
  put(object: ClusterObject): boolean {
    const id = objectId(object);
    const old = this.#objects.get(id);
    if (old === undefined && this.#objects.size >= this.#mostObjects) return false;
    // Most changes of pods and nodes are about what tags do not care for.
    if (old !== undefined && isSame(old, object)) return true;
    if (old !== undefined) this.#unlink(id, old);
    this.#objects.set(id, object);
    this.#link(id, object);
    return true;
  }

  /** Whether it was there. */
  remove(id: string): boolean {
    const old = this.#objects.get(id);
    if (old === undefined) return false;
    this.#objects.delete(id);
    this.#unlink(id, old);
    return true;
  }

  /** What has become of resources since the last time. */
  take(): { readonly changed: readonly Resource[]; readonly gone: readonly ResourceRef[] } {
    for (const service of this.#services) {
      if (this.#objects.get(objectId(service)) === service) this.#set(this.#describeService(service));
    }
    this.#services.clear();
    const taken = { changed: [...this.#changed.values()], gone: [...this.#gone.values()] };
    this.#changed = new Map();
    this.#gone = new Map();
    return taken;
  }

  /** Everything, as it was when `take` was called last. */
  resources(): Iterable<Resource> {
    return this.#resources.values();
  }

  find(kind: Resource['kind'], key: string): Resource | undefined {
    return this.#resources.get(`${kind} ${key}`);
  }

  /** Name of the node with this address. */
  nodeWith(address: string): string | undefined {
    return this.#nodes.get(address);
  }

  #link(id: string, object: ClusterObject): void {
    switch (object.kind) {
      case 'namespace':
        return this.#useNamespace(object.name);
      case 'node':
        return this.#linkNode(object);
      case 'workload':
        return this.#linkWorkload(id, object);
      case 'service':
        this.#useNamespace(object.namespace);
        this.#selection.addService(object);
        this.#services.add(object);
        return;
      case 'slice':
        return this.#linkSlice(object);
      case 'pod':
        if (object.owner?.kind === 'ReplicaSet')
          addTo(this.#podsOfSet, `${object.namespace}/${object.owner.name}`, object);
        this.#useNamespace(object.namespace);
        return this.#linkPod(id, object);
    }
  }

  #unlink(id: string, object: ClusterObject): void {
    switch (object.kind) {
      case 'namespace':
        return this.#freeNamespace(object.name);
      case 'node':
        return this.#unlinkNode(object);
      case 'workload':
        return this.#unlinkWorkload(id, object);
      case 'service':
        this.#freeNamespace(object.namespace);
        this.#selection.removeService(object);
        this.#services.delete(object);
        this.#drop('pod_service', this.#keys.service(object));
        return;
      case 'slice':
        return this.#unlinkSlice(object);
      case 'pod':
        if (object.owner?.kind === 'ReplicaSet') {
          removeFrom(this.#podsOfSet, `${object.namespace}/${object.owner.name}`, object);
        }
        this.#freeNamespace(object.namespace);
        this.#unlinkPod(id, object);
        this.#drop('pod', this.#keys.pod(object));
    }
  }

  #linkPod(id: string, pod: PodObject): void {
    const group = this.#groupOfPod(pod);
    if (group !== undefined) this.#useGroup(id, group);
    this.#addSelectable(id, pod.namespace, { labels: pod.labels, ports: pod.ports, group: this.#groupKey(group) });
    this.#set(podResource(this.#keys, pod, this.#groupKey(group)));
    this.#touchServicesOfPod(pod);
  }

  #unlinkPod(id: string, pod: PodObject): void {
    this.#removeSelectable(id, pod.namespace);
    this.#freeGroup(id);
    this.#touchServicesOfPod(pod);
  }

  /** The workload behind a pod. A replica set that nobody told of is taken for a deployment's, by the names that those have. */
  #groupOfPod({ namespace, owner, labels }: PodObject): Group | undefined {
    if (owner === undefined) return undefined;
    if (owner.kind !== 'ReplicaSet') {
      const type = OWNERS[owner.kind];
      return type === undefined ? undefined : { namespace, type, name: owner.name };
    }
    const set = this.#objects.get(`replicaset ${namespace}/${owner.name}`);
    if (set?.kind === 'workload') {
      return set.owner?.kind === 'Deployment'
        ? { namespace, type: 'deployment', name: set.owner.name }
        : { namespace, type: 'replicaset', name: owner.name };
    }
    const hash = labels.find(([name]) => name === 'pod-template-hash')?.[1];
    return hash !== undefined && owner.name.endsWith(`-${hash}`) && owner.name.length > hash.length + 1
      ? { namespace, type: 'deployment', name: owner.name.slice(0, -hash.length - 1) }
      : { namespace, type: 'replicaset', name: owner.name };
  }

  #linkWorkload(id: string, object: WorkloadObject): void {
    if (!isOwned(object)) {
      const { namespace, type, name } = object;
      this.#useNamespace(namespace);
      this.#useGroup(id, { namespace, type, name });
      // What it makes is selected also while there are no pods.
      if (object.labels.length > 0) {
        const group = this.#keys.group({ namespace, type, name });
        this.#addSelectable(id, namespace, { labels: object.labels, ports: object.ports, group });
      }
    }
    if (object.type === 'replicaset') this.#regroup(object);
  }

  #unlinkWorkload(id: string, object: WorkloadObject): void {
    this.#removeSelectable(id, object.namespace);
    if (!isOwned(object)) {
      this.#freeGroup(id);
      this.#freeNamespace(object.namespace);
    }
    if (object.type === 'replicaset') this.#regroup(object);
  }

  /** The workload of a replica set's pods may be another one now. */
  #regroup({ namespace, name }: WorkloadObject): void {
    for (const pod of this.#podsOfSet.get(`${namespace}/${name}`) ?? []) {
      const id = objectId(pod);
      if (this.#groupKey(this.#groupOfPod(pod)) === this.#groupKey(this.#groupOf.get(id))) continue;
      this.#unlinkPod(id, pod);
      this.#linkPod(id, pod);
    }
  }

  #linkNode(node: NodeObject): void {
    const { region, zone } = node;
    if (region !== '' && this.#regions.add(region)) this.#set({ kind: 'region', key: region, name: region });
    if (zone !== '') {
      let regions = this.#zones.get(zone);
      if (regions === undefined) this.#zones.set(zone, (regions = new Uses()));
      regions.add(region);
      this.#describeZone(zone);
    }
    for (const address of node.addresses) this.#nodes.set(address, node.name);
    this.#set(nodeResource(this.#keys, node));
  }

  #unlinkNode(node: NodeObject): void {
    const { region, zone } = node;
    if (region !== '' && this.#regions.drop(region)) this.#drop('region', region);
    const regions = this.#zones.get(zone);
    if (regions !== undefined) {
      regions.drop(region);
      if (regions.size === 0) this.#zones.delete(zone);
      this.#describeZone(zone);
    }
    for (const address of node.addresses) if (this.#nodes.get(address) === node.name) this.#nodes.delete(address);
    this.#drop('pod_node', this.#keys.node(node.name));
  }

  #describeZone(zone: string): void {
    const regions = this.#zones.get(zone);
    if (regions === undefined) return this.#drop('az', zone);
    // Nodes should agree; if they do not, it must not matter who came first.
    const [region] = [...regions.keys()].filter((name) => name !== '').toSorted();
    this.#set({ kind: 'az', key: zone, name: zone, ...(region === undefined ? {} : { region }) });
  }

  #linkSlice(slice: SliceObject): void {
    const service = `${slice.namespace}/${slice.service}`;
    let slices = this.#slices.get(service);
    if (slices === undefined) this.#slices.set(service, (slices = new Map()));
    slices.set(slice.name, slice);
    for (const pod of slice.pods) {
      const id = `pod ${slice.namespace}/${pod}`;
      let services = this.#servicesOfPod.get(id);
      if (services === undefined) this.#servicesOfPod.set(id, (services = new Uses()));
      services.add(service);
    }
    this.#touchService(service);
  }

  #unlinkSlice(slice: SliceObject): void {
    const service = `${slice.namespace}/${slice.service}`;
    const slices = this.#slices.get(service);
    slices?.delete(slice.name);
    if (slices?.size === 0) this.#slices.delete(service);
    for (const pod of slice.pods) {
      const id = `pod ${slice.namespace}/${pod}`;
      const services = this.#servicesOfPod.get(id);
      services?.drop(service);
      if (services?.size === 0) this.#servicesOfPod.delete(id);
    }
    this.#touchService(service);
  }

  #touchServicesOfPod({ namespace, name }: PodObject): void {
    for (const service of this.#servicesOfPod.get(`pod ${namespace}/${name}`)?.keys() ?? [])
      this.#touchService(service);
  }

  #touchService(id: string): void {
    const service = this.#objects.get(`service ${id}`);
    if (service?.kind === 'service' && service.selector.length === 0) this.#services.add(service);
  }

  #describeService(service: ServiceObject): Resource {
    if (service.selector.length > 0) {
      return serviceResource(this.#keys, service, {
        groups: this.#selection.groups(service),
        portsOf: ({ protocol, target }) => this.#selection.ports(service, `${protocol} ${target}`),
      });
    }
    const slices = [...(this.#slices.get(`${service.namespace}/${service.name}`)?.values() ?? [])];
    const groups = new Set<string>();
    for (const pod of slices.flatMap((slice) => slice.pods)) {
      const key = this.#groupKey(this.#groupOf.get(`pod ${service.namespace}/${pod}`));
      if (key !== undefined) groups.add(key);
    }
    return serviceResource(this.#keys, service, {
      groups: [...groups].toSorted(),
      portsOf: ({ protocol, name }) => {
        const found = slices.flatMap(({ ports }) =>
          ports.filter((one) => one.protocol === protocol && one.name === name),
        );
        return [...new Set(found.map(({ port }) => port))].toSorted((left, right) => left - right);
      },
    });
  }

  #addSelectable(id: string, namespace: string, selectable: Selectable): void {
    this.#selectables.set(id, selectable);
    this.#selection.add(namespace, selectable);
  }

  #removeSelectable(id: string, namespace: string): void {
    const selectable = this.#selectables.get(id);
    if (selectable === undefined) return;
    this.#selectables.delete(id);
    this.#selection.remove(namespace, selectable);
  }

  #groupKey(group: Group | undefined): string | undefined {
    return group === undefined ? undefined : this.#keys.group(group);
  }

  #useGroup(id: string, group: Group): void {
    this.#groupOf.set(id, group);
    const key = this.#keys.group(group);
    if (!this.#groups.add(key)) return;
    const { namespace, type, name } = group;
    this.#set({
      kind: 'pod_group',
      key,
      name,
      type,
      cluster: this.#keys.cluster,
      namespace: this.#keys.namespace(namespace),
    });
  }

  #freeGroup(id: string): void {
    const group = this.#groupOf.get(id);
    if (group === undefined) return;
    this.#groupOf.delete(id);
    const key = this.#keys.group(group);
    if (this.#groups.drop(key)) this.#drop('pod_group', key);
  }

  #useNamespace(name: string): void {
    if (!this.#namespaces.add(name)) return;
    this.#set({ kind: 'pod_ns', key: this.#keys.namespace(name), name, cluster: this.#keys.cluster });
  }

  #freeNamespace(name: string): void {
    if (this.#namespaces.drop(name)) this.#drop('pod_ns', this.#keys.namespace(name));
  }

  #set(resource: Resource): void {
    const id = `${resource.kind} ${resource.key}`;
    const gone = this.#gone.delete(id);
    const old = this.#resources.get(id);
    if (!gone && isSame(old, resource)) return;
    this.#resources.set(id, resource);
    this.#changed.set(id, resource);
  }

  #drop(kind: Resource['kind'], key: string): void {
    const id = `${kind} ${key}`;
    if (!this.#resources.delete(id)) return;
    this.#changed.delete(id);
    this.#gone.set(id, { kind, key });
  }
}

/** Kinds of what makes pods, and what that is called here. */
const OWNERS: Readonly<Record<ObjectOwner['kind'], WorkloadType>> = {
  Deployment: 'deployment',
  StatefulSet: 'statefulset',
  DaemonSet: 'daemonset',
  ReplicationController: 'replicationcontroller',
  CloneSet: 'cloneset',
};

/** A replica set that is one of a deployment's own. */
function isOwned({ type, owner }: WorkloadObject): boolean {
  return type === 'replicaset' && owner?.kind === 'Deployment';
}

function addTo<V>(sets: Map<string, Set<V>>, key: string, value: V): void {
  const found = sets.get(key);
  if (found === undefined) sets.set(key, new Set([value]));
  else found.add(value);
}

function removeFrom<V>(sets: Map<string, Set<V>>, key: string, value: V): void {
  const found = sets.get(key);
  found?.delete(value);
  if (found?.size === 0) sets.delete(key);
}
