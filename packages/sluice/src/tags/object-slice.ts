import type { Protocol } from './description.ts';
import { objectAt, objectsAt, portAt, textAt, type JsonObject } from './json-fields.ts';
import type { ObjectMeta } from './object-meta.ts';
import { protocolOf } from './object-pod.ts';

/** Endpoints of a service: an EndpointSlice, or the older Endpoints. Counts where the service has no selector. */
export interface SliceObject {
  readonly kind: 'slice';
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  /** Names of the pods. */
  readonly pods: readonly string[];
  readonly ports: readonly SlicePort[];
}

export interface SlicePort {
  /** Of the service's port. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

const MOST_PODS = 10_000;
const MOST_PORTS = 1000;

export function readSlice(object: JsonObject, meta: ObjectMeta): SliceObject | undefined {
  const service = meta.labels.find(([name]) => name === 'kubernetes.io/service-name')?.[1];
  if (meta.namespace === '' || service === undefined) return undefined;
  return {
    kind: 'slice',
    name: meta.name,
    namespace: meta.namespace,
    service,
    pods: podsOf(objectsAt(object, 'endpoints')),
    ports: objectsAt(object, 'ports')
      .slice(0, MOST_PORTS)
      .flatMap((one) => portOf(one) ?? []),
  };
}

export function readEndpoints(object: JsonObject, meta: ObjectMeta): SliceObject | undefined {
  if (meta.namespace === '') return undefined;
  const subsets = objectsAt(object, 'subsets');
  return {
    kind: 'slice',
    name: endpointsName(meta.name),
    namespace: meta.namespace,
    service: meta.name,
    pods: podsOf(subsets.flatMap((one) => [...objectsAt(one, 'addresses'), ...objectsAt(one, 'notReadyAddresses')])),
    ports: subsets
      .flatMap((one) => objectsAt(one, 'ports'))
      .slice(0, MOST_PORTS)
      .flatMap((one) => portOf(one) ?? []),
  };
}

/** Not the name of a slice: those have no capitals. */
export function endpointsName(name: string): string {
  return `Endpoints ${name}`;
}

function podsOf(endpoints: readonly JsonObject[]): readonly string[] {
  const found = new Set<string>();
  for (const one of endpoints) {
    const target = objectAt(one, 'targetRef');
    if (textAt(target, 'kind') === 'Pod' && found.size < MOST_PODS) found.add(textAt(target, 'name'));
  }
  found.delete('');
  return [...found];
}

function portOf(one: JsonObject): SlicePort | undefined {
  const port = portAt(one, 'port');
  return port === undefined ? undefined : { name: textAt(one, 'name'), protocol: protocolOf(one), port };
}
