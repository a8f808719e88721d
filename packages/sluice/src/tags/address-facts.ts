import { ParsedAddress } from '../base/address.ts';
import type { Interface, Resource } from './description.ts';
import { baseWords, type Facts } from './facts.ts';
import type { FindHeld } from './held.ts';
import { kindFacts } from './kinds.ts';
import { placementOf, vpcId, type Placement } from './placement.ts';
import { word, type Resource as Words } from './resource-table.ts';
import type { Subnets } from './subnets.ts';

/** What facts follow from. */
export interface Known {
  readonly find: FindHeld;
  readonly subnets: Subnets;
  /** Region of a VPC by its id; 0 = not known. */
  readonly regionOfVpc: (vpc: number) => number;
  /** Key of the pod with this container. */
  readonly podOfContainer: (container: string) => string | undefined;
}

/** The address at hand: filled in anew for each. */
export const address = new ParsedAddress();

export function deviceWords(kind: Resource['kind'], id: number, { host, region, az }: Placement): Words {
  return { region, zone: az, host, deviceType: kindFacts(kind).device ?? 0, device: id };
}

export function nodeWords(id: number, place: Placement): Words {
  return { ...deviceWords('pod_node', id, place), podNode: id, podCluster: place.cluster };
}

export interface Located {
  /** MAC address of the interface that has a plain address, 0 = not known. */
  readonly macOf?: (ip: string) => number;
  readonly resource: { readonly addresses?: readonly string[]; readonly interfaces?: readonly Interface[] };
  readonly place: Placement;
  readonly words: Words;
}

/**
 * Rows and claims of all addresses of something; the row of the one that stands for it, -1 when it has none: the first of its plain addresses, by which
 * a pod with two of them is known, else that of the last interface.
 */
export function addressFacts(facts: Facts, known: Known, { resource, place, words, macOf }: Located): number {
  const base = baseWords(words);
  let chosen = -1;
  for (const one of resource.interfaces ?? []) {
    const vpc = one.vpc === undefined ? place.vpc : vpcId(known.find, one.vpc);
    const macVpc = one.macVpc === undefined ? vpc : vpcId(known.find, one.macVpc);
    if (vpc === 0) continue;
    let row = -1;
    for (const { ip, subnet } of one.addresses) {
      const added = addressRow(facts, known, { base, vpc, macVpc, ip, subnet });
      if (added < 0) continue;
      row = added;
      if (one.isWan !== true) continue;
      if (address.isIpv4) facts.claim('wide4', vpc, [address.ip4]);
      else facts.claim('wide6', vpc, address.ip6);
    }
    const { mac = 0 } = one;
    if (row >= 0) claimMac(facts, row, vpc, mac);
    if (row >= 0) chosen = row;
  }
  let first = -1;
  const macs: number[] = [];
  for (const ip of resource.addresses ?? []) {
    const added = place.vpc === 0 ? -1 : addressRow(facts, known, { base, vpc: place.vpc, macVpc: place.vpc, ip });
    const mac = added < 0 || macOf === undefined ? 0 : macOf(ip);
    // An interface with several addresses has one row.
    if (mac !== 0 && !macs.includes(mac)) {
      macs.push(mac);
      claimMac(facts, added, place.vpc, mac);
    }
    if (first < 0) first = added;
  }
  facts.mainRow = first < 0 ? chosen : first;
  return facts.mainRow;
}

function claimMac(facts: Facts, row: number, vpc: number, mac: number): void {
  if (mac !== 0) facts.claimRow('mac', row, [vpc, Math.floor(mac / 2 ** 32), mac >>> 0]);
}

interface AddressRow {
  readonly base: Uint32Array;
  readonly vpc: number;
  readonly macVpc: number;
  readonly ip: string;
  /** Key of its subnet. */
  readonly subnet?: string | undefined;
}

/** The row of one address, left in `address`; -1 when it is none. */
function addressRow(facts: Facts, known: Known, { base, vpc, macVpc, ip, subnet }: AddressRow): number {
  if (!address.read(ip)) return -1;
  const row = fillAddress(facts, known, { base, vpc, macVpc, ip, subnet });
  if (address.isIpv4) facts.claimRow('address4', row, [vpc, address.ip4]);
  else facts.claimRow('address6', row, [vpc, ...address.ip6]);
  facts.hasAddress = true;
  return row;
}

/** A row about what stands in `address`. */
export function fillAddress(facts: Facts, known: Known, { base, vpc, macVpc, subnet }: AddressRow): number {
  const { find, subnets, regionOfVpc } = known;
  const row = facts.row(base);
  const explicit = find('subnet', subnet);
  const within =
    explicit === undefined ? subnets.find(vpc, address) : { id: explicit.id, ...subnetPlace(find, explicit.resource) };
  facts.setWord(row, 'subnet', within?.id ?? 0);
  if (base[word.zone] === 0) facts.setWord(row, 'zone', within?.az ?? 0);
  if (base[word.region] === 0) facts.setWord(row, 'region', within?.region || regionOfVpc(vpc));
  facts.setWord(row, 'vpc', vpc);
  facts.setWord(row, 'macVpc', macVpc);
  facts.setWord(row, 'isIpv4', address.isIpv4 ? 1 : 0);
  if (address.isIpv4) facts.setWord(row, 'ip4', address.ip4);
  else facts.setIp6(row, address.ip6);
  return row;
}

function subnetPlace(find: FindHeld, resource: Resource): { readonly region: number; readonly az: number } {
  const { region, az } = placementOf(find, resource);
  return { region, az };
}
