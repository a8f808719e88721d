import { setTimeout as delay } from 'node:timers/promises';
import { errorText, isSluiceError } from '../base/errors.ts';
import type { Readiness } from '../base/ports.ts';
import { findDataSource } from '../catalog/catalog.ts';
import type { RollUp } from '../catalog/roll-ups.ts';
import type { PartitionKey, SegmentReader } from '../journal/types.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { loadSegment, type SegmentMemory } from './load-segment.ts';
import type { LoadTarget } from './load-target.ts';

export interface LoaderOptions {
  readonly journal: SegmentReader;
  /** The journal's identity: part of every deduplication token. */
  readonly journalUuid: string;
  readonly target: LoadTarget;
  /** Tables that are grouped into others instead of loaded; the journal's reader reads no others then. */
  readonly rollUps?: ReadonlyMap<string, RollUp>;
  /** Name in the hub's readiness. Default `loader`. */
  readonly name?: string;
  /** Organisations that have tables. */
  readonly organisations: readonly number[];
  readonly log: Log;
  readonly metrics: Metrics;
  /** Nothing is tried before the database is there, which `nudge` says. Default: it is. */
  readonly isOpen?: () => boolean;
  /** Told after every attempt to load a segment: its rows, or some of them, may be there now. */
  readonly onLoaded?: (partition: PartitionKey) => void;
  /** Tables that are loaded at the same time. Default 2. */
  readonly concurrency?: number;
  /** Least and greatest pause after a failure, in milliseconds. Default 100 and 30,000. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
}

export interface Loader {
  /** Not ready while a table cannot be loaded; the detail says which, why and since how many attempts. */
  state(): Readiness;
  /** Tries what waits for its pause to end at once: the database has come back. */
  nudge(): void;
  /** Takes nothing new, waits for what is in flight until the deadline, then lets go of it; nothing is lost. */
  stop(deadlineMs: number): Promise<void>;
}

/** One table of one organisation: its segments are loaded one after the other, whoever wrote them. */
interface Lane {
  readonly key: string;
  running: boolean;
  failures: number;
  /** Monotonic time before which it is not tried again. */
  retryAt: number;
  error: unknown;
  readonly memories: Map<string, SegmentMemory>;
}

/** Carries sealed segments into the database for as long as the hub runs. It never gives up, and never lets one table hold up another. */
export function startLoader(options: LoaderOptions): Loader {
  const { journal, log, metrics } = options;
  const { name: part = 'loader', concurrency = 2 } = options;
  const backoff = options.backoff ?? { minMs: 100, maxMs: 30_000 };
  const lanes = new Map<string, Lane>();
  const working = new Set<Promise<void>>();
  const stopped = new AbortController();
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;

  journal.onSealed(pump);
  pump();

  /** Starts as many lanes as may run; called whenever something may have changed. */
  function pump(): void {
    if (stopping || options.isOpen?.() === false) return;
    const now = performance.now();
    let wakeAt = Infinity;
    for (const [key, partitions] of byTable(journal.pending())) {
      const lane = laneOf(key);
      if (lane.running) continue;
      if (lane.retryAt > now) {
        wakeAt = Math.min(wakeAt, lane.retryAt);
        continue;
      }
      // The others' turn comes when one ends.
      if (working.size >= concurrency) break;
      lane.running = true;
      const work = runLane(lane, partitions).finally(() => {
        lane.running = false;
        working.delete(work);
        // Behind the others in the order: a busy table must not starve the rest.
        lanes.delete(key);
        lanes.set(key, lane);
        setImmediate(pump);
      });
      working.add(work);
    }
    clearTimeout(timer);
    if (wakeAt < Infinity) timer = setTimeout(pump, Math.max(wakeAt - now, 1));
  }

  function laneOf(key: string): Lane {
    let lane = lanes.get(key);
    if (lane === undefined) {
      lane = { key, running: false, failures: 0, retryAt: 0, error: undefined, memories: new Map() };
      lanes.set(key, lane);
    }
    return lane;
  }

  /** Partitions by table, those that waited longest first. */
  function byTable(partitions: readonly PartitionKey[]): readonly (readonly [string, readonly PartitionKey[]])[] {
    const tables = new Map<string, PartitionKey[]>();
    for (const partition of partitions) {
      const key = `${partition.org}/${partition.table}`;
      const list = tables.get(key);
      if (list === undefined) tables.set(key, [partition]);
      else list.push(partition);
    }
    const order = new Map([...lanes.keys()].map((key, index) => [key, index]));
    return [...tables].toSorted(([a], [b]) => (order.get(a) ?? -1) - (order.get(b) ?? -1));
  }

  /** One segment of every writer of the table. */
  async function runLane(lane: Lane, partitions: readonly PartitionKey[]): Promise<void> {
    try {
      for (const partition of partitions) {
        if (stopping) return;
        await loadNext(lane, partition);
        lane.failures = 0;
        lane.error = undefined;
      }
      metrics.storageUp.set(1);
    } catch (error) {
      if (stopping) return;
      lane.failures++;
      const ceiling = Math.min(backoff.minMs * 2 ** (lane.failures - 1), backoff.maxMs);
      const pause = ceiling / 2 + (Math.random() * ceiling) / 2;
      lane.retryAt = performance.now() + pause;
      report(lane, error, pause);
      lane.error = error;
      if (isSluiceError(error, 'storage_unavailable')) metrics.storageUp.set(0);
    }
  }

  async function loadNext(lane: Lane, partition: PartitionKey): Promise<void> {
    const segment = await journal.next(partition);
    if (segment === undefined) return;
    const rollUp = options.rollUps?.get(partition.table);
    const source = rollUp?.to ?? findDataSource(partition.table);
    if (source === undefined || !options.organisations.includes(partition.org)) {
      const why =
        source === undefined ? `no data source ${partition.table}` : `organisation ${partition.org} is not configured`;
      await journal.quarantine(segment, why);
      metrics.storageInserts.inc({ table: source?.id ?? 'unknown', outcome: 'quarantined' });
      await journal.confirm(segment);
      return;
    }
    const name = `${partition.writer}/${segment.firstRow}`;
    let memory = lane.memories.get(name);
    if (memory === undefined) {
      memory = { failures: 0, markerIsOurs: false };
      lane.memories.set(name, memory);
    }
    const { journalUuid, target } = options;
    try {
      const { signal } = stopped;
      await loadSegment({
        segment,
        source,
        ...(rollUp === undefined ? {} : { rollUp }),
        journal,
        journalUuid,
        target,
        log,
        metrics,
        signal,
        memory,
      });
    } finally {
      options.onLoaded?.(partition);
    }
    lane.memories.delete(name);
  }

  function report(lane: Lane, error: unknown, pauseMs: number): void {
    const fields = { table: lane.key, failures: lane.failures, pauseMs: Math.round(pauseMs), error: errorText(error) };
    // The first failure, and then one in the time of the longest pause.
    if (lane.failures === 1 || errorText(lane.error) !== errorText(error))
      log.warn(fields, 'cannot load into the database; it is retried');
    else log.debug(fields, 'cannot load into the database; it is retried');
  }

  return {
    state() {
      const failing = [...lanes.values()].filter((lane) => lane.error !== undefined);
      const worst = failing.toSorted((a, b) => b.failures - a.failures)[0];
      if (worst === undefined) return { part, ready: true };
      const seconds = Math.max(0, Math.ceil((worst.retryAt - performance.now()) / 1000));
      const detail = `${worst.key}: ${errorText(worst.error)} (${worst.failures} attempts, next in ${seconds} s; ${failing.length} tables wait)`;
      return { part, ready: false, detail };
    },

    nudge() {
      for (const lane of lanes.values()) lane.retryAt = 0;
      pump();
    },

    async stop(deadlineMs) {
      stopping = true;
      clearTimeout(timer);
      const deadline = new AbortController();
      const all = Promise.allSettled(working);
      await Promise.race([all, delay(deadlineMs, undefined, { signal: deadline.signal }).catch(() => {})]);
      deadline.abort();
      stopped.abort();
      await Promise.race([all, delay(1000)]);
    },
  };
}
