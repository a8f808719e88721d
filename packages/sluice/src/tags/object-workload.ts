import type { Pairs, WorkloadType } from './description.ts';
import { objectAt, pairsOf, type JsonObject } from './json-fields.ts';
import type { ObjectMeta, ObjectOwner } from './object-meta.ts';
import { containerPorts, type NamedPort } from './object-pod.ts';

/** Something that makes pods. */
export interface WorkloadObject {
  readonly kind: 'workload';
  readonly type: WorkloadType;
  readonly name: string;
  readonly namespace: string;
  readonly owner: ObjectOwner | undefined;
  /** Labels and named ports of the pods that it makes. */
  readonly labels: Pairs;
  readonly ports: readonly NamedPort[];
}

export function readWorkload(object: JsonObject, meta: ObjectMeta, type: WorkloadType): WorkloadObject | undefined {
  if (meta.namespace === '') return undefined;
  const template = objectAt(objectAt(object, 'spec'), 'template');
  return {
    kind: 'workload',
    type,
    name: meta.name,
    namespace: meta.namespace,
    owner: meta.owner,
    labels: pairsOf(objectAt(objectAt(template, 'metadata'), 'labels')),
    ports: containerPorts(objectAt(template, 'spec')),
  };
}
