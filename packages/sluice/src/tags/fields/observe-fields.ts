import { isSluiceError } from '../../base/errors.ts';
import type { Append } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { fieldColumns } from './field-columns.ts';
import { FieldRows } from './field-rows.ts';
import { FieldWatch } from './field-watch.ts';

export interface ObserveFieldsOptions {
  readonly append: Append<Batch>;
  readonly metrics: Metrics;
  /** For tests: less than usual. */
  readonly watch?: FieldWatch;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const HOUR_MS = 3_600_000;
/** Rows that wait for the next append when the journal has refused them. */
const MOST_WAITING = 65_536;

/**
 * An Append that notes which custom fields its rows have: rows of flow_tag.observed_field go into the journal together with the first rows that have
 * them, so that they last as long. Each hour everything is noted anew.
 */
export function observeFields(options: ObserveFieldsOptions): Append<Batch> {
  const { append, metrics, watch = new FieldWatch(), now = Date.now } = options;
  const open = new Map<number, FieldRows>();
  const free: FieldRows[] = [];
  let waiting: Noted[] = [];
  let hour = Math.floor(now() / HOUR_MS);

  function look(batches: readonly Batch[]): void {
    const current = Math.floor(now() / HOUR_MS);
    if (current !== hour) watch.forget();
    hour = current;
    for (const batch of batches) {
      const columns = fieldColumns.get(batch.source);
      if (columns === undefined || batch.rows === 0) continue;
      let rows = open.get(batch.org);
      if (rows === undefined) open.set(batch.org, (rows = free.pop() ?? new FieldRows()));
      watch.look(batch, columns, rows);
    }
    const { leftOut } = watch;
    for (const reason of ['values', 'long', 'room'] as const) {
      if (leftOut[reason] > 0) metrics.tagFieldsLeftOut.inc({ reason }, leftOut[reason]);
      leftOut[reason] = 0;
    }
  }

  /** What is new, and what waits. */
  function take(): Noted[] {
    const noted = waiting;
    waiting = [];
    for (const [org, rows] of open) {
      if (rows.count === 0) continue;
      noted.push({ rows, batch: rows.finish(org) });
      open.delete(org);
    }
    return noted;
  }

  function done(noted: readonly Noted[]): void {
    for (const { rows, batch } of noted) {
      metrics.tagFieldsNoted.inc(batch.rows);
      rows.reset();
      free.push(rows);
    }
  }

  function keep(noted: readonly Noted[]): void {
    const rows = rowsIn(noted);
    if (rowsIn(waiting) + rows <= MOST_WAITING) waiting.push(...noted);
    else metrics.tagFieldsLeftOut.inc({ reason: 'journal' }, rows);
  }

  return async (batches, appendOptions) => {
    look(batches);
    const noted = take();
    if (noted.length === 0) return append(batches, appendOptions);
    try {
      await append([...batches, ...noted.map(({ batch }) => batch)], appendOptions);
      done(noted);
    } catch (error) {
      keep(noted);
      // There may be room for the rows themselves.
      if (!isSluiceError(error) || (error.code !== 'too_large' && error.code !== 'journal_full')) throw error;
      await append(batches, appendOptions);
    }
  };
}

interface Noted {
  readonly rows: FieldRows;
  readonly batch: Batch;
}

function rowsIn(noted: readonly Noted[]): number {
  return noted.reduce((sum, { batch }) => sum + batch.rows, 0);
}
