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
import type { NewRejected, RejectedReason } from './rejected-format.ts';
import type { Trouble } from './trouble.ts';
import type { Exporter } from './types.ts';

/** How long a wrong configuration is left alone before it is tried again. */
const PROBE_MS = 30_000;
/** Halvings of one batch; when all its items are bad, finding each alone would take twice as many requests as there are items. */
const MOST_HALVINGS = 256;

export interface BatchSenderOptions {
  readonly exporter: Exporter;
  readonly endpoints: Endpoints;
  readonly gate: ProbeGate;
  readonly pauses: Pauses;
  readonly trouble: Trouble;
  readonly meter: ExporterMeter;
  readonly clock: Clock;
  readonly random: () => number;
  /** Keeps rejected items; resolves when they are on the disk, false when that was given up because the exporter stops. */
  readonly keep: (rejected: readonly NewRejected[]) => Promise<boolean>;
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

/** Sends the batches of one lane, one after the other, each until all its items are sent, set aside or too old. */
export class BatchSender {
  readonly #lane: number;
  readonly #who: string;
  readonly #options: BatchSenderOptions;
  #current: AbortController | undefined;
  #isCutOff = false;

  constructor(lane: number, options: BatchSenderOptions) {
    this.#lane = lane;
    this.#who = `lane ${lane}`;
    this.#options = options;
  }

  /** Resolves with true when the batch is dealt with, with false when the exporter stops before; what is left then is not confirmed. */
  async send(batch: Outgoing): Promise<boolean> {
    const parts: Part[] = [{ items: batch.items, from: 0, to: batch.items.count }];
    // Kept together at the end: it takes a write to the disk.
    const aside: NewRejected[] = [];
    let halvings = MOST_HALVINGS;
    for (let first = parts[0]; first !== undefined; first = parts[0]) {
      const verdict = await this.#untilDecided(first, batch);
      if (verdict === undefined) return false;
      const { outcome, part } = verdict;
      const { items, from, to } = part;
      if (outcome.kind === 'refused' && items.count > 1 && halvings > 0) {
        halvings--;
        const middle = items.count >> 1;
        const half = from + middle;
        parts.splice(0, 1, { items: items.slice(0, middle), from, to: half });
        parts.splice(1, 0, { items: items.slice(middle, items.count), from: half, to });
        continue;
      }
      this.#finish(part, outcome, { batch, aside });
      parts.shift();
      // Until rejected items are on the disk, their rows are not done.
      if (parts.length > 0 && aside.length === 0) batch.follower.done(to, leastRowFrom(batch.items, to));
    }
    return aside.length === 0 || this.#options.keep(aside);
  }

  /** Ends the send that is under way, and lets no other begin. */
  cutOff(): void {
    this.#isCutOff = true;
    this.#current?.abort(new Error('the exporter stops'));
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

  /** Counts what became of a part; what was rejected of it is to be set aside. */
  #finish(
    part: Part,
    outcome: Verdict['outcome'],
    { batch, aside }: { readonly batch: Outgoing; readonly aside: NewRejected[] },
  ): void {
    const { items } = part;
    const { again, settled } = batch.follower;
    const bad = outcome.kind === 'sent' ? new Set<number>() : badItems(items, outcome);
    if (bad.size > 0 && outcome.kind !== 'sent') {
      const { trouble, meter } = this.#options;
      const reason = outcome.kind === 'rejected' ? 'rejected' : items.count === 1 ? 'refused' : 'unsplit';
      trouble.note(outcome.why);
      meter.rejected(items.partition.table, reason, bad.size);
      // What is sent once more stands in rejected/ from the first time, and stays there.
      if (again === undefined)
        for (const item of bad) aside.push(this.#rejected(items, item, { reason, why: outcome.why }));
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

function badItems(items: ItemBatch, outcome: Exclude<Verdict['outcome'], { readonly kind: 'sent' }>): Set<number> {
  if (outcome.kind === 'refused') return new Set(allItems(items.count));
  return new Set(outcome.items.filter((item) => Number.isInteger(item) && item >= 0 && item < items.count));
}
