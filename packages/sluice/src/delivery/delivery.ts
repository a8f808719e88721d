import { errorText } from '../base/errors.ts';
import { isOwnReader } from '../base/own-readers.ts';
import type { HttpRoute } from '../base/ports.ts';
import { systemClock, type Clock } from '../journal/clock.ts';
import type { Files } from '../journal/files.ts';
import type { Journal } from '../journal/types.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ExporterRun } from './exporter-run.ts';
import { createExportersApi } from './exporters-api.ts';
import { createRejectedApi } from './rejected-api.ts';
import type { RejectedStore } from './rejected-store.ts';
import { RejectedStores } from './rejected-stores.ts';
import type { Exporter } from './types.ts';

export interface DeliveryOptions {
  readonly journal: Pick<Journal, 'openReader' | 'dropReader' | 'readerNames'>;
  readonly dataDir: string;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock?: Clock;
  /** From 0 to below 1; for jitter and the order of endpoints. */
  readonly random?: () => number;
  /** For rejected items. */
  readonly files?: Files;
  /** Bytes of rejected items kept of each exporter. Default 64 MiB. */
  readonly maxRejectedBytes?: number;
}

export interface Delivery {
  /**
   * Makes exactly these exporters run. Those with the same name and fingerprint go on as they are (the new object is closed, unless it is the same
   * one), changed ones stop and start again where they were, others lose their cursor. Rejects with the first failure, after all were tried.
   */
  apply(exporters: readonly Exporter[]): Promise<void>;
  readonly routes: readonly HttpRoute[];
  /** Since when an exporter has rows of the table still to send, epoch milliseconds or somewhat earlier; undefined when none has. */
  waitingSinceMs(table: string): number | undefined;
  /**
   * The journal has ended: sends what is in it until the deadline, or until it fails. Cursors are saved; what was not confirmed is sent after the next
   * start.
   */
  stop(deadlineMs: number): Promise<void>;
}

/** Time of a changed or removed exporter for what it has in its lanes. */
const CHANGE_DEADLINE_MS = 5000;

/** Runs exporters: reads their rows from the journal, sends them with retries, keeps what is rejected. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const {
    journal,
    dataDir,
    metrics,
    log,
    clock = systemClock,
    random = Math.random,
    files,
    maxRejectedBytes,
  } = options;
  const stores = new RejectedStores({ dataDir, metrics, log, clock, files, maxBytes: maxRejectedBytes });
  const runs = new Map<string, ExporterRun>();
  let busy: Promise<void> = Promise.resolve();
  let isStopped = false;

  const start = async (exporter: Exporter) => {
    const { name, protocol, tables } = exporter;
    let run: ExporterRun | undefined;
    let store: RejectedStore;
    try {
      store = await stores.of(name, protocol);
      run = new ExporterRun({ exporter, journal, store, metrics, log, clock, random });
      await run.start();
    } catch (error) {
      run?.meter.close();
      await exporter.close();
      throw error;
    }
    runs.set(name, run);
    const rejected = store.count === 0 ? {} : { rejected: store.count };
    log.info({ exporter: name, protocol, dataSources: tables, ...rejected }, 'exporter started');
  };
  const end = async (name: string) => {
    const run = runs.get(name);
    if (run === undefined) return;
    runs.delete(name);
    try {
      await run.stop(CHANGE_DEADLINE_MS, { readOn: false });
    } finally {
      run.meter.close();
    }
  };

  const change = async (exporters: readonly Exporter[]) => {
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        log.error({ cause: errorText(error) }, 'an exporter could not be changed');
        failures.push(error);
      }
    };
    const wanted = new Map(exporters.map((exporter) => [exporter.name, exporter]));
    const gone = new Set([...runs.keys(), ...journal.readerNames()].filter((name) => !isOwnReader(name)));
    for (const name of wanted.keys()) gone.delete(name);
    await Promise.all(
      [...gone].map((name) =>
        attempt(async () => {
          await end(name);
          await journal.dropReader(name);
          log.info({ exporter: name }, 'exporter is not configured any more; its place in the journal was dropped');
        }),
      ),
    );
    await Promise.all(
      [...wanted].map(([name, exporter]) =>
        attempt(async () => {
          const run = runs.get(name);
          if (run !== undefined && run.exporter.fingerprint === exporter.fingerprint) {
            if (run.exporter !== exporter) await exporter.close();
            run.nudge();
            log.info({ exporter: name }, 'exporter is unchanged and runs on');
            return;
          }
          if (run !== undefined) log.info({ exporter: name }, 'exporter is changed and starts again');
          try {
            await end(name);
          } catch (error) {
            await exporter.close();
            throw error;
          }
          await start(exporter);
        }),
      ),
    );
    if (failures.length > 0) throw failures[0];
  };

  return {
    apply(exporters) {
      const changed = busy.then(async () => {
        if (!isStopped) return change(exporters);
        await Promise.all(exporters.map((exporter) => exporter.close()));
      });
      busy = changed.catch(() => undefined);
      return changed;
    },
    routes: [...createExportersApi({ runs, metrics, clock }), ...createRejectedApi({ runs, stores, clock })],
    waitingSinceMs(table) {
      let oldest = Infinity;
      for (const { exporter, lag } of runs.values()) {
        if (exporter.tables.includes(table) && lag.rows > 0) oldest = Math.min(oldest, clock.epochMs() - lag.ageMs);
      }
      return oldest === Infinity ? undefined : oldest;
    },
    async stop(deadlineMs) {
      isStopped = true;
      await busy;
      const stopping = [...runs.values()].map((run) => run.stop(deadlineMs, { readOn: true }));
      const outcomes = await Promise.allSettled(stopping);
      await stores.close();
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    },
  };
}
