import type { Pairs } from './description.ts';
import { objectAt, objectsAt, textAt, type JsonObject } from './json-fields.ts';
import type { ObjectMeta } from './object-meta.ts';

export interface NodeObject extends ObjectMeta {
  readonly kind: 'node';
  readonly addresses: readonly string[];
  /** Towards the Internet. */
  readonly outerAddresses: readonly string[];
  /** Empty where the cluster does not say. */
  readonly region: string;
  readonly zone: string;
}

const MOST_ADDRESSES = 64;

export function readNode(object: JsonObject, meta: ObjectMeta): NodeObject {
  const all = objectsAt(objectAt(object, 'status'), 'addresses');
  const ofType = (type: string) => {
    const found = new Set(all.filter((one) => textAt(one, 'type') === type).map((one) => textAt(one, 'address')));
    found.delete('');
    return [...found].slice(0, MOST_ADDRESSES);
  };
  const addresses = ofType('InternalIP');
  return {
    kind: 'node',
    ...meta,
    addresses,
    outerAddresses: ofType('ExternalIP').filter((one) => !addresses.includes(one)),
    region: labelOf(meta.labels, 'topology.kubernetes.io/region', 'failure-domain.beta.kubernetes.io/region'),
    zone: labelOf(meta.labels, 'topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'),
  };
}

function labelOf(labels: Pairs, ...names: readonly string[]): string {
  for (const wanted of names) {
    const found = labels.find(([name]) => name === wanted);
    if (found !== undefined) return found[1];
  }
  return '';
}
