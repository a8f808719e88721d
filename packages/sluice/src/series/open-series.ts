import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorText } from '../base/errors.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { ActiveSeries } from '../base/ports.ts';
import { type Log, rateLimited } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Dictionary } from './dictionary.ts';
import { SeriesTable } from './series-table.ts';

export interface OpenSeriesOptions {
  /** Directory of the dictionaries: `<data-dir>/state/series`. */
  readonly dir: string;
  readonly org: number;
  /** Greatest number of active series. */
  readonly limit: number;
  /** Shared with the receivers, who decode messages in it. */
  readonly memory: LinearMemory;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Idle series that were seen since then (epoch milliseconds) stay: somebody has samples of them still to deal with. Absent: nobody does. */
  readonly neededSinceMs?: () => number;
  /** SHA-256, or what a test puts in its place. */
  readonly digest?: (bytes: Uint8Array) => Uint8Array;
  /**
   * Milliseconds from `announced` until a series may be kept as announced; must be longer than the journal takes to sync, as a series that is in the
   * dictionary is not announced again after a restart. Default 5,000.
   */
  readonly settleMs?: number;
  /** Milliseconds between writes of the dictionary (default 1,000) and between rounds of upkeep (default 60,000). */
  readonly flushMs?: number;
  readonly upkeepMs?: number;
}

/** The active series of one organisation and their dictionary on disk. */
export interface SeriesStore {
  /** What receivers and others work with. */
  readonly series: ActiveSeries;
  /** Active series now. */
  readonly active: number;
  /** Bytes of memory they take. */
  readonly bytes: number;
  /** Canonical label fields of the active series with this id. */
  labelsOf(idLow: number, idHigh: number): Uint8Array | undefined;
  /** Names the database that announcements go to. When it is not the one that the dictionary was written for, every series is announced anew. */
  useStorage(identity: string): Promise<void>;
  /**
   * Every series is announced anew with its next sample, also after a restart; for a database that misses rows of `prometheus.series`. Rejects when the
   * dictionary cannot be written; then it holds until the process ends.
   */
  reannounceAll(): Promise<void>;
  /** Since when the oldest announcement waits to be written to the dictionary, epoch milliseconds; undefined when none does. */
  readonly waitingSinceMs: number | undefined;
  /** Announcements handed in so far are synced: they may be kept at once. */
  afterSync(): Promise<void>;
  /** One whole round: idle series leave, memory is packed, the file is rewritten when most of it is outdated. Lets the event loop turn meanwhile. */
  upkeep(): Promise<void>;
  /** Ends the timers, keeps what the journal has synced by now (call it after the journal is closed), closes the file. */
  close(): Promise<void>;
}

/** Upkeep works this long before it lets the event loop turn. */
const SLICE_MS = 5;

/**
 * Opens the series of an organisation with everything the dictionary knows. Throws SluiceError `format_too_new`, and the system's error when the
 * directory cannot be used.
 */
export async function openSeries(options: OpenSeriesOptions): Promise<SeriesStore> {
  const { log, metrics, now = Date.now, settleMs = 5_000, flushMs = 1_000, upkeepMs = 60_000 } = options;
  const org = String(options.org);
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  const table = new SeriesTable({
    memory: options.memory,
    limit: options.limit,
    now,
    ...(options.digest === undefined ? {} : { digest: options.digest }),
  });
  const file = path.join(options.dir, `${org}.dictionary`);
  const dictionary = new Dictionary({ path: file, table, settleMs, now });
  const loaded = await dictionary.load();
  if (loaded.cutBytes > 0) log.warn({ file, bytes: loaded.cutBytes }, 'cut the damaged end off a series dictionary');
  if (loaded.refused > 0) log.warn({ org, series: loaded.refused }, 'known series left out: limits.series is reached');

  let reportedAdded = 0;
  let reportedIdled = 0;
  const report = (): void => {
    metrics.seriesActive.set({ org }, table.active);
    metrics.seriesForms.set({ org }, table.forms);
    metrics.seriesMemory.set({ org }, table.bytes);
    metrics.seriesAdded.inc({ org }, table.added - reportedAdded);
    metrics.seriesIdled.inc({ org }, table.idled - reportedIdled);
    reportedAdded = table.added;
    reportedIdled = table.idled;
  };
  const limited = rateLimited(60_000);
  const complain = (error: unknown): void =>
    limited((suppressed) =>
      log.warn({ file, cause: errorText(error), suppressed }, 'cannot write a series dictionary; it is tried again'),
    );
  let running: Promise<void> | undefined;
  const upkeep = async (): Promise<void> => {
    let sliceEnd = performance.now() + SLICE_MS;
    for (const _ of table.upkeep((options.neededSinceMs?.() ?? Infinity) / 1000)) {
      if (performance.now() < sliceEnd) continue;
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
    report();
    await dictionary.compact();
  };
  const upkeepOnce = async (): Promise<void> => {
    running ??= upkeep().finally(() => (running = undefined));
    return running;
  };
  const flushTimer = setInterval(() => {
    report();
    dictionary.flush().catch(complain);
  }, flushMs);
  const upkeepTimer = setInterval(() => void upkeepOnce().catch(complain), upkeepMs);
  flushTimer.unref();
  upkeepTimer.unref();
  report();

  return {
    series: table,
    get active() {
      return table.active;
    },
    get bytes() {
      return table.bytes;
    },
    labelsOf(idLow, idHigh) {
      const found = table.seriesWithId(idLow, idHigh);
      return found === 0 ? undefined : table.labels(found);
    },
    useStorage: (identity) => dictionary.useStorage(identity),
    reannounceAll: () => dictionary.reannounceAll(),
    get waitingSinceMs() {
      return dictionary.waitingSinceMs;
    },
    afterSync: () => dictionary.flush(true),
    upkeep: upkeepOnce,
    close: async () => {
      clearInterval(flushTimer);
      clearInterval(upkeepTimer);
      await running?.catch(complain);
      await dictionary.flush(true).catch(complain);
      await dictionary.close();
    },
  };
}
