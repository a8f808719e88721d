import { errorText } from '../base/errors.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { ActiveSeries } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import type { Log } from '../telemetry/log.ts';
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

/**
 * The dictionary of series is written some seconds after the journal has their announcements. When the process dies in between, samples in the journal
 * would be of series that nobody knows: exporters could not send them, ever, where there is no database to ask. So announcements stay in the journal
 * until the dictionary has them, and after a start those that it lacks are taken over from there.
 */
export function followAnnouncements<Partition>(options: AnnouncedSeriesOptions<Partition>): AnnouncedSeries {
  const { reader, stores, memory, log } = options;
  const stopping = new AbortController();
  const caughtUp = Promise.withResolvers<void>();
  const late = setTimeout(caughtUp.resolve, CATCH_UP_MS);
  const read: { readonly partition: Partition; readonly row: number; readonly atMs: number; readonly org: number }[] =
    [];
  let missing = reader.lag().rows;

  const take = (batch: Batch): void => {
    const store = stores.get(batch.org);
    if (store === undefined) return;
    const restored = takeOver(batch, store, memory);
    if (restored > 0) log.info({ org: batch.org, series: restored }, 'series taken over from the journal');
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

/** Adds the series of a Batch that are not active; how many. */
function takeOver(batch: Batch, store: AnnouncedStore, memory: LinearMemory): number {
  const column = (name: string) => batch.columns[batch.source.columns.findIndex((one) => one.name === name)]!;
  const ids = valuesOf(column('series_id'), Uint32Array);
  const unknown: number[] = [];
  for (let row = 0; row < batch.rows; row++) {
    if (store.labelsOf(ids[row * 2]!, ids[row * 2 + 1]!) === undefined) unknown.push(row);
  }
  if (unknown.length === 0) return 0;
  const at = memory.allocate();
  if (at === 0) return 0;
  const labelsOf = labelSetReader(column('metric_name'), column('labels'));
  const added: number[] = [];
  try {
    store.series.begin();
    for (const row of unknown) {
      const { labels } = labelsOf(row);
      memory.bytes.set(labels, at);
      const one = store.series.add(at, at + labels.length, labels);
      if (one.kind !== 'refused') added.push(one.series);
    }
  } finally {
    memory.release(at);
  }
  store.series.announced(added);
  return added.length;
}
