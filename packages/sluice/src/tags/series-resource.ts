import { AddressKey } from './address-key.ts';
import { ParsedAddress } from '../base/address.ts';
import { DEFAULT_VPC } from './description.ts';
import { hostOf } from './host-of.ts';
import type { OrgInventory } from './org-inventory.ts';
import { vpcId } from './placement.ts';
import type { FoundTarget, TargetTable } from './prometheus-targets/target-table.ts';

/** What else is known of a series. */
export interface SeriesOrigin {
  /** Agent that sent it: its cluster and VPC count. 0 = none. */
  readonly agent: number;
  readonly version: number;
  /** Targets of Prometheus servers. */
  readonly targets?: TargetTable;
}

export interface SeriesResource {
  /** Row of `resources`, 0 = none. */
  readonly row: number;
  /** How it was found; '' = not at all. */
  readonly by: '' | 'pod' | 'instance' | 'host name' | 'target' | 'network' | 'VPC';
  /** Address that the series is about, where the resource itself does not say it. */
  readonly address?: ParsedAddress;
  /** VPC of that address. */
  readonly vpc: number;
  /** Its target, where that was asked for. */
  readonly target?: FoundTarget;
}

interface PodLabel {
  readonly name: string;
  /** Labels that may name its namespace, in the order in which they count. */
  readonly namespaces: readonly string[];
}

/** Labels that name a pod, in the order in which they count. */
const POD_LABELS: readonly PodLabel[] = [
  { name: 'pod', namespaces: ['namespace', 'kubernetes_namespace'] },
  { name: 'kubernetes_pod_name', namespaces: ['kubernetes_namespace', 'namespace'] },
  { name: 'pod_name', namespaces: ['namespace', 'kubernetes_namespace'] },
  { name: 'exported_pod', namespaces: ['exported_namespace', 'namespace', 'kubernetes_namespace'] },
];

/** Labels by which a series is tagged, beside those that decide between targets. */
export const TAGGING_LABELS: readonly string[] = [
  ...new Set(POD_LABELS.flatMap(({ name, namespaces }) => [name, ...namespaces])),
  'instance',
  'job',
];

/**
 * The resource behind a Prometheus series: the pod that its labels name, else the owner of the address in its `instance` or the machine or node of that
 * name, else what is behind its target; else only the network or VPC that is known of the address. A pod is looked for in the cluster of the agent
 * that sent the series, else in all; where several fit it is none of them.
 */
export function resourceOfSeries(
  org: OrgInventory,
  labels: ReadonlyMap<string, string>,
  origin: SeriesOrigin,
): SeriesResource {
  const { live } = org;
  const { version, targets } = origin;
  const agentRow = origin.agent === 0 ? 0 : live.agent(version, origin.agent);
  const cluster = agentRow === 0 ? 0 : live.agents.cluster[agentRow]!;
  const agentVpc = agentRow === 0 ? 0 : live.agents.vpc[agentRow]!;
  for (const label of POD_LABELS) {
    const name = labels.get(label.name);
    if (name === undefined || name === '') continue;
    const row = podRow(org, { name, namespace: namespaceOf(label, labels), cluster, version });
    if (row !== 0) return { row, by: 'pod', vpc: 0 };
  }
  const host = hostOfInstance(labels.get('instance') ?? '');
  const vpc = agentRow === 0 ? vpcId(org.builder.lookup, DEFAULT_VPC) : agentVpc;
  const found = host === '' ? undefined : hostRow(org, { host, vpc, version, cluster });
  if (found !== undefined) return found;
  const target = targets?.find(labels);
  const told = target === undefined ? {} : { target };
  const behind = target === undefined ? undefined : targetRow(org, target, { cluster, version });
  if (behind !== undefined) return { ...behind, ...told };
  const address = addressOf(host);
  const around =
    address !== undefined
      ? networkRow(org, { address, vpc, version })
      : target === undefined
        ? undefined
        : networkRow(org, { address: addressOf(target.target.host), vpc: target.vpc, version });
  if (around !== undefined) return { ...around, ...told };
  const row = agentRow === 0 ? 0 : live.vpc(version, agentVpc);
  return { row, by: row === 0 ? '' : 'VPC', vpc: agentVpc, ...told };
}

/**
 * The namespace of the pod that a label names. A server renames what a program says only where its target says something, too (`exported_namespace`): without
 * an `exported_pod` beside it, the program has said `pod` itself, and its namespace is the renamed one.
 */
function namespaceOf({ name, namespaces }: PodLabel, labels: ReadonlyMap<string, string>): string | undefined {
  const isSaidByProgram = name === 'pod' && !labels.get('exported_pod');
  const order = isSaidByProgram ? ['exported_namespace', ...namespaces] : namespaces;
  return order.map((one) => labels.get(one)).find((value) => value !== undefined && value !== '');
}

interface PodQuestion {
  readonly name: string;
  readonly namespace: string | undefined;
  /** 0 = any. */
  readonly cluster: number;
  readonly version: number;
}

function podRow({ live, builder }: OrgInventory, { name, namespace, cluster, version }: PodQuestion): number {
  const bytes = Buffer.from(name);
  let found = 0;
  for (const [key, { id }] of builder.all('pod_cluster')) {
    if (cluster !== 0 && id !== cluster) continue;
    // Nobody knows the namespace: no pod can be in it.
    const within = namespace === undefined ? 0 : (builder.find('pod_ns', `${key}/${namespace}`)?.id ?? -1);
    const row = within < 0 ? 0 : live.podIn(version, id, bytes, within);
    if (row !== 0 && found !== 0) return 0;
    found ||= row;
  }
  return found;
}

interface HostQuestion {
  readonly host: string;
  readonly vpc: number;
  readonly version: number;
  readonly cluster: number;
}

const NAMED_KINDS = ['host', 'chost', 'rds', 'redis', 'lb', 'natgw', 'router'] as const;

/** The owner of an address, or the machine or node of that name. */
function hostRow(org: OrgInventory, question: HostQuestion): SeriesResource | undefined {
  const { host, vpc, version, cluster } = question;
  const address = addressOf(host);
  if (address !== undefined) {
    const row = org.live.address(AddressKey.of(address, vpc, version));
    return row === 0 ? undefined : { row, by: 'instance', address, vpc };
  }
  const { builder } = org;
  const named = NAMED_KINDS.map((kind) => builder.find(kind, host)).find((one) => one !== undefined);
  const nodes = builder.nodesNamed(host).map((one) => builder.find('pod_node', one));
  const own = nodes.filter(
    (one) =>
      one?.resource.kind === 'pod_node' && (cluster === 0 || clusterOf(builder, one.resource.cluster) === cluster),
  );
  const held = named ?? (own.length === 1 ? own[0] : undefined);
  const row = held?.rows[0] ?? 0;
  return row === 0 ? undefined : { row, by: 'host name', vpc: 0 };
}

interface Place {
  readonly cluster: number;
  readonly version: number;
}

/** What is behind a target: the pod that the server discovered, else the owner of its address, else the node. */
function targetRow(
  org: OrgInventory,
  { target, vpc }: FoundTarget,
  { cluster, version }: Place,
): SeriesResource | undefined {
  const { builder, live } = org;
  const { pod, namespace, podUid, podIp, host, node } = target;
  if (podUid !== '') {
    for (const [key, { id }] of builder.all('pod_cluster')) {
      if (cluster !== 0 && id !== cluster) continue;
      const held = builder.find('pod', `${key}/${podUid}`);
      const row = held === undefined ? 0 : live.pod(version, held.id);
      if (row !== 0) return { row, by: 'target', vpc: 0 };
    }
  }
  if (pod !== '' && namespace !== '') {
    const row = podRow(org, { name: pod, namespace, cluster, version });
    if (row !== 0) return { row, by: 'target', vpc: 0 };
  }
  for (const name of [podIp, host, node]) {
    const found = name === '' ? undefined : hostRow(org, { host: name, vpc, version, cluster });
    if (found !== undefined) return { ...found, by: 'target' };
  }
  return undefined;
}

/** What is known of an address that nobody owns. */
function networkRow(
  { live }: OrgInventory,
  {
    address,
    vpc,
    version,
  }: { readonly address: ParsedAddress | undefined; readonly vpc: number; readonly version: number },
): SeriesResource | undefined {
  if (address === undefined) return undefined;
  const row = live.network(AddressKey.of(address, vpc, version));
  return row === 0 ? { row: live.vpc(version, vpc), by: 'VPC', address, vpc } : { row, by: 'network', address, vpc };
}

/** An address that means the same on other machines. */
function addressOf(host: string): ParsedAddress | undefined {
  const address = new ParsedAddress();
  if (host === '' || !address.read(host)) return undefined;
  const isLoopback = address.isIpv4 ? address.ip4 >>> 24 === 127 || address.ip4 === 0 : isLoopback6(address.ip6);
  return isLoopback ? undefined : address;
}

/** `::` and `::1`; words are in the order of the bytes. */
function isLoopback6(ip6: Uint32Array): boolean {
  return ip6[0] === 0 && ip6[1] === 0 && ip6[2] === 0 && (ip6[3] === 0 || ip6[3] === 0x0100_0000);
}

function clusterOf(builder: OrgInventory['builder'], key: string): number {
  return builder.find('pod_cluster', key)?.id ?? 0;
}

/** An instance may be a URL, such as `http://node-1/`. */
function hostOfInstance(instance: string): string {
  return hostOf(instance.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, ''));
}
