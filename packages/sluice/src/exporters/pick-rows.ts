import type { Batch } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import type { DataSource } from '../catalog/types.ts';
import type { CellSource } from './cells-of.ts';
import { columnIndex } from './columns.ts';
import { compileFilters } from './filters.ts';
import { findOlder } from './row-age.ts';
import type { SelectionConfig } from './config-filters.ts';
import type { Endpoint, HubProcess } from './self-traffic.ts';
import { SelfTraffic } from './self-traffic.ts';

/** Why rows are left out; a row counts under the first that applies. */
const REASONS = ['too_old', 'imported', 'self_traffic', 'filter'] as const;
type Reason = (typeof REASONS)[number];

export interface PickedRows {
  readonly rows: Uint32Array;
  readonly left: ReadonlyMap<string, number>;
}

export type PickRows = (from: CellSource, nowMs: number) => PickedRows;

export interface PickOptions {
  readonly config: SelectionConfig;
  readonly source: DataSource;
  readonly endpoints: () => readonly Endpoint[];
  readonly hub: HubProcess | undefined;
}

/** Number of `signal_source` of spans that did not come from an agent's own capture. */
const OTEL = 4;

const NOTHING_LEFT: ReadonlyMap<string, number> = new Map();

/** Which rows are exported. */
export function compilePick({ config, source, endpoints, hub }: PickOptions): PickRows {
  const filter = compileFilters(source, config.filterGroups);
  const self = config.excludeSelfTraffic ? new SelfTraffic(source, endpoints, hub) : undefined;
  const importedColumn =
    config.includeImportedSpans || source.id !== 'flow_log.l7_flow_log' ? -1 : columnIndex(source, 'signal_source');
  const { maxAgeMs } = config;
  return (from, nowMs) => {
    const { batch } = from;
    /** Of each row: 0 = it is exported, else the number of its reason, counted from 1. */
    const why = new Uint8Array(batch.rows);
    const counts = new Uint32Array(REASONS.length);
    const markAs = (reason: Reason) => {
      const number = REASONS.indexOf(reason) + 1;
      return (row: number): void => {
        if (why[row] !== 0) return;
        why[row] = number;
        counts[number - 1]!++;
      };
    };
    if (maxAgeMs !== undefined) findOlder(batch, nowMs - maxAgeMs, markAs('too_old'));
    if (importedColumn >= 0) findImported(batch, importedColumn, markAs('imported'));
    self?.find(batch, markAs('self_traffic'));
    if (filter !== undefined) findRefused(filter(from), markAs('filter'));
    return picked(why, counts);
  };
}

function findImported(batch: Batch, column: number, mark: (row: number) => void): void {
  const sources = valuesOf(batch.columns[column]!, Uint16Array);
  for (let row = 0; row < sources.length; row++) if (sources[row] === OTEL) mark(row);
}

function findRefused(passes: Uint8Array, mark: (row: number) => void): void {
  for (let row = 0; row < passes.length; row++) if (passes[row] === 0) mark(row);
}

function picked(why: Uint8Array, counts: Uint32Array): PickedRows {
  const sum = counts.reduce((total, count) => total + count, 0);
  const rows = new Uint32Array(why.length - sum);
  let at = 0;
  for (let row = 0; row < why.length; row++) if (why[row] === 0) rows[at++] = row;
  if (sum === 0) return { rows, left: NOTHING_LEFT };
  const left = new Map<string, number>();
  for (const [index, reason] of REASONS.entries()) if (counts[index]! > 0) left.set(reason, counts[index]!);
  return { rows, left };
}
