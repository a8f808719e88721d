import type { AddressKey } from './address-key.ts';
import type { EndColumns } from './end-columns.ts';
import type { CustomServiceLookup, Inventory, PortKey, ServiceLookup } from './inventory.ts';
import type { Lookup } from './lookup.ts';
import { WORDS, word } from './resource-table.ts';
import { deviceType } from './tag-bits.ts';

/** How services are looked for at one end of a table's rows. */
export interface ServiceEnd {
  readonly end: EndColumns;
  readonly isIpv4: Uint8Array;
  /** Of the server's end; absent = the port plays no part: any service behind the end will do. */
  readonly ports?: { readonly protocol: Uint8Array; readonly serverPort: Uint16Array } | undefined;
}

/** What is asked of a Lookup for services. */
export interface ServiceQuestions extends Pick<Lookup, 'key' | 'versions'> {
  readonly inventory: Pick<Inventory, 'resources' | 'address' | 'services' | 'customServices'>;
}

/** Writes service_id of the rows and returns their custom services, or undefined when there are none. Neither is known without an inventory. */
export function writeServices(lookup: ServiceQuestions, rows: number, at: ServiceEnd): Uint32Array | undefined {
  const { services, customServices } = lookup.inventory;
  if (services === undefined && customServices === undefined) return undefined;
  const { end, isIpv4, ports } = at;
  const { key, inventory, versions } = lookup;
  const { service, deviceType: type, pod, podNode, vpc, ip4, ip6 } = end;
  const custom = customServices === undefined ? undefined : new Uint32Array(rows);
  const question = services === undefined ? undefined : { services, inventory, key };
  for (let row = 0; row < rows; row++) {
    const serverPort = ports === undefined ? 0 : ports.serverPort[row]!;
    port.port = serverPort;
    port.protocol = serverPort === 0 || ports === undefined ? 0 : knownProtocol(ports.protocol[row]!);
    key.version = versions[row]!;
    key.vpc = vpc[row]!;
    key.set(isIpv4[row] !== 0, ip4, ip6, row);
    // A node alone can stand for a service only by its port.
    const isBehind = type[row] === deviceType.podService || pod[row] !== 0 || (serverPort !== 0 && podNode[row] !== 0);
    if (question !== undefined && isBehind) service[row] = serviceOf(question, end, row);
    if (customServices !== undefined && custom !== undefined)
      custom[row] = customServiceOf(customServices, key, end, row);
  }
  return custom;
}

/** The port asked for; filled in for each row. */
const port: { -readonly [K in keyof PortKey]: number } = { protocol: 0, port: 0 };
const anyPort: PortKey = { protocol: 0, port: 0 };

const TCP = 6;
const UDP = 17;

function knownProtocol(protocol: number): number {
  return protocol === TCP || protocol === UDP ? protocol : 0;
}

interface ServiceQuestion {
  readonly services: ServiceLookup;
  readonly inventory: ServiceQuestions['inventory'];
  readonly key: AddressKey;
}

function serviceOf({ services, inventory, key }: ServiceQuestion, end: EndColumns, row: number): number {
  const pod = end.pod[row]!;
  let service = 0;
  if (pod !== 0) {
    service = services.ofPodGroup(key.version, end.podGroup[row]!, port);
    if (service !== 0) return service;
    // The address is another pod's, so its services are not this one's.
    const owner = inventory.resources.words[inventory.address(key) * WORDS + word.pod]!;
    if (owner !== 0 && owner !== pod) return 0;
  } else if (end.podNode[row] !== 0 && port.port !== 0) {
    service = services.ofPodCluster(key.version, end.podCluster[row]!, port);
  }
  return service === 0 && key.vpc > 0 ? services.ofAddress(key, port) : service;
}

function customServiceOf(custom: CustomServiceLookup, key: AddressKey, end: EndColumns, row: number): number {
  const { version, vpc } = key;
  if (vpc < 0) return 0;
  const type = end.deviceType[row]!;
  const device = end.device[row]!;
  const found =
    member(custom, version, 'service', end.service[row]!) ||
    member(custom, version, 'pod_group', end.podGroup[row]!) ||
    member(custom, version, 'pod', end.pod[row]!) ||
    ofCluster(custom, version, end.podCluster[row]!) ||
    (type === deviceType.chost ? member(custom, version, 'chost', device) : 0) ||
    (type === deviceType.host ? member(custom, version, 'host', device) : 0) ||
    ofAddress(custom, key);
  if (found !== 0 || vpc === 0) return found;
  key.vpc = 0;
  const anywhere = ofAddress(custom, key);
  key.vpc = vpc;
  return anywhere;
}

function member(
  custom: CustomServiceLookup,
  version: number,
  kind: Parameters<CustomServiceLookup['of']>[1],
  id: number,
) {
  return id === 0 ? 0 : custom.of(version, kind, id);
}

function ofCluster(custom: CustomServiceLookup, version: number, cluster: number): number {
  if (cluster === 0 || port.port === 0) return 0;
  return custom.ofPodCluster(version, cluster, port) || custom.ofPodCluster(version, cluster, anyPort);
}

function ofAddress(custom: CustomServiceLookup, key: AddressKey): number {
  return custom.ofAddress(key, port) || (port.port === 0 ? 0 : custom.ofAddress(key, anyPort));
}
