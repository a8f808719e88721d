import { errorText } from '../base/errors.ts';
import type { SendOutcome } from '../base/ports.ts';
import type { Clock } from '../journal/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { backOffMs } from './back-off.ts';
import type { Endpoints } from './endpoints.ts';
import type { ExporterMeter } from './exporter-meter.ts';
import { allItems, type ItemBatch } from './item-batch.ts';
import { copyItems, leastRowFrom, type Outgoing } from './outgoing.ts';
import type { Pauses } from './pauses.ts';
import type { ProbeGate } from './probe-gate.ts';
import { RefusedRun, type Takings } from './refused-run.ts';
import type { NewRejected, RejectedReason } from './rejected-format.ts';
import type { Trouble } from './trouble.ts';
import type { Exporter } from './types.ts';

/** How long a wrong configuration is left alone before it is tried again. */
const PROBE_MS = 30_000;
/** Halvings of one batch; when every other item is bad, finding each alone would take twice as many requests as there are items. */
const MOST_HALVINGS = 256;

/** What became of items that are to be set aside: `no room` = others would have to go for them. */
export type Kept = 'kept' | 'no room' | 'given up';

export interface BatchSenderOptions {
  readonly exporter: Exporter;
  readonly endpoints: Endpoints;
  readonly gate: ProbeGate;
  readonly pauses: Pauses;
  readonly trouble: Trouble;
  readonly meter: ExporterMeter;
  readonly clock: Clock;
  readonly random: () => number;
  /** Shared by all lanes. */
  readonly takings: Takings;
  /** Keeps rejected items; resolves when they are on the disk, or that was given up because the exporter stops. */
  readonly keep: (rejected: readonly NewRejected[], how: { readonly displaces: boolean }) => Promise<Kept>;
  /** What fails now is not tried again: the exporter stops. */
  readonly isStopping: () => boolean;
  readonly log: Log;
  /** Lets few lines through. */
  readonly complain: (log: (suppressed: number) => void) => void;
}

/** A batch or what is left of it, with its place in the whole. */
interface Part {
  readonly items: ItemBatch;
  /** Index of its first item in the batch. */
  readonly from: number;
  /** Index behind its last item in the batch; items may be missing in between. */
  readonly to: number;
}

interface Verdict {
  readonly part: Part;
  readonly outcome: Exclude<SendOutcome, { readonly kind: 'retry' | 'misconfigured' }>;
}

/** What is to be set aside of a batch. */
interface Aside {
  readonly items: NewRejected[];
  readonly counts: Map<RejectedReason, number>;
  why: string;
  /** The receiver took a part of the batch. */
  isSomeTaken: boolean;
  /** It refused one, without naming what it means. */
  isSomeRefused: boolean;
}

/** Sends the batches of one lane, one after the other, each until all its items are sent, set aside or too old. */
export class BatchSender {
  readonly #lane: number;
  readonly #who: string;
  readonly #options: BatchSenderOptions;
  readonly #refused: RefusedRun;
  #current: AbortController | undefined;
  #isCutOff = false;

  constructor(lane: number, options: BatchSenderOptions) {
    this.#lane = lane;
    this.#who = `lane ${lane}`;
    this.#options = options;
    this.#refused = new RefusedRun(options.takings);
  }

  /** Resolves with true when the batch is dealt with, with false when the exporter stops before; what is left then is not confirmed. */
  async send(batch: Outgoing): Promise<boolean> {
    const { keep, meter, trouble } = this.#options;
    // What is sent once more was refused before: it says nothing about the receiver.
    const refused = batch.follower.again === undefined ? this.#refused : new RefusedRun({ count: 0 });
    for (;;) {
      if (refused.batches > 0 && !(await this.#slowDown(refused))) return false;
      const aside = await this.#sendParts(batch, refused);
      if (aside === undefined) return false;
      if (aside.isSomeRefused && !aside.isSomeTaken) refused.endBatch();
      if (refused.isReceiver) trouble.refusing(true, aside.why);
      // Kept together: it takes a write to the disk. Where there is no room the whole batch is sent once more, so none of it may have been taken:
      // what is to be set aside of a batch that was taken in part always finds room.
      const displaces = aside.isSomeTaken || !refused.isEverything;
      const kept = aside.items.length === 0 ? 'kept' : await keep(aside.items, { displaces });
      if (kept === 'given up') return false;
      if (kept === 'kept') {
        for (const [reason, items] of aside.counts) meter.rejected(batch.items.partition.table, reason, items);
        return true;
      }
      trouble.refusing(true, `${aside.why}; there is no room for more rejected items, so it waits`);
    }
  }

  /** Ends the send that is under way, and lets no other begin. */
  cutOff(): void {
    this.#isCutOff = true;
    this.#current?.abort(new Error('the exporter stops'));
  }

  /** Sends a batch once, divided where that finds out what is wrong with it; undefined = gave up because the exporter stops. */
  async #sendParts(batch: Outgoing, refused: RefusedRun): Promise<Aside | undefined> {
    const parts: Part[] = [{ items: batch.items, from: 0, to: batch.items.count }];
    const aside: Aside = { items: [], counts: new Map(), why: '', isSomeTaken: false, isSomeRefused: false };
    let halvings = MOST_HALVINGS;
    for (let first = parts[0]; first !== undefined; first = parts[0]) {
      const verdict = await this.#untilDecided(first, batch);
      if (verdict === undefined) return undefined;
      const { outcome, part } = verdict;
      const { items, from, to } = part;
      const { count } = items;
      if (outcome.kind === 'refused' && count > 1 && halvings > 0 && !refused.staysWhole(count)) {
        halvings--;
        const middle = count >> 1;
        const half = from + middle;
        parts.splice(0, 1, { items: items.slice(0, middle), from, to: half });
        parts.splice(1, 0, { items: items.slice(middle, count), from: half, to });
        continue;
      }
      const bad = badItems(items, outcome);
      if (bad.size < count) {
        refused.taken();
        aside.isSomeTaken = true;
        this.#options.trouble.refusing(false);
      } else if (outcome.kind === 'refused' || count === 1) {
        refused.refused(count);
        aside.isSomeRefused = true;
      }
      this.#finish(verdict, bad, { batch, aside });
      parts.shift();
      // Until rejected items are on the disk, their rows are not done.
      if (parts.length > 0 && aside.items.length === 0) batch.follower.done(to, leastRowFrom(batch.items, to));
    }
    return aside;
  }

  /**
   * A receiver that takes nothing may be the wrong one, or set up wrongly: the less is thrown at it until somebody mends that, the less there is to be
   * sent once more. False when the exporter stops: what would be refused in haste may be taken after the next start.
   */
  async #slowDown(refused: RefusedRun): Promise<boolean> {
    const { pauses, exporter, random, isStopping } = this.#options;
    const { batches: failures, isReceiver } = refused;
    if (!isStopping()) await pauses.wait(backOffMs({ retry: exporter.settings.retry, failures, random }));
    return !isStopping() || !isReceiver;
  }

  /** Tries again until the receiver has decided; undefined = gave up because the exporter stops. */
  async #untilDecided(whole: Part, batch: Outgoing): Promise<Verdict | undefined> {
    const { gate, pauses, endpoints, trouble, exporter, random } = this.#options;
    let part = whole;
    let failures = 0;
    let wrongs = 0;
    for (let attempt = 0; ; attempt++) {
      while (!gate.lets(this.#lane)) {
        if (this.#options.isStopping()) return undefined;
        await gate.wait();
      }
      if (this.#isCutOff) return undefined;
      part = this.#withoutTooOld(part, batch);
      if (part.items.count === 0) {
        this.#openGate();
        trouble.recovered(this.#who);
        return { part, outcome: { kind: 'sent' } };
      }
      const endpoint = endpoints.current;
      const outcome = await this.#attempt(part.items, endpoint, { attempt, batch });
      if (outcome.kind !== 'misconfigured') this.#openGate();
      if (outcome.kind !== 'retry' && outcome.kind !== 'misconfigured') {
        endpoints.succeeded(endpoint);
        this.#options.meter.endpoint(endpoint, true);
        trouble.recovered(this.#who);
        return { part, outcome };
      }
      this.#failed(endpoint, outcome.why);
      if (this.#options.isStopping()) return this.#giveUp();
      wrongs = outcome.kind === 'misconfigured' ? wrongs + 1 : 0;
      // Another endpoint may know better: all are asked before the configuration counts as wrong.
      if (outcome.kind === 'misconfigured' && wrongs >= endpoints.count) {
        gate.close(this.#lane);
        trouble.recovered(this.#who);
        trouble.misconfigured(true, outcome.why);
        if (gate.lets(this.#lane)) await pauses.wait(PROBE_MS);
        continue;
      }
      failures++;
      const afterMs = outcome.kind === 'retry' ? outcome.afterMs : undefined;
      await pauses.wait(backOffMs({ retry: exporter.settings.retry, failures, afterMs, random }));
    }
  }

  #giveUp(): undefined {
    this.#openGate();
    return undefined;
  }

  #openGate(): void {
    const { gate, trouble } = this.#options;
    gate.open(this.#lane);
    if (!gate.isClosed) trouble.misconfigured(false);
  }

  #failed(endpoint: number, why: string): void {
    const { endpoints, meter, trouble, clock } = this.#options;
    endpoints.failed(endpoint, why, clock.epochMs());
    meter.endpoint(endpoint, false);
    trouble.failed(this.#who, why);
  }

  /** One send: its outcome, within the timeout. */
  async #attempt(
    items: ItemBatch,
    endpoint: number,
    { attempt, batch }: { readonly attempt: number; readonly batch: Outgoing },
  ): Promise<SendOutcome> {
    const { exporter, clock, meter, log, complain } = this.#options;
    const { timeoutMs } = exporter.settings;
    const abort = new AbortController();
    this.#current = abort;
    const startedMs = clock.monotonicMs();
    let isLate = false;
    const late = `no answer within ${timeoutMs / 1000} s`;
    const cancel = clock.after(timeoutMs, () => {
      isLate = true;
      this.#failed(endpoint, late);
      abort.abort(new Error(late));
    });
    let outcome: SendOutcome;
    let counted: string;
    try {
      outcome = await exporter.send(items, { endpoint, lane: this.#lane, attempt, signal: abort.signal });
      counted = isLate && outcome.kind === 'retry' ? 'timeout' : outcome.kind;
      if (counted === 'timeout') outcome = { kind: 'retry', why: late };
    } catch (error) {
      // Errors are to be told, not thrown; what an abort does to a library underneath is forgiven.
      counted = isLate ? 'timeout' : abort.signal.aborted ? 'retry' : 'bug';
      outcome = { kind: 'retry', why: isLate ? late : errorText(error) };
      if (counted === 'bug') {
        complain((suppressed) => {
          log.error({ exporter: exporter.name, err: error, suppressed }, 'BUG: an exporter failed; please report it');
        });
      }
      batch.memory.isClean = false;
    } finally {
      cancel();
      this.#current = undefined;
    }
    // Whatever worked on it may go on in the background, and look at the memory later.
    if (abort.signal.aborted || outcome.kind === 'retry' || outcome.kind === 'misconfigured')
      batch.memory.isClean = false;
    const ms = clock.monotonicMs() - startedMs;
    meter.request(endpoint, { outcome: counted, ms, isRetry: attempt > 0 });
    return outcome;
  }

  /** Notes what became of a part. */
  #finish(
    { part, outcome }: Verdict,
    bad: ReadonlySet<number>,
    { batch, aside }: { readonly batch: Outgoing; readonly aside: Aside },
  ): void {
    const { items } = part;
    const { again, settled } = batch.follower;
    if (bad.size > 0 && outcome.kind !== 'sent') {
      const reason = outcome.kind === 'rejected' ? 'rejected' : items.count === 1 ? 'refused' : 'unsplit';
      aside.why = outcome.why;
      aside.counts.set(reason, (aside.counts.get(reason) ?? 0) + bad.size);
      this.#options.trouble.note(outcome.why);
      // What is sent once more stands in rejected/ from the first time, and stays there.
      if (again === undefined)
        for (const item of bad) aside.items.push(this.#rejected(items, item, { reason, why: outcome.why }));
    }
    this.#countSent(items, bad);
    if (settled === undefined) return;
    for (let item = 0; item < items.count; item++) settled(part.from + item, !bad.has(item));
  }

  #rejected(
    items: ItemBatch,
    item: number,
    told: { readonly reason: RejectedReason; readonly why: string },
  ): NewRejected {
    const { partition } = items;
    const content = { head: items.head(item), body: items.body(item) };
    const text = shownText(this.#options.exporter, partition.table, content);
    return { partition, row: items.row(item), rowTimeMs: items.time(item), ...told, ...content, text };
  }

  #countSent(items: ItemBatch, bad: ReadonlySet<number>): void {
    let highestMs = -Infinity;
    let bytes = 0;
    for (let item = 0; item < items.count; item++) {
      if (bad.size > 0 && bad.has(item)) continue;
      highestMs = Math.max(highestMs, items.time(item));
      if (bad.size > 0) bytes += items.body(item).length;
    }
    if (bad.size === 0) bytes = items.bodies.length;
    this.#options.meter.sent(items.partition.table, { items: items.count - bad.size, bytes, highestMs });
  }

  /** Items may have become too old while they waited. What somebody wants sent once more is not judged. */
  #withoutTooOld(part: Part, batch: Outgoing): Part {
    const { exporter, clock, meter } = this.#options;
    const { maxAgeMs } = exporter.settings;
    const { items } = part;
    if (maxAgeMs === undefined || batch.follower.again !== undefined) return part;
    const least = clock.epochMs() - maxAgeMs;
    let old = 0;
    for (let item = 0; item < items.count; item++) if (items.time(item) < least) old++;
    if (old === 0) return part;
    meter.dropped(items.partition.table, 'too_old', old);
    return { ...part, items: copyItems(items, (item) => items.time(item) >= least) };
  }
}

/** An item as text, whatever the protocol makes of it. */
export function shownText(
  exporter: Exporter,
  table: string,
  { head, body }: { readonly head: Uint8Array; readonly body: Uint8Array },
): string {
  try {
    return exporter.show(table, head, body);
  } catch (error) {
    return `(cannot be shown: ${errorText(error)})`;
  }
}

function badItems(items: ItemBatch, outcome: Verdict['outcome']): ReadonlySet<number> {
  if (outcome.kind === 'sent') return NONE;
  if (outcome.kind === 'refused') return new Set(allItems(items.count));
  return new Set(outcome.items.filter((item) => Number.isInteger(item) && item >= 0 && item < items.count));
}

const NONE: ReadonlySet<number> = new Set();
