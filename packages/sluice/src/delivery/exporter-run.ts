import { errorText, isSluiceError } from '../base/errors.ts';
import type { Clock } from '../journal/clock.ts';
import type { BatchReader, Journal } from '../journal/types.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { backOffMs } from './back-off.ts';
import { BatchSender, type Kept } from './batch-sender.ts';
import { Endpoints } from './endpoints.ts';
import { ExporterMeter } from './exporter-meter.ts';
import { LaneGroup } from './lane-group.ts';
import type { Outgoing } from './outgoing.ts';
import { Pauses } from './pauses.ts';
import { ProbeGate } from './probe-gate.ts';
import { Reading } from './reading.ts';
import type { NewRejected } from './rejected-format.ts';
import { startReplay, type Replay } from './rejected-replay.ts';
import type { RejectedStore } from './rejected-store.ts';
import { Tap } from './tap.ts';
import { Trouble } from './trouble.ts';
import type { Exporter } from './types.ts';

const LAG_EVERY_MS = 5000;
/** After the deadline, for sends to notice that they were cut off. */
const GRACE_MS = 1000;

export interface ExporterRunOptions {
  readonly exporter: Exporter;
  readonly journal: Pick<Journal, 'openReader'>;
  readonly store: RejectedStore;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
}

/** One exporter from its start to its stop: reads its rows, sends them, and keeps the cursor behind what is confirmed. */
export class ExporterRun {
  readonly exporter: Exporter;
  readonly store: RejectedStore;
  readonly meter: ExporterMeter;
  readonly trouble: Trouble;
  readonly endpoints: Endpoints;
  readonly lanes: LaneGroup;
  readonly tap: Tap;
  readonly #options: ExporterRunOptions;
  readonly #pauses: Pauses;
  readonly #gate = new ProbeGate();
  readonly #senders: readonly BatchSender[];
  readonly #reads = new AbortController();
  readonly #complain: (log: (suppressed: number) => void) => void;
  readonly #complainOfRejected: (log: (suppressed: number) => void) => void;
  #reader: BatchReader | undefined;
  #reading: Promise<void> = Promise.resolve();
  #isStopping = false;
  #cancelLag: (() => void) | undefined;
  #replay: Replay | undefined;

  constructor(options: ExporterRunOptions) {
    const { exporter, clock, random, metrics, log } = options;
    this.#options = options;
    this.exporter = exporter;
    this.store = options.store;
    this.meter = new ExporterMeter(metrics, exporter);
    this.trouble = new Trouble({ exporter: exporter.name, meter: this.meter, now: () => clock.epochMs(), log });
    this.endpoints = new Endpoints(exporter.endpoints, random);
    this.tap = new Tap(exporter, clock);
    this.#pauses = new Pauses(clock);
    this.#complain = rateLimited(60_000, () => clock.monotonicMs());
    this.#complainOfRejected = rateLimited(60_000, () => clock.monotonicMs());
    const shared = {
      exporter,
      endpoints: this.endpoints,
      gate: this.#gate,
      pauses: this.#pauses,
      trouble: this.trouble,
      meter: this.meter,
      clock,
      random,
      takings: { count: 0 },
      keep: (rejected: readonly NewRejected[], how: { readonly displaces: boolean }) => this.#keep(rejected, how),
      isStopping: () => this.#isStopping,
      log,
      complain: this.#complain,
    };
    this.#senders = Array.from({ length: exporter.settings.lanes }, (_, lane) => new BatchSender(lane, shared));
    this.lanes = new LaneGroup({
      settings: exporter.settings,
      clock,
      send: (lane, batch) => this.#send(lane, batch),
      onEnqueued: ({ items }) => this.tap.offer(items),
      onConfirmed: (partition, row) => this.#reader?.confirm(partition, row),
      onHeld: (rows, bytes) => this.meter.queue(rows, bytes),
    });
  }

  /** Opens the cursor and begins to read. Throws what the journal throws. */
  async start(): Promise<void> {
    const { exporter, journal, clock, random, log } = this.#options;
    const { name, tables, settings } = exporter;
    const { from, maxBacklogBytes } = settings;
    const reader = await journal.openReader({ name, tables, from, maxBacklogBytes });
    this.#reader = reader;
    const reading = new Reading({
      exporter,
      reader,
      lanes: this.lanes,
      meter: this.meter,
      trouble: this.trouble,
      pauses: this.#pauses,
      clock,
      random,
      log,
      complain: this.#complain,
      keep: async (rejected) => (await this.#keep(rejected, { displaces: true })) === 'kept',
      signal: this.#reads.signal,
      isStopping: () => this.#isStopping,
    });
    this.#reading = reading.run().catch((error: unknown) => {
      this.trouble.failed('reading', errorText(error));
      log.error({ exporter: name, err: error }, 'BUG: an exporter reads no more; please report it');
    });
    this.#measureLag();
  }

  get lag(): { readonly rows: number; readonly bytes: number; readonly ageMs: number } {
    return this.#reader?.lag() ?? { rows: 0, bytes: 0, ageMs: 0 };
  }

  /** Somebody may have mended what it waits for: tries now. */
  nudge(): void {
    this.#pauses.wakeAll();
  }

  /** Sends rejected items once more; undefined while others are on their way. */
  replay(ids: readonly number[]): Replay | undefined {
    if (this.#isStopping || this.#replay?.isDone === false) return undefined;
    const { settings } = this.exporter;
    const lane = this.lanes.lanes.reduce((best, one) => (one.waitingBytes < best.waitingBytes ? one : best));
    this.#replay = startReplay({
      ids,
      store: this.store,
      lane,
      limits: settings,
      isStopping: () => this.#isStopping,
      log: this.#options.log,
    });
    return this.#replay;
  }

  /**
   * Sends what is there and ends: what fails now is not tried again, and at the deadline everything is cut off. What is not confirmed by then comes
   * again after the next start. `readOn`: the journal has ended, and what is in it may be read to its end, unless that is much.
   */
  async stop(deadlineMs: number, { readOn }: { readonly readOn: boolean }): Promise<void> {
    const { clock, log } = this.#options;
    const { name, settings } = this.exporter;
    const deadline = Promise.withResolvers<void>();
    const cancel = clock.after(deadlineMs, deadline.resolve);
    this.#isStopping = true;
    const isFar = this.lag.rows - this.lanes.rows > settings.queueRows * settings.lanes;
    if (!readOn || isFar || this.lanes.lanes.some(({ gaveUp }) => gaveUp)) this.#endReading();
    this.#pauses.wakeAll();
    this.#gate.wakeAll();
    await Promise.race([this.#drained(), deadline.promise]);
    cancel();
    this.#endReading();
    for (const sender of this.#senders) sender.cutOff();
    this.#pauses.wakeAll();
    this.#gate.wakeAll();
    await this.#within(GRACE_MS, Promise.all([this.#reading, this.lanes.settled()]));
    this.lanes.close();
    this.#cancelLag?.();
    this.tap.close();
    const left = this.lanes.items;
    await this.#within(GRACE_MS, this.exporter.close()).catch((error: unknown) => {
      log.warn({ exporter: name, err: errorText(error) }, 'an exporter did not close cleanly');
    });
    this.trouble.stopped();
    await this.#reader?.close();
    log.info({ exporter: name, unconfirmed: left }, 'exporter stopped');
  }

  async #send(lane: number, batch: Outgoing): Promise<boolean> {
    const { log, random } = this.#options;
    for (let failures = 1; ; failures++) {
      let isDone = false;
      try {
        isDone = await this.#senders[lane]!.send(batch);
      } catch (error) {
        log.error({ exporter: this.exporter.name, err: error }, 'BUG: a lane failed; please report it');
        this.trouble.failed(`lane ${lane}`, errorText(error));
        if (!this.#isStopping) {
          await this.#pauses.wait(backOffMs({ retry: this.exporter.settings.retry, failures, random }));
          continue;
        }
      }
      // Nobody empties this lane any more: reading would wait for it.
      if (!isDone) this.#endReading();
      return isDone;
    }
  }

  async #drained(): Promise<void> {
    await this.#reading;
    this.lanes.sealAll();
    await this.lanes.settled();
  }

  #endReading(): void {
    this.#reads.abort();
    this.lanes.wake();
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    const over = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(ms, over.resolve);
    try {
      await Promise.race([work, over.promise]);
    } finally {
      cancel();
    }
  }

  /** Rejected items are on the disk before their rows count as confirmed. */
  async #keep(rejected: readonly NewRejected[], how: { readonly displaces: boolean }): Promise<Kept> {
    const { random, log } = this.#options;
    const who = 'rejected items';
    for (let failures = 1; ; failures++) {
      try {
        const isKept = await this.store.add(rejected, how);
        this.trouble.recovered(who);
        if (!isKept) return 'no room';
        this.#complainOfRejected((suppressed) => {
          const told = { exporter: this.exporter.name, items: rejected.length, why: rejected[0]?.why, suppressed };
          log.warn(told, 'items that will never be taken were set aside; see sluice rejected list');
        });
        return 'kept';
      } catch (error) {
        const err = errorText(error);
        this.trouble.failed(who, err);
        if (!isSluiceError(error)) throw error;
        this.#complain((suppressed) => {
          log.error({ exporter: this.exporter.name, err, suppressed }, 'cannot keep rejected items; tried again');
        });
        if (this.#isStopping) return 'given up';
        await this.#pauses.wait(backOffMs({ retry: this.exporter.settings.retry, failures, random }));
      }
    }
  }

  #measureLag(): void {
    const { clock } = this.#options;
    const { rows, ageMs } = this.lag;
    this.meter.oldestPending(rows === 0 ? undefined : clock.epochMs() - ageMs);
    this.#cancelLag = clock.after(LAG_EVERY_MS, () => this.#measureLag());
  }
}
