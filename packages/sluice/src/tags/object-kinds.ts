import { asObject, type JsonObject } from './json-fields.ts';
import { readMeta, type ObjectMeta } from './object-meta.ts';
import { readNode, type NodeObject } from './object-node.ts';
import { readPod, type PodObject } from './object-pod.ts';
import { readService, type ServiceObject } from './object-service.ts';
import { endpointsName, readEndpoints, readSlice, type SliceObject } from './object-slice.ts';
import { readWorkload, type WorkloadObject } from './object-workload.ts';

/** A Kubernetes object, as far as tags need it. */
export type ClusterObject = PodObject | ServiceObject | NodeObject | SliceObject | WorkloadObject | NamespaceObject;

export interface NamespaceObject extends ObjectMeta {
  readonly kind: 'namespace';
}

export interface ReadSettings {
  /** Names of environment variables that become tags of pods; others may hold secrets. */
  readonly environment: ReadonlySet<string>;
}

type Read = (object: JsonObject, meta: ObjectMeta, settings: ReadSettings) => ClusterObject | undefined;

/**
 * Kinds of Kubernetes objects that tags are made from, by their names in Kubernetes, in the order in which they are best learned. Pods of jobs have no
 * workload: rows have no number for one.
 */
export const OBJECT_KINDS = {
  Namespace: (_object, meta) => ({ kind: 'namespace', ...meta }),
  Node: readNode,
  Service: readService,
  Deployment: (object, meta) => readWorkload(object, meta, 'deployment'),
  StatefulSet: (object, meta) => readWorkload(object, meta, 'statefulset'),
  DaemonSet: (object, meta) => readWorkload(object, meta, 'daemonset'),
  ReplicationController: (object, meta) => readWorkload(object, meta, 'replicationcontroller'),
  CloneSet: (object, meta) => readWorkload(object, meta, 'cloneset'),
  ReplicaSet: (object, meta) => readWorkload(object, meta, 'replicaset'),
  EndpointSlice: readSlice,
  Endpoints: readEndpoints,
  Pod: (object, meta, { environment }) => readPod(object, meta, environment),
} as const satisfies Record<string, Read>;

export type ObjectKind = keyof typeof OBJECT_KINDS;

export function isObjectKind(name: string): name is ObjectKind {
  return Object.hasOwn(OBJECT_KINDS, name);
}

/** Undefined: it is no object of this kind. */
export function readObject(kind: ObjectKind, value: unknown, settings: ReadSettings): ClusterObject | undefined {
  const object = asObject(value);
  const meta = object === undefined ? undefined : readMeta(object);
  if (object === undefined || meta === undefined) return undefined;
  const read: Read = OBJECT_KINDS[kind];
  return read(object, meta, settings);
}

/** What an object is known by within its cluster. */
export function objectId(object: ClusterObject): string {
  const type = object.kind === 'workload' ? object.type : object.kind;
  return `${type} ${object.namespace}/${object.name}`;
}

/** What an object of a kind is known by, of which perhaps no more is said than its name; undefined: not even that. */
export function idOfDeleted(kind: ObjectKind, value: unknown): string | undefined {
  const object = asObject(value);
  const meta = object === undefined ? undefined : readMeta(object);
  if (meta === undefined) return undefined;
  const { namespace, name } = meta;
  if (kind === 'EndpointSlice') return `slice ${namespace}/${name}`;
  if (kind === 'Endpoints') return `slice ${namespace}/${endpointsName(name)}`;
  return `${kind.toLowerCase()} ${namespace}/${name}`;
}
