import { readFileSync } from 'node:fs';
import type { Names } from '../../../src/base/ports.ts';

/** Names as fixtures/golden/platform.json has them. */

type NameMap =
  | 'region_map'
  | 'az_map'
  | 'l3_epc_map'
  | 'subnet_map'
  | 'pod_cluster_map'
  | 'pod_ns_map'
  | 'pod_node_map'
  | 'pod_group_map'
  | 'pod_map'
  | 'gprocess_map'
  | 'vtap_map';

interface NamedId {
  readonly id: number;
  readonly name: string;
}

interface GoldenPlatform {
  readonly platform_data: { readonly interfaces: readonly { pod_group_id: number; pod_group_type: number }[] };
  readonly pod_ips: readonly { readonly pod_group_id: number; readonly pod_group_type: number }[];
  readonly universal_tag_names: Readonly<Record<NameMap, readonly NamedId[]>> & {
    readonly device_map: readonly (NamedId & { readonly type: number })[];
    readonly pod_k8s_label_map: readonly {
      readonly pod_id: number;
      readonly label_name: readonly string[];
      readonly label_value: readonly string[];
    }[];
  };
}

const platform = JSON.parse(
  readFileSync(new URL('../../fixtures/golden/platform.json', import.meta.url), 'utf8'),
) as GoldenPlatform;
const maps = platform.universal_tag_names;

/** Where the names of a kind stand: in a map of their own, or with the devices of a type. */
const kinds: Readonly<Record<string, NameMap | number>> = {
  region: 'region_map',
  az: 'az_map',
  host: 6,
  l3_epc: 'l3_epc_map',
  subnet: 'subnet_map',
  pod_cluster: 'pod_cluster_map',
  pod_ns: 'pod_ns_map',
  pod_node: 'pod_node_map',
  pod_group: 'pod_group_map',
  pod: 'pod_map',
  service: 11,
  gprocess: 'gprocess_map',
  agent: 'vtap_map',
};

const deviceNames = new Map(maps.device_map.map(({ type, id, name }) => [`${type}/${id}`, name]));
const namesByKind = new Map(
  Object.entries(kinds).map(([kind, where]) => [
    kind,
    typeof where === 'number'
      ? new Map(maps.device_map.filter(({ type }) => type === where).map(({ id, name }) => [id, name]))
      : new Map(maps[where].map(({ id, name }) => [id, name])),
  ]),
);
const labels = new Map(
  maps.pod_k8s_label_map.map((pod) => [
    pod.pod_id,
    pod.label_name.map((name, index) => [name, pod.label_value[index]!] as const),
  ]),
);
const groupTypes = new Map(
  [...platform.platform_data.interfaces, ...platform.pod_ips].map((pod) => [pod.pod_group_id, pod.pod_group_type]),
);

/** The names of the golden cases: those of organisation 1, and nothing of others. */
export const goldenNames: Names = {
  version: 1,
  name(org, kind, id) {
    const names = namesByKind.get(kind);
    if (names === undefined) throw new Error(`there are no names of ${kind}`);
    return org === 1 ? (names.get(id) ?? '') : '';
  },
  device: (org, type, id) => (org === 1 ? (deviceNames.get(`${type}/${id}`) ?? '') : ''),
  podGroupType: (org, id) => (org === 1 ? (groupTypes.get(id) ?? 0) : 0),
  podLabels: (org, id) => (org === 1 ? (labels.get(id) ?? []) : []),
};

/** As before anything was loaded. */
export const noNames: Names = {
  version: 0,
  name: () => '',
  device: () => '',
  podGroupType: () => 0,
  podLabels: () => [],
};
