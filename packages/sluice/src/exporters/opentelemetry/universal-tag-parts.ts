import type { AttributeKey } from './attribute-bytes.ts';
import type { BlockPart } from './attribute-blocks.ts';
import { resourceKey } from './attribute-names.ts';
import { putName, type Part } from './attribute-parts.ts';
import type { Chosen } from './chosen.ts';
import type { LogColumns } from './log-columns.ts';
import { namedPart } from './named-part.ts';

/** Universal tags of one end of a row as attributes of its Resource. */

const SIDES = ['_0', '_1'] as const;
type Side = (typeof SIDES)[number];

/** Universal tags in the order of DeepFlow: what an attribute is called, and the column that holds its id. */
const nameTags = [
  ['region', 'region_id'],
  ['az', 'az_id'],
  ['host', 'host_id'],
  ['vpc', 'l3_epc_id'],
  ['subnet', 'subnet_id'],
  ['pod_cluster', 'pod_cluster_id'],
  ['pod_ns', 'pod_ns_id'],
  ['pod_node', 'pod_node_id'],
  ['pod_group', 'pod_group_id'],
  ['pod', 'pod_id'],
  ['service', 'service_id'],
] as const;
const autoTags = [
  ['auto_instance_type', 'auto_instance_type'],
  ['auto_instance', 'auto_instance_id'],
  ['auto_service_type', 'auto_service_type'],
  ['auto_service', 'auto_service_id'],
] as const;
/** Devices that have an attribute of their own, by their kind's number. */
const deviceTags: readonly (readonly [kind: number, name: string])[] = [
  [1, 'chost'],
  [5, 'router'],
  [9, 'dhcpgw'],
  [11, 'pod_service'],
  [12, 'redis'],
  [13, 'rds'],
  [15, 'lb'],
  [16, 'natgw'],
];

const keyOf = (name: string, side: Side) => resourceKey(`df.universal_tag.${name}${side}`);
const tagKeys = new Map<string, AttributeKey>(
  SIDES.flatMap((side) => [...nameTags, ...autoTags].map(([name]) => [`${name}${side}`, keyOf(name, side)] as const)),
);
const deviceKeys = new Map<Side, readonly (AttributeKey | undefined)[]>(
  SIDES.map((side) => {
    const keys: (AttributeKey | undefined)[] = Array.from({ length: 17 });
    for (const [kind, name] of deviceTags) keys[kind] = keyOf(name, side);
    return [side, keys];
  }),
);

/** The tags of one end. */
export function universalTags(columns: LogColumns, { has }: Chosen, side: Side): readonly BlockPart[] {
  const ofNames = (tags: readonly (readonly [name: string, column: string])[]): readonly BlockPart[] =>
    tags
      .filter(([, column]) => has('universal_tag', `${column}${side}`))
      .map(([tag, column]) => namedPart(tagKeys.get(`${tag}${side}`)!, columns.named(`${column}${side}`)));
  const [type, id] = [`l3_device_type${side}`, `l3_device_id${side}`];
  const device: readonly BlockPart[] = has('universal_tag', type, id)
    ? [{ put: devicePart(columns, side), by: { names: [columns.named(id)], bytes: [columns.bytes(type)] } }]
    : [];
  return [...ofNames(nameTags), ...device, ...ofNames(autoTags)];
}

/** Name of the resource that owns the address, under its kind. */
function devicePart(columns: LogColumns, side: Side): Part {
  const types = columns.bytes(`l3_device_type${side}`);
  const names = columns.named(`l3_device_id${side}`);
  const keys = deviceKeys.get(side)!;
  return (writer, row) => {
    const key = keys[types[row]!];
    if (key !== undefined) putName(writer, key, names, row);
  };
}
