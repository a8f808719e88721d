import { seriesTags } from '../catalog/prometheus.ts';
import { parseColumnType } from '../batch/column-type.ts';
import { bug } from '../base/errors.ts';
import { emptyInventory } from './empty-inventory.ts';
import type { EndColumns } from './end-columns.ts';
import { Lookup } from './lookup.ts';
import type { OrgInventory } from './org-inventory.ts';
import type { TargetTable } from './prometheus-targets/target-table.ts';
import { resourceOfSeries, type SeriesResource } from './series-resource.ts';
import {
  oneRowEnd,
  writeAddress,
  writeResourceAddress,
  writeSingleEnds,
  type FoundLookup,
  type SingleEnd,
} from './single-ends.ts';

/** Words of a tag row (base/ports.ts SeriesTagger). */
export const TAG_WORDS = seriesTags.reduce((sum, { type }) => sum + wordsOf(type), 0);

function wordsOf(type: string): number {
  const parsed = parseColumnType(type);
  return parsed.kind === 'fixed' ? Math.max(1, parsed.width / 4) : bug('tags are of a fixed width');
}

export interface SeriesQuestion {
  /** TAGGING_LABELS of the series, and those in `targets.names`. */
  readonly labels: ReadonlyMap<string, string>;
  /** 0 = none. */
  readonly agent: number;
  /** Epoch seconds. */
  readonly atS: number;
}

/** The rules for tables of one end, applied to a single series. */
export class SeriesTagRules {
  readonly #org: OrgInventory;
  #lookup = new Lookup(emptyInventory);
  readonly #end = oneRowEnd();
  /** Values of a tag row, in its order. */
  readonly #values: readonly (Int32Array | Uint32Array | Uint16Array | Uint8Array)[];

  constructor(org: OrgInventory) {
    this.#org = org;
    const byColumn = valuesByColumn(this.#end);
    this.#values = seriesTags.map(({ name }) => byColumn.get(name) ?? bug(`nobody knows the tag ${name}`));
  }

  /** Writes the tag row of a series into `row`. */
  write({ labels, agent, atS }: SeriesQuestion, targets: TargetTable, row: Uint32Array): void {
    const { inventory } = this.#org;
    if (this.#lookup.inventory !== inventory) this.#lookup = new Lookup(inventory);
    const lookup = this.#lookup;
    const end = this.#end;
    for (const values of this.#values) values.fill(0);
    const version = inventory.isEmpty ? 0 : inventory.versionAt(atS);
    lookup.versions[0] = version;
    end.agent[0] = agent;
    end.isIpv4[0] = 1;
    lookup.resources[0][0] = 0;
    if (!inventory.isEmpty) {
      const found = resourceOfSeries(this.#org, labels, { agent, version, targets });
      lookup.resources[0][0] = found.row;
      writeSeriesAddress(lookup, end, found);
    }
    writeSingleEnds(lookup, 1, end);
    let at = 0;
    for (const values of this.#values) for (const value of values) row[at++] = value;
  }
}

/** Writes VPC and address that a series is about into an end of one row. */
export function writeSeriesAddress(
  lookup: FoundLookup,
  end: SingleEnd,
  { row, by, address, vpc }: SeriesResource,
): void {
  end.columns.vpc[0] = vpc;
  if (address !== undefined) writeAddress(end, address);
  else if (row !== 0 && by !== 'VPC') writeResourceAddress(lookup, end, 0, row);
}

function valuesByColumn({ columns, agent, isIpv4 }: SingleEnd) {
  return new Map<string, Int32Array | Uint32Array | Uint16Array | Uint8Array>([
    ...Object.entries(COLUMN_NAMES).map(([name, column]) => [name, columns[column]] as const),
    ['agent_id', agent],
    ['is_ipv4', isIpv4],
  ]);
}

const COLUMN_NAMES = {
  l3_epc_id: 'vpc',
  ip4: 'ip4',
  ip6: 'ip6',
  gprocess_id: 'gprocess',
  region_id: 'region',
  az_id: 'zone',
  host_id: 'host',
  l3_device_type: 'deviceType',
  l3_device_id: 'device',
  subnet_id: 'subnet',
  pod_node_id: 'podNode',
  pod_ns_id: 'podNamespace',
  pod_group_id: 'podGroup',
  pod_id: 'pod',
  pod_cluster_id: 'podCluster',
  service_id: 'service',
  auto_instance_id: 'autoInstance',
  auto_instance_type: 'autoInstanceType',
  auto_service_id: 'autoService',
  auto_service_type: 'autoServiceType',
} as const satisfies Record<string, keyof EndColumns>;
