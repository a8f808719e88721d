import type { AddressKey } from '../../../src/tags/address-key.ts';
import type { Inventory, PortKey } from '../../../src/tags/inventory.ts';
import { ResourceTable, WORDS, word, type Resource } from '../../../src/tags/resource-table.ts';

/** Platform data as fixtures/golden/platform.json has it. */
export interface Platform {
  readonly analyzer_config: { readonly region_id: number };
  readonly platform_data: {
    readonly interfaces: readonly PlatformInterface[];
    readonly cidrs: readonly {
      readonly prefix: string;
      readonly epc_id: number;
      readonly subnet_id: number;
      readonly region_id: number;
      readonly az_id: number;
    }[];
    readonly gprocess_infos: readonly {
      readonly gprocess_id: number;
      readonly vtap_id: number;
      readonly pod_id: number;
      readonly pid: number;
    }[];
  };
  readonly pod_ips: readonly {
    readonly pod_id: number;
    readonly pod_name: string;
    readonly epc_id: number;
    readonly ip: string;
    readonly pod_cluster_id: number;
    readonly pod_node_ip: string;
    readonly pod_ns_id: number;
    readonly pod_group_id: number;
    readonly pod_group_type: number;
  }[];
  readonly services: readonly {
    readonly type: number;
    readonly id: number;
    readonly epc_id?: number;
    readonly ips?: readonly string[];
    readonly protocol?: number;
    readonly server_ports?: readonly number[];
    readonly pod_group_ids?: readonly number[];
    readonly pod_cluster_id?: number;
  }[];
  readonly vtap_ips: readonly {
    readonly vtap_id: number;
    readonly epc_id: number;
    readonly ip: string;
    readonly pod_cluster_id?: number;
  }[];
}

interface PlatformInterface {
  readonly device_type: number;
  readonly device_id: number;
  readonly if_type: number;
  readonly epc_id: number;
  readonly ip_resources: readonly { readonly ip: string; readonly subnet_id: number }[];
  readonly launch_server_id: number;
  readonly region_id: number;
  readonly mac: number;
  readonly pod_node_id: number;
  readonly az_id: number;
  readonly pod_group_id: number;
  readonly pod_ns_id: number;
  readonly pod_id: number;
  readonly pod_cluster_id: number;
  readonly pod_group_type: number;
}

/** The 16 bytes of an IPv6 address, or the 4 of an IPv4 address. */
export function addressBytes(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array.from({ length: zeros }, () => 0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function ip4Of(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function bytesOf(key: AddressKey): Uint8Array {
  if (!key.isIpv4) return new Uint8Array(key.ip6.slice().buffer);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, key.ip4);
  return bytes;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function hasPrefix(address: Uint8Array, prefix: Uint8Array, bits: number): boolean {
  if (address.length !== prefix.length) return false;
  for (let i = 0; i < bits; i++) {
    const mask = 128 >> (i & 7);
    if ((address[i >> 3]! & mask) !== (prefix[i >> 3]! & mask)) return false;
  }
  return true;
}

/** An inventory over platform data: slow and plain, for tests alone. */
export function platformInventory(platform: Platform): Inventory {
  const resources = new ResourceTable();
  const addresses = new Map<string, number>();
  const macs = new Map<string, number>();
  const pods = new Map<number, number>();
  const regions = new Map([[0, platform.analyzer_config.region_id]]);
  const wide = new Map<string, number>();
  const records = new Map<number, Resource>();
  const add = (resource: Resource) => {
    const row = resources.add(resource);
    records.set(row, resource);
    return row;
  };
  for (const one of platform.platform_data.interfaces) {
    regions.set(one.epc_id, one.region_id);
    let row = 0;
    for (const { ip, subnet_id } of one.ip_resources) {
      const bytes = addressBytes(ip);
      row = add({
        region: one.region_id,
        zone: one.az_id,
        host: one.launch_server_id,
        deviceType: one.device_type,
        device: one.device_id,
        subnet: subnet_id,
        podNode: one.pod_node_id,
        podNamespace: one.pod_ns_id,
        podGroup: one.pod_group_id,
        podGroupType: one.pod_group_type,
        pod: one.pod_id,
        podCluster: one.pod_cluster_id,
        vpc: one.epc_id,
        macVpc: one.epc_id,
        isIpv4: bytes.length === 4 ? 1 : 0,
        ...(bytes.length === 4 ? { ip4: ip4Of(bytes) } : { ip6: bytes }),
      });
      addresses.set(`${one.epc_id} ${hex(bytes)}`, row);
      if (one.if_type === 3) wide.set(hex(bytes), one.epc_id);
    }
    if (one.pod_id !== 0) pods.set(one.pod_id, row);
    const mac = `${one.epc_id} ${one.mac}`;
    macs.set(mac, macs.has(mac) ? 0 : row);
  }
  const names = new Map<string, number>();
  for (const pod of platform.pod_ips) {
    if (!pods.has(pod.pod_id)) {
      const node = addresses.get(`${pod.epc_id} ${hex(addressBytes(pod.pod_node_ip))}`)!;
      const own = { pod: pod.pod_id, podNamespace: pod.pod_ns_id, podGroup: pod.pod_group_id };
      pods.set(pod.pod_id, add({ ...records.get(node), ...own, podGroupType: pod.pod_group_type }));
    }
    names.set(`${pod.pod_cluster_id} ${pod.pod_name}`, pods.get(pod.pod_id)!);
  }
  const networks = platform.platform_data.cidrs
    .map(({ prefix, epc_id, subnet_id, region_id, az_id }) => {
      const [address = '', bits = ''] = prefix.split('/');
      const row = add({ subnet: subnet_id, region: region_id, zone: az_id });
      return { vpc: epc_id, prefix: addressBytes(address), bits: Number(bits), row };
    })
    .toSorted((a, b) => b.bits - a.bits);
  const vpcs = new Map([...regions].map(([vpc, region]) => [vpc, add({ region })]));

  const count = platform.vtap_ips.length + 1;
  const agents = {
    vpc: new Int32Array(count),
    isIpv4: new Uint8Array(count),
    ip4: new Uint32Array(count),
    ip6: new Uint32Array(count * 4),
  };
  const agentRows = new Map<number, number>();
  const clusters = new Map<number, number>();
  for (const [index, agent] of platform.vtap_ips.entries()) {
    const row = index + 1;
    const bytes = addressBytes(agent.ip);
    agentRows.set(agent.vtap_id, row);
    clusters.set(agent.vtap_id, agent.pod_cluster_id ?? 0);
    agents.vpc[row] = agent.epc_id;
    agents.isIpv4[row] = bytes.length === 4 ? 1 : 0;
    if (bytes.length === 4) agents.ip4[row] = ip4Of(bytes);
    else new Uint8Array(agents.ip6.buffer).set(bytes, row * 16);
  }
  const processes = new Map(
    platform.platform_data.gprocess_infos.map((one) => [`${one.vtap_id} ${one.pid}`, one.gprocess_id]),
  );
  const processPods = new Map(
    platform.platform_data.gprocess_infos.map((one) => [`${one.vtap_id} ${one.gprocess_id}`, one.pod_id]),
  );

  return {
    isEmpty: false,
    resources,
    agents,
    services: serviceLookup(platform),
    customServices: customServiceLookup(platform),
    versionAt: () => 1,
    address: (key) => addresses.get(`${key.vpc} ${hex(bytesOf(key))}`) ?? 0,
    network: (key) => {
      const bytes = bytesOf(key);
      return networks.find(({ vpc, prefix, bits }) => vpc === key.vpc && hasPrefix(bytes, prefix, bits))?.row ?? 0;
    },
    vpc: (_version, vpc) => vpcs.get(vpc) ?? 0,
    mac: (_version, { vpc, high, low }) => macs.get(`${vpc} ${high * 2 ** 32 + low}`) ?? 0,
    pod: (_version, pod) => pods.get(pod) ?? 0,
    podNamed: (_version, agent, name) => names.get(`${clusters.get(agent)} ${Buffer.from(name).toString()}`) ?? 0,
    agent: (_version, agent) => agentRows.get(agent) ?? 0,
    process: (_version, agent, pid) => processes.get(`${agent} ${pid}`) ?? 0,
    podOfProcess: (_version, agent, gprocess) => processPods.get(`${agent} ${gprocess}`) ?? 0,
    peerVpcs: () => new Int32Array(0),
    wideAreaVpc: (key) => wide.get(hex(bytesOf(key))) ?? 0,
  };
}

/** Numbers of the platform data for protocols, and what they stand for. */
const protocols = new Map([
  [1, 6],
  [2, 17],
]);

/** Every port of a service, and port 0 for all of them. */
function portsOf(service: Platform['services'][number]): string[] {
  const ports = (service.server_ports ?? []).map((port) => `${protocols.get(service.protocol ?? 0) ?? 0} ${port}`);
  return [...ports, '0 0'];
}

const portText = ({ protocol, port }: PortKey) => `${protocol} ${port}`;

function serviceLookup({ services }: Platform): NonNullable<Inventory['services']> {
  const known = new Map<string, number>();
  for (const service of services.filter(({ type }) => type < 7)) {
    for (const port of portsOf(service)) {
      for (const group of service.pod_group_ids ?? []) known.set(`group ${group} ${port}`, service.id);
      if (service.type === 1) known.set(`cluster ${service.pod_cluster_id} ${port}`, service.id);
      for (const ip of service.ips ?? []) known.set(`${service.epc_id} ${hex(addressBytes(ip))} ${port}`, service.id);
    }
  }
  return {
    ofPodGroup: (_version, group, port) => known.get(`group ${group} ${portText(port)}`) ?? 0,
    ofPodCluster: (_version, cluster, port) => known.get(`cluster ${cluster} ${portText(port)}`) ?? 0,
    ofAddress: (key, port) => known.get(`${key.vpc} ${hex(bytesOf(key))} ${portText(port)}`) ?? 0,
  };
}

function customServiceLookup({ services }: Platform): NonNullable<Inventory['customServices']> {
  const known = new Map<string, number>();
  for (const service of services.filter(({ type }) => type === 7)) {
    for (const group of service.pod_group_ids ?? []) known.set(`pod_group ${group}`, service.id);
    const ports = service.server_ports === undefined ? ['0 0'] : portsOf(service).slice(0, -1);
    for (const ip of service.ips ?? []) {
      for (const port of ports) known.set(`${service.epc_id} ${hex(addressBytes(ip))} ${port}`, service.id);
    }
  }
  return {
    of: (_version, kind, id) => known.get(`${kind} ${id}`) ?? 0,
    ofPodCluster: () => 0,
    ofAddress: (key, port) => known.get(`${key.vpc} ${hex(bytesOf(key))} ${portText(port)}`) ?? 0,
  };
}

/** A word of a resource, for assertions. */
export function resourceWord(inventory: Inventory, row: number, name: keyof typeof word): number {
  return inventory.resources.words[row * WORDS + word[name]]!;
}
