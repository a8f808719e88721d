import type { Batch } from '../../../../src/batch/batch.ts';
import { findDataSource } from '../../../../src/catalog/catalog.ts';
import type { ColumnSpec } from '../../../../src/catalog/types.ts';
import type { Cells } from '../../../../src/exporters/cells.ts';
import type { PodLabelCells, SelectedField, Selector } from '../../../../src/exporters/selection.ts';

export interface StandInField {
  readonly label: string;
  readonly cells: Cells;
  readonly isMetric?: boolean;
  readonly spec?: Partial<ColumnSpec>;
}

const source = findDataSource('flow_metrics.network.1s')!;

/** A selector whose fields and values a test makes up. */
export function standInSelector(
  fields: readonly StandInField[],
  pods: readonly PodLabelCells[] = [],
): Selector & { batch: (rows: number, seconds: ArrayLike<number>) => Batch } {
  const selected: readonly SelectedField[] = fields.map(({ label, isMetric = false, spec = {} }) => ({
    spec: { name: label, type: 'UInt32', role: isMetric ? 'metric' : 'tag', description: label, ...spec },
    jsonKey: label,
    label,
    isMetric,
    isLegacy: false,
  }));
  return {
    source,
    fields: selected,
    categories: new Set(pods.length > 0 ? ['k8s.label'] : []),
    select: (batch) => ({ rows: Uint32Array.from({ length: batch.rows }, (_, row) => row), left: new Map() }),
    cells: () => fields.map(({ cells }) => cells),
    podLabels: () => pods,
    // Only the time of a row is read of the Batch itself.
    batch: (rows, seconds) => ({
      source,
      org: 1,
      rows,
      columns: source.columns.map(({ name }) => ({
        kind: 'fixed',
        width: 4,
        bytes: name === 'time' ? new Uint8Array(Uint32Array.from(seconds).buffer) : new Uint8Array(0),
      })),
      minTime: 0,
      maxTime: 0,
    }),
  };
}

/** Texts as a column has them. */
export function textCells(texts: readonly (string | Uint8Array)[]): Cells & { kind: 'text' } {
  const parts: Uint8Array[] = [];
  const ends: number[] = [];
  let end = 0;
  for (const text of texts) {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    const length: number[] = [];
    for (let rest = bytes.length; ; rest >>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    parts.push(Uint8Array.from(length), bytes);
    ends.push((end += length.length + bytes.length));
  }
  return { kind: 'text', bytes: new Uint8Array(Buffer.concat(parts)), ends: Uint32Array.from(ends) };
}

export function numberCells(values: readonly number[]): Cells {
  return { kind: 'float', values: Float64Array.from(values) };
}
