import type { Names } from '../base/ports.ts';
import { WORKLOAD_TYPES, workloadTypeOfKey, type ResourceKind } from './description.ts';
import { kindFacts, RESOURCE_KINDS } from './kinds.ts';
import type { OrgInventory } from './org-inventory.ts';

/** Kinds as fields of rows call them, where that is not what they are called here. */
const FIELD_KINDS: ReadonlyMap<string, ResourceKind> = new Map<string, ResourceKind>([
  ...RESOURCE_KINDS.map((kind) => [kind, kind] as const),
  ['l3_epc', 'vpc'],
  ['service', 'pod_service'],
]);

/** Kinds by the number that l3_device_type and auto_*_type have for them. */
const DEVICE_KINDS: ReadonlyMap<number, ResourceKind> = new Map<number, ResourceKind>([
  ...RESOURCE_KINDS.flatMap((kind) => {
    const { device } = kindFacts(kind);
    return device === undefined ? [] : [[device, kind] as const];
  }),
  ...[101, ...Object.values(WORKLOAD_TYPES)].map((type) => [type, 'pod_group'] as const),
  [102, 'pod_service'],
]);

export function kindOfDevice(type: number): ResourceKind | undefined {
  return DEVICE_KINDS.get(type);
}

/** Names from the inventory. What is gone keeps its name as long as its number (ids.ts). */
export class TagNames implements Names {
  /** Grows with every change of any organisation. */
  version = 0;
  readonly #find: (org: number) => OrgInventory | undefined;

  constructor(find: (org: number) => OrgInventory | undefined) {
    this.#find = find;
  }

  name(org: number, kind: string, id: number): string {
    const known = FIELD_KINDS.get(kind);
    return known === undefined || id === 0 ? '' : (this.#find(org)?.ids.nameOf(known, id) ?? '');
  }

  device(org: number, type: number, id: number): string {
    const kind = DEVICE_KINDS.get(type);
    return kind === undefined || id === 0 ? '' : (this.#find(org)?.ids.nameOf(kind, id) ?? '');
  }

  podGroupType(org: number, podGroupId: number): number {
    const inventory = this.#find(org);
    const key = inventory?.ids.keyOf('pod_group', podGroupId);
    if (inventory === undefined || key === undefined) return 0;
    const resource = inventory.builder.find('pod_group', key)?.resource;
    // Of what is gone the key tells it.
    return resource?.kind === 'pod_group' ? WORKLOAD_TYPES[resource.type] : workloadTypeOfKey(key);
  }

  podLabels(org: number, podId: number): readonly (readonly [name: string, value: string])[] {
    return this.#find(org)?.builder.labelsOf(podId) ?? [];
  }
}
