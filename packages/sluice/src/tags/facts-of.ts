import { address, addressFacts, deviceWords, fillAddress, nodeWords, type Known } from './address-facts.ts';
import { readCidr } from '../base/address.ts';
import { ChainedHash } from './chained-hash.ts';
import {
  WORKLOAD_TYPES,
  type Agent,
  type Pod,
  type PodNode,
  type Process,
  type Resource,
  type Subnet,
  type Vpc,
} from './description.ts';
import { baseWords, type Facts } from './facts.ts';
import { kindFacts } from './kinds.ts';
import { idOf, placementOf, vpcId } from './placement.ts';
import type { Resource as Words } from './resource-table.ts';
import { customServiceFacts, serviceFacts } from './service-facts.ts';
import { PRECEDENCE } from './source.ts';

export interface Subject {
  readonly resource: Resource;
  readonly id: number;
  /** Place in PRECEDENCE of the best source that describes it. */
  readonly precedence: number;
}

/** Writes what follows from a resource for the inventory into `facts`. */
export function writeFacts(facts: Facts, known: Known, subject: Subject): void {
  const { resource, id } = subject;
  facts.begin(rankOf(subject));
  // Without a number nothing can be said of it.
  if (id === 0) return;
  switch (resource.kind) {
    case 'region':
      if (resource.isOwn === true) facts.claimRow('vpc', facts.row(baseWords({ region: id })), [0]);
      return;
    case 'az':
    case 'pod_cluster':
    case 'pod_ns':
    case 'pod_group':
      return;
    case 'vpc':
      return vpcFacts(facts, known, resource, id);
    case 'subnet':
      return subnetFacts(facts, known, resource, id);
    case 'host':
    case 'chost':
    case 'router':
    case 'dhcpgw':
    case 'redis':
    case 'rds':
    case 'lb':
    case 'natgw': {
      const place = placementOf(known.find, resource);
      // It may be described for the first time: then nobody finds it yet.
      if (resource.kind === 'host') place.host = id;
      addressFacts(facts, known, { resource, place, words: deviceWords(resource.kind, id, place) });
      return;
    }
    case 'pod_node': {
      const place = placementOf(known.find, resource);
      addressFacts(facts, known, { resource, place, words: nodeWords(id, place) });
      return;
    }
    case 'pod':
      return podFacts(facts, known, resource, id);
    case 'pod_service':
      return serviceFacts(facts, known, resource, id);
    case 'agent':
      return agentFacts(facts, known, resource);
    case 'gprocess':
      return processFacts(facts, known, resource);
    case 'custom_service':
      return customServiceFacts(facts, known, resource, id);
  }
}

/** Greater is better: by source, then kind, then how late it got its addresses. */
function rankOf({ resource, precedence }: Subject): number {
  const { addressRank = 0 } = kindFacts(resource.kind);
  const since = 'since' in resource ? (resource.since ?? 0) : 0;
  return (PRECEDENCE.length - precedence) * 2 ** 40 + (15 - addressRank) * 2 ** 34 + since;
}

const hash = new ChainedHash();

function vpcFacts(facts: Facts, { find }: Known, resource: Vpc, id: number): void {
  const region = idOf(find, 'region', resource.region);
  if (region !== 0) facts.claimRow('vpc', facts.row(baseWords({ region })), [id]);
  const peers = (resource.peers ?? []).map((key) => vpcId(find, key)).filter((peer) => peer !== 0);
  if (peers.length > 0) facts.claimPeers(id, peers);
}

function subnetFacts(facts: Facts, { find, regionOfVpc }: Known, resource: Subnet, id: number): void {
  const { vpc, region, az } = placementOf(find, resource);
  if (vpc === 0) return;
  const row = facts.row(baseWords({ subnet: id, region: region || regionOfVpc(vpc), zone: az }));
  for (const cidr of resource.cidrs) {
    const length = readCidr(cidr, address);
    if (length === undefined) continue;
    if (address.isIpv4) facts.claimRow('network4', row, [vpc, length, address.ip4]);
    else facts.claimRow('network6', row, [vpc, length, ...address.ip6]);
  }
}

function podFacts(facts: Facts, known: Known, resource: Pod, id: number): void {
  const { find } = known;
  const place = placementOf(find, resource);
  const group = find('pod_group', resource.group);
  const own: Words = {
    podNamespace: idOf(find, 'pod_ns', resource.namespace),
    podGroup: group?.id ?? 0,
    podGroupType: group?.resource.kind === 'pod_group' ? WORKLOAD_TYPES[group.resource.type] : 0,
    pod: id,
  };
  const node = find('pod_node', resource.node);
  const words: Words = {
    ...deviceWords('pod', id, place),
    podNode: node?.id ?? 0,
    podCluster: place.cluster,
    ...own,
  };
  const macs = node?.resource.kind === 'pod_node' ? podMacs(node.resource) : undefined;
  const macOf = (ip: string) => macs?.get(ip) ?? 0;
  let row = addressFacts(facts, known, { resource, place, words, macOf });
  // A pod in the network of its node is where the node's first address is.
  if (row < 0 && node?.resource.kind === 'pod_node')
    row = nodeRow(facts, known, { node: node.resource, id: node.id, own });
  if (row < 0) row = facts.row(baseWords(words));
  facts.mainRow = row;
  facts.claimRow('pod', row, [id]);
  hash.begin().bytes(Buffer.from(resource.name));
  if (place.cluster !== 0) facts.claimRow('podName', row, [place.cluster, hash.low, hash.high]);
}

/** MAC addresses of a node's pods by address, made when the first of them asks. */
const macsOfNode = new WeakMap<PodNode, ReadonlyMap<string, number>>();

function podMacs(node: PodNode): ReadonlyMap<string, number> | undefined {
  if (node.podInterfaces === undefined) return undefined;
  let macs = macsOfNode.get(node);
  if (macs === undefined) {
    macs = new Map(node.podInterfaces.flatMap(({ mac = 0, addresses }) => addresses.map(({ ip }) => [ip, mac])));
    macsOfNode.set(node, macs);
  }
  return macs;
}

interface NodeRow {
  readonly node: PodNode;
  readonly id: number;
  readonly own: Words;
}

function nodeRow(facts: Facts, known: Known, { node, id, own }: NodeRow): number {
  const place = placementOf(known.find, node);
  const [first] = node.interfaces ?? [];
  const ip = first?.addresses[0]?.ip ?? node.addresses?.[0];
  const vpc = first?.vpc === undefined ? place.vpc : vpcId(known.find, first.vpc);
  if (ip === undefined || vpc === 0 || !address.read(ip)) return -1;
  const base = baseWords({ ...nodeWords(id, place), ...own });
  return fillAddress(facts, known, { base, vpc, macVpc: vpc, ip, subnet: first?.addresses[0]?.subnet });
}

function agentFacts(facts: Facts, { find }: Known, resource: Agent): void {
  const { agent } = facts;
  agent[0] = vpcId(find, resource.vpc ?? '');
  const hasAddress = resource.address !== undefined && address.read(resource.address);
  agent[1] = !hasAddress || address.isIpv4 ? 1 : 0;
  agent[2] = hasAddress && address.isIpv4 ? address.ip4 : 0;
  if (hasAddress && !address.isIpv4) agent.set(address.ip6, 3);
  agent[7] = idOf(find, 'pod_cluster', resource.cluster);
  facts.claimAgent(resource.id);
}

function processFacts(facts: Facts, { find, podOfContainer }: Known, resource: Process): void {
  const { id, agent, pid, container } = resource;
  facts.claim('process', id, [agent, pid]);
  const pod = resource.pod ?? (container === undefined ? undefined : podOfContainer(container));
  const podId = idOf(find, 'pod', pod);
  if (podId !== 0) facts.claim('podOfProcess', podId, [agent, id]);
}
