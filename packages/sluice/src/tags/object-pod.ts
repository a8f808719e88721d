import type { Pairs, Protocol } from './description.ts';
import { objectAt, objectsAt, portAt, secondsAt, textAt, type JsonObject } from './json-fields.ts';
import type { ObjectMeta } from './object-meta.ts';

export interface PodObject extends ObjectMeta {
  readonly kind: 'pod';
  readonly node: string;
  /** None while it has the network of its node, and when it has ended: others have them then. */
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
  readonly containers: readonly string[];
  readonly environment: Pairs;
  /** Epoch seconds. */
  readonly sinceS: number | undefined;
}

/** A port of a container that has a name. */
export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

const MOST_ADDRESSES = 16;
const MOST_CONTAINERS = 64;
const MOST_PORTS = 256;

/** `environment`: names of variables that become tags. */
export function readPod(object: JsonObject, meta: ObjectMeta, environment: ReadonlySet<string>): PodObject | undefined {
  if (meta.uid === '' || meta.namespace === '') return undefined;
  const spec = objectAt(object, 'spec');
  const status = objectAt(object, 'status');
  return {
    kind: 'pod',
    ...meta,
    node: textAt(spec, 'nodeName'),
    addresses: addressesOf(spec, status),
    ports: containerPorts(spec),
    containers: containersOf(status),
    environment: environmentOf(spec, environment),
    sinceS: secondsAt(status, 'startTime') ?? meta.createdS,
  };
}

function addressesOf(spec: JsonObject, status: JsonObject): readonly string[] {
  const phase = textAt(status, 'phase');
  if (phase === 'Succeeded' || phase === 'Failed' || spec['hostNetwork'] === true) return [];
  const found = new Set([textAt(status, 'podIP'), ...objectsAt(status, 'podIPs').map((one) => textAt(one, 'ip'))]);
  found.delete('');
  // Who trims objects may have left out that it has its node's network.
  if (found.has(textAt(status, 'hostIP'))) return [];
  return [...found].slice(0, MOST_ADDRESSES);
}

/** Named ports of the containers in a pod's `spec`. */
export function containerPorts(spec: JsonObject): readonly NamedPort[] {
  const ports: NamedPort[] = [];
  // A container that is started first and stays counts as well.
  for (const container of [...objectsAt(spec, 'containers'), ...objectsAt(spec, 'initContainers')]) {
    for (const one of objectsAt(container, 'ports')) {
      const name = textAt(one, 'name');
      const port = portAt(one, 'containerPort');
      if (name !== '' && port !== undefined) ports.push({ name, protocol: protocolOf(one), port });
    }
  }
  return ports.slice(0, MOST_PORTS);
}

export function protocolOf(port: JsonObject): Protocol {
  const protocol = textAt(port, 'protocol');
  return protocol === 'UDP' ? 'udp' : protocol === 'TCP' || protocol === '' ? 'tcp' : 'any';
}

function containersOf(status: JsonObject): readonly string[] {
  const found = new Set<string>();
  for (const list of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']) {
    for (const one of objectsAt(status, list)) found.add(textAt(one, 'containerID').replace(/^[^/]*:\/\//, ''));
  }
  found.delete('');
  return [...found].slice(0, MOST_CONTAINERS);
}

function environmentOf(spec: JsonObject, wanted: ReadonlySet<string>): Pairs {
  if (wanted.size === 0) return [];
  const found = new Map<string, string>();
  for (const container of objectsAt(spec, 'containers')) {
    for (const one of objectsAt(container, 'env')) {
      const name = textAt(one, 'name');
      const value = textAt(one, 'value');
      if (wanted.has(name) && value !== '' && value.length <= 1024 && !found.has(name)) found.set(name, value);
    }
  }
  return [...found].toSorted(([left], [right]) => (left < right ? -1 : 1));
}
