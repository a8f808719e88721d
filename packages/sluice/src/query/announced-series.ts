import { errorText } from '../base/errors.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { ActiveSeries } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { labelSetReader } from './label-set.ts';

/** The journal's reader of `prometheus.series`; its cursor moves behind what the dictionary has. */
export interface AnnouncementReader<Partition> {
  next(
    signal: AbortSignal,
  ): Promise<{ readonly partition: Partition; readonly firstRow: number; readonly batch: Batch } | undefined>;
  confirm(partition: Partition, row: number): void;
  lag(): { readonly rows: number };
  close(): Promise<void>;
}

/** The active series of an organisation, as far as it is needed here. */
export interface AnnouncedStore {
  readonly series: Pick<ActiveSeries, 'begin' | 'add' | 'announced'>;
  labelsOf(idLow: number, idHigh: number): Uint8Array | undefined;
  /** Since when the oldest announcement waits to be written to the dictionary, epoch milliseconds; undefined when none does. */
  readonly waitingSinceMs: number | undefined;
}

export interface AnnouncedSeriesOptions<Partition> {
  readonly reader: AnnouncementReader<Partition>;
  /** By organisation. */
  readonly stores: ReadonlyMap<number, AnnouncedStore>;
  /** That of the series: label sets pass through it. */
  readonly memory: LinearMemory;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface AnnouncedSeries {
  /** Resolves when everything is known that the journal had at the start. */
  readonly caughtUp: Promise<void>;
  stop(): Promise<void>;
}

/** A receiver tells the dictionary of an announcement at once after the journal has it. */
const TOLD_MS = 2000;
const CONFIRM_MS = 1000;
const CATCH_UP_MS = 10_000;
const WARN_MS = 60_000;

/**
 * The dictionary of series is written some seconds after the journal has their announcements. When the process dies in between, samples in the journal
 * would be of series that nobody knows: exporters could not send them, ever, where there is no database to ask. So announcements stay in the journal
 * until the dictionary has them, and after a start those that it lacks are taken over from there.
 *
 * What cannot be taken over is counted and warned about, and the journal goes on: held back, it would keep its segments for ever, and after the next start
 * there would be no more room than now.
 */
export function followAnnouncements<Partition>(options: AnnouncedSeriesOptions<Partition>): AnnouncedSeries {
  const { reader, stores, memory, metrics, log } = options;
  const stopping = new AbortController();
  const caughtUp = Promise.withResolvers<void>();
  const late = setTimeout(caughtUp.resolve, CATCH_UP_MS);
  const read: { readonly partition: Partition; readonly row: number; readonly atMs: number; readonly org: number }[] =
    [];
  const mayWarn = rateLimited(WARN_MS);
  let missing = reader.lag().rows;

  const take = (batch: Batch): void => {
    const { org } = batch;
    const store = stores.get(org);
    const { added, refused } =
      store === undefined ? { added: 0, refused: { organisation: batch.rows } } : takeOver(batch, store, memory);
    if (added > 0) log.info({ org, series: added }, 'series taken over from the journal');
    const reasons = Object.entries(refused);
    if (reasons.length === 0) return;
    for (const [reason, series] of reasons) metrics.seriesRefused.inc({ org: String(org), reason }, series);
    mayWarn((suppressed) =>
      log.warn(
        { org, refused, suppressed },
        'series that only the journal knows cannot be taken over: until they are announced anew, exporters can send their samples only if the database knows them',
      ),
    );
  };
  const follow = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (missing <= 0) caughtUp.resolve();
      const next = await reader.next(stopping.signal);
      if (next === undefined) return;
      const { partition, firstRow, batch } = next;
      take(batch);
      missing -= batch.rows;
      read.push({ partition, row: firstRow + batch.rows, atMs: Date.now(), org: batch.org });
    }
  };
  const confirm = (): void => {
    const settled = Date.now() - TOLD_MS;
    let done = 0;
    for (const { partition, row, atMs, org } of read) {
      const since = stores.get(org)?.waitingSinceMs ?? Infinity;
      if (atMs > settled || since <= atMs + TOLD_MS) break;
      reader.confirm(partition, row);
      done++;
    }
    read.splice(0, done);
  };
  const timer = setInterval(confirm, CONFIRM_MS);
  timer.unref();
  const following = follow()
    .catch((error: unknown) =>
      log.error({ cause: errorText(error) }, 'announcements of series cannot be followed any more'),
    )
    .finally(() => caughtUp.resolve());
  return {
    caughtUp: caughtUp.promise.finally(() => clearTimeout(late)),
    async stop() {
      stopping.abort();
      clearInterval(timer);
      await following;
      await reader.close();
    },
  };
}

interface TakenOver {
  readonly added: number;
  /** Series that there is no room for, by reason. */
  readonly refused: Readonly<Partial<Record<RefusedReason, number>>>;
}

type RefusedReason = 'limit' | 'collision' | 'memory' | 'organisation';

/** Adds the series of a Batch that are not active. */
function takeOver(batch: Batch, store: AnnouncedStore, memory: LinearMemory): TakenOver {
  const column = (name: string) => batch.columns[batch.source.columns.findIndex((one) => one.name === name)]!;
  const ids = valuesOf(column('series_id'), Uint32Array);
  const unknown: number[] = [];
  for (let row = 0; row < batch.rows; row++) {
    if (store.labelsOf(ids[row * 2]!, ids[row * 2 + 1]!) === undefined) unknown.push(row);
  }
  if (unknown.length === 0) return { added: 0, refused: {} };
  const at = memory.allocate();
  if (at === 0) return { added: 0, refused: { memory: unknown.length } };
  const labelsOf = labelSetReader(column('metric_name'), column('labels'));
  const added: number[] = [];
  const refused: Partial<Record<RefusedReason, number>> = {};
  try {
    store.series.begin();
    for (const row of unknown) {
      const { labels } = labelsOf(row);
      memory.bytes.set(labels, at);
      const one = store.series.add(at, at + labels.length, labels);
      if (one.kind === 'refused') refused[one.reason] = (refused[one.reason] ?? 0) + 1;
      else added.push(one.series);
    }
  } finally {
    memory.release(at);
  }
  store.series.announced(added);
  return { added: added.length, refused };
}
