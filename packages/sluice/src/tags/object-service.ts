import type { Pairs, Protocol } from './description.ts';
import { listAt, objectAt, objectsAt, pairsOf, portAt, textAt, type JsonObject } from './json-fields.ts';
import type { ObjectMeta } from './object-meta.ts';
import { protocolOf } from './object-pod.ts';

export interface ServiceObject extends ObjectMeta {
  readonly kind: 'service';
  /** Within the cluster. */
  readonly addresses: readonly string[];
  /** Those of load balancers and the like. */
  readonly outerAddresses: readonly string[];
  readonly ports: readonly ServicePortObject[];
  /** Labels of the pods behind it; empty: somebody says which endpoints it has. */
  readonly selector: Pairs;
}

export interface ServicePortObject {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** A number, or the name of a port of the pods. */
  readonly target: number | string;
  readonly nodePort: number | undefined;
}

const MOST_ADDRESSES = 64;
const MOST_PORTS = 1000;

export function readService(object: JsonObject, meta: ObjectMeta): ServiceObject | undefined {
  if (meta.namespace === '') return undefined;
  const spec = objectAt(object, 'spec');
  const isExternal = textAt(spec, 'type') === 'ExternalName';
  const inner = new Set([textAt(spec, 'clusterIP'), ...texts(spec, 'clusterIPs')]);
  const balancer = objectAt(objectAt(object, 'status'), 'loadBalancer');
  const outer = new Set([
    ...texts(spec, 'externalIPs'),
    ...objectsAt(balancer, 'ingress').map((one) => textAt(one, 'ip')),
  ]);
  for (const none of ['', 'None']) {
    inner.delete(none);
    outer.delete(none);
  }
  return {
    kind: 'service',
    ...meta,
    addresses: isExternal ? [] : [...inner].slice(0, MOST_ADDRESSES),
    outerAddresses: isExternal ? [] : [...outer].slice(0, MOST_ADDRESSES),
    ports: isExternal
      ? []
      : objectsAt(spec, 'ports')
          .slice(0, MOST_PORTS)
          .flatMap((one) => portOf(one) ?? []),
    selector: isExternal ? [] : pairsOf(objectAt(spec, 'selector')),
  };
}

function portOf(one: JsonObject): ServicePortObject | undefined {
  const port = portAt(one, 'port');
  if (port === undefined) return undefined;
  return {
    name: textAt(one, 'name'),
    protocol: protocolOf(one),
    port,
    // Written by hand it may be a number in quotes: the API takes that for a name.
    target: portAt(one, 'targetPort') ?? (textAt(one, 'targetPort') || port),
    nodePort: portAt(one, 'nodePort'),
  };
}

function texts(from: JsonObject, name: string): string[] {
  return listAt(from, name).filter((value) => typeof value === 'string');
}
