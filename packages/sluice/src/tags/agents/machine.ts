import type { HostReport } from '../../base/ports.ts';
import { isGlobalUnicast } from '../address-kinds.ts';
import { ParsedAddress } from '../../base/address.ts';
import type { Interface, MachineRef, Resource } from '../description.ts';
import { readAddress, readIpAddress, type HostAddress, type HostInterface } from './ip-address.ts';

/** What a machine is in the inventory. */
export type MachineAs =
  | { readonly kind: 'chost' }
  /** Node of a cluster; `node` is its name there. */
  | { readonly kind: 'pod_node'; readonly cluster: string; readonly node: string };

export interface Machine {
  readonly resources: readonly Resource[];
  /** Addresses and processes beyond the limits. */
  readonly leftOut: number;
}

const MOST_ADDRESSES = 1000;
const MOST_PROCESSES = 20_000;
const MOST_TEXT = 256;

/**
 * What an agent reported of its machine: the machine itself with its interfaces, the subnets that those are in, and the processes that have an id. Interfaces
 * in other network namespaces count as the machine's own, except on nodes of a cluster, where they are those of pods: they tell the pods' MAC addresses.
 */
export function describeMachine(report: HostReport, as: MachineAs): Machine {
  const { agentId, hostname, vpcId, processes } = report;
  const vpc = vpcId > 0 ? String(vpcId) : undefined;
  const { interfaces, podInterfaces, cidrs, leftOut } = interfacesOf(report, as);
  const resources: Resource[] = [];
  const shared = {
    name: as.kind === 'pod_node' ? as.node : hostname,
    ...(vpc === undefined ? {} : { vpc }),
    ...(interfaces.length === 0 ? {} : { interfaces }),
  };
  if (as.kind === 'pod_node') {
    const { cluster, node } = as;
    if (node !== '') {
      const inside = podInterfaces.length === 0 ? {} : { podInterfaces };
      resources.push({ kind: 'pod_node', key: `${cluster}/${node}`, cluster, ...shared, ...inside });
    }
  } else if (hostname !== '') resources.push({ kind: 'chost', key: hostname, ...shared });
  if (vpc !== undefined) {
    for (const cidr of cidrs) resources.push({ kind: 'subnet', key: `${vpc}/${cidr}`, name: cidr, vpc, cidrs: [cidr] });
  }
  const machine = machineIn(resources);
  for (const { pid, gpid, name, processName, containerId, startS } of processes.slice(0, MOST_PROCESSES)) {
    if (gpid === 0 || pid === 0) continue;
    resources.push({
      kind: 'gprocess',
      key: String(gpid),
      id: gpid,
      name: (name || processName).slice(0, MOST_TEXT),
      agent: agentId,
      ...(machine === undefined ? {} : { machine }),
      pid,
      ...(containerId === '' ? {} : { container: containerId }),
      ...(startS === 0 ? {} : { since: startS }),
    });
  }
  return { resources, leftOut: leftOut + Math.max(0, processes.length - MOST_PROCESSES) };
}

/** Which of the resources that a report tells of is the machine. */
export function machineIn(described: readonly Resource[]): MachineRef | undefined {
  for (const { kind, key } of described) if (kind === 'chost' || kind === 'pod_node') return { kind, key };
  return undefined;
}

interface Interfaces {
  readonly interfaces: readonly Interface[];
  readonly podInterfaces: readonly Interface[];
  readonly cidrs: ReadonlySet<string>;
  readonly leftOut: number;
}

function interfacesOf(report: HostReport, as: MachineAs): Interfaces {
  const own = hostText(report);
  const usable = own.filter(({ name }) => !OF_THE_MACHINE_ALONE.test(name));
  const hidden = new Set(
    own
      .filter((one) => !usable.includes(one))
      .flatMap(({ addresses }) => addresses.flatMap((one) => networkOf(one) ?? [])),
  );
  const inside = namespacesOf(report);
  const others = as.kind === 'pod_node' ? [] : inside;
  const interfaces: Interface[] = [];
  const cidrs = new Set<string>();
  const seen = new Set<string>();
  let leftOut = 0;
  for (const { mac, addresses } of [...usable, ...others]) {
    const kept: { ip: string }[] = [];
    for (const one of addresses) {
      if (!isUsable(one) || seen.has(one.ip) || isWithin(one, hidden)) continue;
      if (seen.size >= MOST_ADDRESSES) {
        leftOut++;
        continue;
      }
      seen.add(one.ip);
      kept.push({ ip: one.ip });
      const cidr = networkOf(one);
      if (cidr !== undefined) cidrs.add(cidr);
    }
    if (kept.length > 0) interfaces.push({ ...(mac === 0 ? {} : { mac }), addresses: kept });
  }
  const pods = as.kind === 'pod_node' ? podInterfacesOf(inside) : [];
  return {
    interfaces,
    podInterfaces: pods.slice(0, MOST_ADDRESSES),
    cidrs,
    leftOut: leftOut + Math.max(0, pods.length - MOST_ADDRESSES),
  };
}

function podInterfacesOf(inside: readonly HostInterface[]): Interface[] {
  const found: Interface[] = [];
  for (const { mac, addresses } of inside) {
    const usable = addresses.filter(isUsable).map(({ ip }) => ({ ip }));
    if (mac !== 0 && usable.length > 0) found.push({ mac, addresses: usable });
  }
  return found;
}

/**
 * Interfaces whose addresses are the same on many machines, or those of others: bridges of containers and virtual machines, and where kube-proxy keeps the
 * addresses of all services.
 */
const OF_THE_MACHINE_ALONE =
  /^(?:lo|docker\d*|br-[0-9a-f]{12}|virbr\d+|lxcbr\d+|lxdbr\d+|podman\d+|cni-podman\d+|kube-ipvs\d+|nodelocaldns)$/;

function hostText({ namespaces, addressTexts }: HostReport): HostInterface[] {
  // An agent outside of all namespaces but the machine's own names none.
  const at = Math.max(0, namespaces.indexOf('default'));
  return readIpAddress(addressTexts[at] ?? '');
}

function namespacesOf({ interfaces }: HostReport): HostInterface[] {
  return interfaces.map(({ name, mac, addresses }) => ({
    name,
    mac,
    addresses: addresses.map((text) => readAddress(text)).filter((one) => one !== undefined),
  }));
}

const address = new ParsedAddress();

function isUsable({ ip }: HostAddress): boolean {
  return address.read(ip) && isGlobalUnicast(address.isIpv4, address.ip4, address.ip6, 0);
}

/** The network that an address is in, where that is not it alone. */
function networkOf({ ip, prefixLength }: HostAddress): string | undefined {
  if (!address.read(ip) || prefixLength < 8 || prefixLength >= (address.isIpv4 ? 32 : 128)) return undefined;
  address.mask(prefixLength);
  return `${address.toString()}/${prefixLength}`;
}

/** Whether it is in one of the networks, a few mostly. */
function isWithin({ ip }: HostAddress, networks: ReadonlySet<string>): boolean {
  for (const network of networks) {
    const length = Number(network.slice(network.indexOf('/') + 1));
    if (networkOf({ ip, prefixLength: length }) === network) return true;
  }
  return false;
}
