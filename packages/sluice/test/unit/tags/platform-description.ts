import {
  WORKLOAD_TYPES,
  type Device,
  type Interface,
  type Resource,
  type WorkloadType,
} from '../../../src/tags/description.ts';

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
    readonly pod_cluster_id: number;
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
  readonly universal_tag_names: Readonly<Record<string, readonly PlatformName[]>> & {
    readonly pod_k8s_label_map: readonly {
      readonly pod_id: number;
      readonly label_name: readonly string[];
      readonly label_value: readonly string[];
    }[];
  };
}

interface PlatformName {
  readonly id: number;
  readonly type?: number;
  readonly name: string;
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

const DEVICES: ReadonlyMap<number, Device['kind']> = new Map([
  [1, 'chost'],
  [5, 'router'],
  [9, 'dhcpgw'],
  [12, 'redis'],
  [13, 'rds'],
  [15, 'lb'],
  [16, 'natgw'],
]);
const workloads = new Map(Object.entries(WORKLOAD_TYPES).map(([name, type]) => [type as number, name as WorkloadType]));

/** Keys are the platform's own ids, which the inventory is told to keep. */
const ref = <Name extends string>(name: Name, id: number | undefined) =>
  (id === undefined || id === 0 ? {} : { [name]: String(id) }) as { readonly [K in Name]?: string };
const isVpc = (id: number) => (id === 0 ? {} : { vpc: String(id) });

/** Platform data as a source would tell it. */
export function describePlatform(platform: Platform): Resource[] {
  const { interfaces, cidrs, gprocess_infos: processes } = platform.platform_data;
  const maps = platform.universal_tag_names;
  const all = new Map<string, Resource>();
  const add = (resource: Resource) => all.set(`${resource.kind} ${resource.key}`, resource);
  const named = (map: string, take: (one: { id: number; key: string; name: string }) => void) => {
    for (const { id, name } of maps[map] ?? []) take({ id, key: String(id), name });
  };
  const deviceName = (type: number, id: number) =>
    (maps['device_map'] ?? []).find((one) => one.type === type && one.id === id)?.name ?? '';

  named('region_map', (one) => add({ kind: 'region', ...one, isOwn: one.id === platform.analyzer_config.region_id }));
  named('az_map', (one) => add({ kind: 'az', ...one }));
  named('l3_epc_map', (one) => {
    const first = interfaces.find(({ epc_id: vpc }) => vpc === one.id);
    add({ kind: 'vpc', ...one, ...ref('region', first?.region_id) });
  });
  const subnets = new Map((maps['subnet_map'] ?? []).map(({ id, name }) => [id, name]));
  for (const { ip_resources: addresses } of interfaces) {
    for (const { subnet_id: id } of addresses) if (!subnets.has(id)) subnets.set(id, '');
  }
  for (const [id, name] of subnets) {
    const own = cidrs.filter(({ subnet_id: subnet }) => subnet === id);
    const [first] = own;
    add({
      kind: 'subnet',
      id,
      key: String(id),
      name,
      cidrs: own.map(({ prefix }) => prefix),
      ...isVpc(first?.epc_id ?? 0),
      ...ref('region', first?.region_id),
      ...ref('az', first?.az_id),
    });
  }
  for (const { id, name } of (maps['device_map'] ?? []).filter(({ type }) => type === 6)) {
    add({ kind: 'host', id, key: String(id), name });
  }
  named('pod_cluster_map', (one) => add({ kind: 'pod_cluster', ...one }));
  const namespaces = new Map((maps['pod_ns_map'] ?? []).map(({ id, name }) => [id, `5/${name}`]));
  const inNamespace = (id: number) => (id === 0 ? {} : { namespace: namespaces.get(id)! });
  named('pod_ns_map', (one) => add({ kind: 'pod_ns', ...one, key: namespaces.get(one.id)!, cluster: '5' }));
  const groupTypes = new Map(
    [...interfaces, ...platform.pod_ips].map((one) => [one.pod_group_id, one.pod_group_type] as const),
  );
  named('pod_group_map', (one) =>
    add({ kind: 'pod_group', ...one, cluster: '5', type: workloads.get(groupTypes.get(one.id)!)! }),
  );
  const labels = new Map(
    maps.pod_k8s_label_map.map((one) => [
      one.pod_id,
      one.label_name.map((name, i) => [name, one.label_value[i]!] as const),
    ]),
  );
  const podNames = new Map((maps['pod_map'] ?? []).map(({ id, name }) => [id, name]));
  for (const pod of platform.pod_ips) {
    add({
      kind: 'pod',
      id: pod.pod_id,
      key: String(pod.pod_id),
      name: pod.pod_name,
      cluster: String(pod.pod_cluster_id),
      ...inNamespace(pod.pod_ns_id),
      group: String(pod.pod_group_id),
      // The only node there is.
      node: '41',
      labels: labels.get(pod.pod_id) ?? [],
    });
  }
  for (const one of interfaces) {
    const own: Interface = {
      mac: one.mac,
      isWan: one.if_type === 3,
      addresses: one.ip_resources.map(({ ip, subnet_id: subnet }) => ({ ip, ...ref('subnet', subnet) })),
    };
    const { device_id: id, device_type: type } = one;
    const addressed = { id, key: String(id), ...isVpc(one.epc_id), interfaces: [own] };
    const placed = { ...addressed, ...ref('region', one.region_id), ...ref('az', one.az_id) };
    const device = DEVICES.get(type);
    const inCluster = { cluster: String(one.pod_cluster_id), ...inNamespace(one.pod_ns_id) };
    if (device !== undefined) {
      add({ kind: device, ...placed, name: deviceName(type, id), ...ref('host', one.launch_server_id) });
    } else if (type === 6) add({ kind: 'host', ...placed, name: deviceName(6, id) });
    else if (type === 14) {
      const host = ref('host', one.launch_server_id);
      add({ kind: 'pod_node', ...placed, name: deviceName(14, id), cluster: inCluster.cluster, ...host });
    } else if (type === 10) {
      const place = { ...inCluster, ...ref('group', one.pod_group_id), ...ref('node', one.pod_node_id) };
      add({ kind: 'pod', ...addressed, name: podNames.get(id) ?? '', ...place, labels: labels.get(id) ?? [] });
    } else if (type === 11) {
      const ports = platform.services
        .filter((service) => service.id === id && service.type === 3)
        .flatMap((service) => service.server_ports ?? [])
        .map((port) => ({ protocol: 'tcp' as const, port }));
      const groups = platform.services.filter((service) => service.id === id && service.type === 2);
      const podGroups = groups.flatMap((service) => service.pod_group_ids ?? []).map(String);
      add({ kind: 'pod_service', ...placed, name: deviceName(11, id), ...inCluster, ports, podGroups });
    }
  }
  for (const service of platform.services.filter(({ type }) => type === 1)) {
    const ports = (service.server_ports ?? []).map((port) => ({ protocol: 'tcp' as const, port, nodePort: port }));
    const cluster = String(service.pod_cluster_id);
    const { id } = service;
    add({ kind: 'pod_service', id, key: String(id), name: deviceName(11, id), cluster, ports });
  }
  for (const service of platform.services.filter(({ type }) => type === 7)) {
    const ports = (service.server_ports ?? []).map((port) => ({ protocol: 'tcp' as const, port }));
    add({
      kind: 'custom_service',
      id: service.id,
      key: String(service.id),
      name: deviceName(104, service.id),
      members: [
        ...(service.ips ?? []).map((ip) => ({ kind: 'address' as const, ip, ...isVpc(service.epc_id ?? 0), ports })),
        ...(service.pod_group_ids ?? []).map((id) => ({ kind: 'pod_group' as const, key: String(id) })),
      ],
    });
  }
  for (const one of platform.vtap_ips) {
    add({
      kind: 'agent',
      id: one.vtap_id,
      key: String(one.vtap_id),
      name: (maps['vtap_map'] ?? []).find(({ id }) => id === one.vtap_id)?.name ?? '',
      address: one.ip,
      ...isVpc(one.epc_id),
      ...ref('cluster', one.pod_cluster_id),
    });
  }
  for (const one of processes) {
    const id = one.gprocess_id;
    const name = deviceName(120, id);
    add({ kind: 'gprocess', id, key: String(id), name, agent: one.vtap_id, pid: one.pid, ...ref('pod', one.pod_id) });
  }
  return [...all.values()];
}
