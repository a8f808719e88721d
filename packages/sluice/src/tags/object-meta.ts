import type { Pairs } from './description.ts';
import { objectAt, objectsAt, pairsOf, secondsAt, textAt, type JsonObject } from './json-fields.ts';

/** What all Kubernetes objects say of themselves, as far as tags need it. */
export interface ObjectMeta {
  readonly name: string;
  /** Empty for what belongs to the cluster. */
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Pairs;
  readonly annotations: Pairs;
  /** What made it. */
  readonly owner: ObjectOwner | undefined;
  /** Epoch seconds. */
  readonly createdS: number | undefined;
}

export interface ObjectOwner {
  /** `ReplicaSet`. */
  readonly kind: string;
  readonly name: string;
}

const MOST_NAME = 253;

/** Undefined: it has no name, and is no object. */
export function readMeta(object: JsonObject): ObjectMeta | undefined {
  const meta = objectAt(object, 'metadata');
  const name = textAt(meta, 'name');
  const namespace = textAt(meta, 'namespace');
  if (name === '' || name.length > MOST_NAME || namespace.length > MOST_NAME) return undefined;
  return {
    name,
    namespace,
    uid: textAt(meta, 'uid').slice(0, MOST_NAME),
    labels: pairsOf(objectAt(meta, 'labels')),
    annotations: pairsOf(objectAt(meta, 'annotations'), isOwnWord),
    owner: ownerOf(meta),
    createdS: secondsAt(meta, 'creationTimestamp'),
  };
}

/** The whole object once more, which kubectl leaves there, says nothing of its own. */
function isOwnWord(annotation: string): boolean {
  return annotation !== 'kubectl.kubernetes.io/last-applied-configuration';
}

function ownerOf(meta: JsonObject): ObjectOwner | undefined {
  const owners = objectsAt(meta, 'ownerReferences');
  const owner = owners.find((one) => one['controller'] === true) ?? owners[0];
  if (owner === undefined) return undefined;
  const [kind, name] = [textAt(owner, 'kind'), textAt(owner, 'name')];
  return kind === '' || name === '' || name.length > MOST_NAME ? undefined : { kind, name };
}
