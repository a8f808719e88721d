/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The buffered writer. Series are spread over shards by the hash of their labels; a shard keeps their order and has
 * one request in flight, so the points of a series never overtake each other (section 1.5).
 */
import type { Client } from './client.ts';
import type { PointCounts } from './codec/tally.ts';
import type { TimeSeries, WriteRequest } from './codec/time-series.ts';
import { WriteAbortedError, WriteError, WriteQueueFullError } from './errors.ts';
import { checkNumber, oneOf } from './options.ts';
import { countPoints, makeEntries, withoutOld, type QueueEntry } from './queue-entry.ts';
import { CounterStore, type QueueCounters } from './queue-counters.ts';
import { isRetried, retryDelay, retryPolicy, sleep, type RetryOptions, type RetryPolicy } from './retry.ts';
import { Shard, type Waiter } from './shard.ts';

/** What `append` does when the shard of a series is full. */
export type Overflow =
  /** Wait until there is room. */
  | 'block'
  /** Drop the oldest points of the shard. */
  | 'drop-oldest'
  /** Drop what is being appended. */
  | 'drop-newest'
  /** Reject with WriteQueueFullError; nothing of the call is taken. */
  | 'error';

/** Options of a queue, in Prometheus' terms (`queue_config`). Times are in milliseconds. */
export interface QueueOptions {
  /** Samples, histograms and exemplars a shard holds, the batch being sent not counted. Default 10000. */
  readonly capacity?: number | undefined;
  /** Samples, histograms and exemplars per request, default 2000. */
  readonly maxSamplesPerSend?: number | undefined;
  /** Longest wait of a point before a batch that is not full is sent, default 5000 ms. */
  readonly batchSendDeadline?: number | undefined;
  /** Shards at the start, default 1. */
  readonly minShards?: number | undefined;
  /** Most shards, default 4. Their number doubles when a full batch is left behind one just sent. */
  readonly maxShards?: number | undefined;
  /** Points older than this many milliseconds are dropped instead of sent or sent again. Default: no limit. */
  readonly sampleAgeLimit?: number | undefined;
  /** Default `block`. */
  readonly overflow?: Overflow | undefined;
  /** Retry rules; default those of the client, but with `maxRetries: Infinity`. */
  readonly retry?: RetryOptions | false | undefined;
  /** Called when points are lost because the receiver refused them, with how many. What it throws is ignored. */
  readonly onError?: ((error: unknown, lost: Readonly<PointCounts>) => void) | undefined;
}

const KNOWN_OPTIONS: ReadonlySet<string> = new Set<keyof QueueOptions>([
  'capacity',
  'maxSamplesPerSend',
  'batchSendDeadline',
  'minShards',
  'maxShards',
  'sampleAgeLimit',
  'overflow',
  'retry',
  'onError',
]);

interface FlushWaiter {
  /** Everything with a sequence up to this one must be finished. */
  readonly sequence: () => number;
  readonly resolve: () => void;
}

/** A queue in front of a client. Make it with {@link createQueue}. */
export class WriteQueue {
  readonly #client: Client;
  readonly #capacity: number;
  readonly #batchSize: number;
  readonly #deadline: number;
  readonly #maxShards: number;
  readonly #ageLimit: number;
  readonly #overflow: Overflow;
  readonly #retry: RetryPolicy;
  readonly #onError: QueueOptions['onError'];
  readonly #counters = new CounterStore();
  readonly #abort = new AbortController();
  #shards: Shard[];
  #wantedShards: number;
  #sequence = 0;
  /** Entries up to this sequence are sent without waiting for a full batch. */
  #flushTo = 0;
  #flushWaiters: FlushWaiter[] = [];
  #closing: Promise<void> | undefined;

  /** @throws RangeError or TypeError if an option is invalid. */
  constructor(client: Client, options: QueueOptions = {}) {
    const unknown = Object.keys(options).find((key) => !KNOWN_OPTIONS.has(key));
    if (unknown !== undefined) {
      throw new TypeError(`cannot create queue: ${JSON.stringify(unknown)} is not an option; check its spelling`);
    }
    this.#client = client;
    this.#capacity = checkNumber('capacity', options.capacity ?? 10_000, 1);
    this.#batchSize = Math.min(checkNumber('maxSamplesPerSend', options.maxSamplesPerSend ?? 2000, 1), this.#capacity);
    this.#deadline = checkNumber('batchSendDeadline', options.batchSendDeadline ?? 5000, 0);
    const minShards = checkNumber('minShards', options.minShards ?? 1, 1);
    this.#maxShards = checkNumber('maxShards', options.maxShards ?? Math.max(4, minShards), minShards);
    this.#ageLimit = checkNumber('sampleAgeLimit', options.sampleAgeLimit ?? Number.POSITIVE_INFINITY, 0);
    this.#overflow = oneOf<Overflow>('overflow', options.overflow ?? 'block', [
      'block',
      'drop-oldest',
      'drop-newest',
      'error',
    ]);
    const endless = { ...client.retry, maxRetries: Number.POSITIVE_INFINITY };
    this.#retry = retryPolicy(options.retry, endless);
    this.#onError = options.onError;
    this.#shards = Array.from({ length: Math.floor(minShards) }, () => new Shard());
    this.#wantedShards = this.#shards.length;
  }

  /** The counters now. */
  get counters(): QueueCounters {
    return this.#counters.snapshot(this.#shards.length);
  }

  /**
   * Puts series into the queue. Points without a timestamp get the current time. The caller may change its objects
   * afterwards, except typed arrays and lists inside of histograms.
   *
   * @param options `signal` stops waiting for room (mode `block`); what had found room stays in the queue.
   * @returns when everything has its place in the queue (not when it has been sent: see {@link flush}).
   * @throws WriteValidationError if the data is invalid, WriteQueueFullError (mode `error`), WriteAbortedError if the
   *   queue is closed or the signal aborts.
   */
  async append(
    data: TimeSeries | readonly TimeSeries[] | WriteRequest,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    if (this.#closing !== undefined) throw new WriteAbortedError('cannot append to the queue: it is closed');
    if (options.signal?.aborted === true) {
      throw new WriteAbortedError('cannot append to the queue: aborted', { cause: options.signal.reason });
    }
    const { timeseries, dropped } = this.#client.prepare(data);
    this.#counters.dropped('invalid', dropped);
    const entries = timeseries.flatMap((series) => makeEntries(series, this.#batchSize, () => ++this.#sequence));
    if (this.#overflow === 'error') this.#assertRoom(entries);
    const waits: Promise<void>[] = [];
    for (const entry of entries) {
      const wait = this.#admit(entry, options.signal);
      if (wait !== undefined) waits.push(wait);
    }
    for (const shard of this.#shards) this.#schedule(shard);
    if (waits.length > 0) await Promise.all(waits);
  }

  /** Sends everything appended so far without waiting for full batches; resolves when it is sent, refused or dropped. */
  flush(): Promise<void> {
    const target = this.#sequence;
    return this.#finish(() => target);
  }

  /** Like {@link flush}, but also for what is appended meanwhile: resolves when the queue is empty. */
  drain(): Promise<void> {
    return this.#finish(() => this.#sequence);
  }

  /**
   * Refuses further appends and drains the queue. What is left when the time is up is dropped and counted with reason
   * `shutdown`; requests under way are aborted then. The client stays open.
   *
   * @param options `timeout` in milliseconds, default 60000; 0 = drop everything at once.
   */
  close(options: { readonly timeout?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#shutDown(options.timeout ?? 60_000);
    return this.#closing;
  }

  /** Same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shutDown(timeout: number): Promise<void> {
    const timer = setTimeout(() => this.#giveUp(), Math.min(timeout, 0x7fffffff));
    await this.drain();
    clearTimeout(timer);
  }

  #giveUp(): void {
    this.#abort.abort(new Error('the queue was closed'));
    for (const shard of this.#shards) {
      clearTimeout(shard.timer);
      this.#drop('shutdown', shard.takeAll());
      for (const waiter of shard.takeWaiters()) {
        waiter.reject(new WriteAbortedError('cannot append to the queue: it was closed before there was room'));
      }
    }
    this.#checkFlushes();
  }

  #shardOf(entry: QueueEntry): Shard {
    return this.#shards[entry.hash % this.#shards.length]!;
  }

  #assertRoom(entries: readonly QueueEntry[]): void {
    const needed = new Map<Shard, number>();
    for (const entry of entries) {
      const shard = this.#shardOf(entry);
      const points = (needed.get(shard) ?? shard.points) + entry.points;
      if (points > this.#capacity) throw new WriteQueueFullError(this.#capacity);
      needed.set(shard, points);
    }
  }

  /** Lets an entry into its shard; returns a promise if it has to wait for room. */
  #admit(entry: QueueEntry, signal: AbortSignal | undefined): Promise<void> | undefined {
    const shard = this.#shardOf(entry);
    const hasRoom = shard.waiting.length === 0 && shard.points + entry.points <= this.#capacity;
    if (hasRoom) {
      this.#enter(shard, entry);
      return undefined;
    }
    if (this.#overflow === 'block') return this.#wait(shard, entry, signal);
    if (this.#overflow === 'drop-newest' || this.#overflow === 'error') {
      this.#counters.dropped('queue_full', countPoints([entry]));
      return undefined;
    }
    while (shard.points + entry.points > this.#capacity) {
      const oldest = shard.shift();
      if (oldest === undefined) break;
      this.#drop('queue_full', [oldest]);
    }
    this.#enter(shard, entry);
    return undefined;
  }

  #enter(shard: Shard, entry: QueueEntry): void {
    shard.push(entry);
    this.#counters.appended(countPoints([entry]));
  }

  #wait(shard: Shard, entry: QueueEntry, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        entry,
        admit: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      const onAbort = (): void => {
        // Shards may have been rebuilt since.
        if (!this.#shards.some((candidate) => candidate.removeWaiter(waiter))) return;
        waiter.reject(
          new WriteAbortedError('cannot append to the queue: aborted while waiting for room', {
            cause: signal?.reason,
          }),
        );
        this.#checkFlushes();
      };
      signal?.addEventListener('abort', onAbort);
      shard.wait(waiter);
    });
  }

  /** Starts sending if a batch is due, else sets the timer for when it will be. */
  #schedule(shard: Shard): void {
    clearTimeout(shard.timer);
    const { first } = shard;
    if (shard.sending.length > 0 || first === undefined || this.#wantedShards !== this.#shards.length) return;
    const due = first.appendedAt + this.#deadline - performance.now();
    if (shard.points >= this.#batchSize || shard.waiting.length > 0 || first.sequence <= this.#flushTo || due <= 0) {
      void this.#send(shard);
    } else {
      shard.timer = setTimeout(() => this.#schedule(shard), Math.min(Math.ceil(due), 0x7fffffff));
    }
  }

  async #send(shard: Shard): Promise<void> {
    const batch = shard.takeBatch(this.#batchSize);
    shard.sending = batch;
    this.#letIn(shard);
    const started = performance.now();
    try {
      await this.#deliver(batch);
    } finally {
      this.#counters.batchDone(performance.now() - started);
      shard.sending = [];
      if (shard.points >= this.#batchSize && this.#shards.length < this.#maxShards && !this.#abort.signal.aborted) {
        this.#wantedShards = Math.min(this.#maxShards, this.#shards.length * 2);
      }
      this.#reshard();
      for (const each of this.#shards) this.#schedule(each);
      this.#checkFlushes();
    }
  }

  /** Sends one batch until it is accepted, refused, too old or the queue gives up. Never throws. */
  async #deliver(batch: readonly QueueEntry[]): Promise<void> {
    let entries = batch;
    let counted = false;
    const started = performance.now();
    for (let attempt = 0; ; attempt++) {
      entries = this.#dropOld(entries);
      if (entries.length === 0) return;
      const counts = countPoints(entries);
      if (!counted) this.#counters.sent(counts);
      counted = true;
      try {
        const result = await this.#client.write(
          { timeseries: entries.map((entry) => entry.series) },
          { signal: this.#abort.signal, retry: false, earlierAttempts: attempt },
        );
        this.#counters.accepted(result.requestBytes, highestTimestamp(entries));
        if (result.dropped.histograms > 0) {
          this.#counters.dropped('nhcb_in_rw1_not_supported', { ...NO_POINTS, histograms: result.dropped.histograms });
        }
        if (result.stats.confirmed) {
          const sent = { ...counts, histograms: counts.histograms - result.dropped.histograms };
          this.#counters.failed(difference(sent, result.stats));
        }
        this.#counters.left(counts);
        return;
      } catch (error) {
        if (this.#abort.signal.aborted) {
          this.#drop('shutdown', entries);
          return;
        }
        if (error instanceof WriteError && isRetried(error, this.#retry) && attempt < this.#retry.maxRetries) {
          const delay = retryDelay(this.#retry, attempt, error.retryAfter);
          if (performance.now() - started + delay <= this.#retry.maxElapsed) {
            this.#counters.retried(counts);
            await sleep(delay, this.#abort.signal);
            continue;
          }
        }
        this.#refused(error, counts);
        return;
      }
    }
  }

  #refused(error: unknown, counts: PointCounts): void {
    const lost = error instanceof WriteError ? difference(counts, error.stats) : counts;
    this.#counters.failed(lost);
    this.#counters.left(counts);
    try {
      this.#onError?.(error, lost);
    } catch {
      // A hook that fails must not stop the queue.
    }
  }

  #dropOld(entries: readonly QueueEntry[]): readonly QueueEntry[] {
    if (this.#ageLimit === Number.POSITIVE_INFINITY) return entries;
    const kept = withoutOld(entries, Date.now() - this.#ageLimit);
    const old = difference(countPoints(entries), countPoints(kept));
    this.#counters.dropped('too_old', old);
    this.#counters.left(old);
    return kept;
  }

  #drop(reason: 'queue_full' | 'shutdown', entries: readonly QueueEntry[]): void {
    const counts = countPoints(entries);
    this.#counters.dropped(reason, counts);
    this.#counters.left(counts);
  }

  /** Admits those who wait, in order, while there is room. */
  #letIn(shard: Shard): void {
    for (let next = shard.waiting[0]; next !== undefined; next = shard.waiting[0]) {
      if (shard.points + next.entry.points > this.#capacity) return;
      shard.nextWaiter();
      this.#enter(shard, next.entry);
      next.admit();
    }
  }

  /**
   * Spreads all entries over the wanted number of shards. Only when nothing is being sent: else a series could get
   * ahead of its own points in flight. Entries and waiters keep their order of appending.
   */
  #reshard(): void {
    if (this.#wantedShards === this.#shards.length || this.#shards.some((shard) => shard.sending.length > 0)) return;
    const entries = this.#shards.flatMap((shard) => shard.takeAll()).toSorted(bySequence);
    const waiters = this.#shards
      .flatMap((shard) => shard.takeWaiters())
      .toSorted((left, right) => bySequence(left.entry, right.entry));
    for (const shard of this.#shards) clearTimeout(shard.timer);
    this.#shards = Array.from({ length: this.#wantedShards }, () => new Shard());
    for (const entry of entries) this.#shardOf(entry).push(entry);
    for (const waiter of waiters) this.#shardOf(waiter.entry).wait(waiter);
    for (const shard of this.#shards) this.#letIn(shard);
  }

  #finish(sequence: () => number): Promise<void> {
    return new Promise((resolve) => {
      this.#flushWaiters.push({ sequence, resolve });
      this.#checkFlushes();
    });
  }

  #checkFlushes(): void {
    if (this.#flushWaiters.length === 0) return;
    const least = Math.min(...this.#shards.map((shard) => shard.leastSequence));
    this.#flushWaiters = this.#flushWaiters.filter((waiter) => {
      const target = waiter.sequence();
      if (least > target) {
        waiter.resolve();
        return false;
      }
      this.#flushTo = Math.max(this.#flushTo, target);
      return true;
    });
    for (const shard of this.#shards) this.#schedule(shard);
  }
}

/**
 * Makes a queue in front of a client: batches, keeps the order of every series, retries until the receiver is back.
 *
 * @example
 * const queue = createQueue(createClient(url));
 * await queue.append({ labels: { __name__: 'jobs_done_total', job: 'mail' }, sample: { value: 3 } });
 * await queue.close();
 */
export function createQueue(client: Client, options?: QueueOptions): WriteQueue {
  return new WriteQueue(client, options);
}

const NO_POINTS: Readonly<PointCounts> = { samples: 0, histograms: 0, exemplars: 0 };

function bySequence(left: QueueEntry, right: QueueEntry): number {
  return left.sequence - right.sequence;
}

function difference(from: Readonly<PointCounts>, written: Readonly<PointCounts>): PointCounts {
  return {
    samples: Math.max(0, from.samples - written.samples),
    histograms: Math.max(0, from.histograms - written.histograms),
    exemplars: Math.max(0, from.exemplars - written.exemplars),
  };
}

function highestTimestamp(entries: readonly QueueEntry[]): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const { series } of entries) {
    for (const { timestamp } of series.samples) highest = Math.max(highest, Number(timestamp));
    for (const { timestamp } of series.histograms) highest = Math.max(highest, Number(timestamp));
  }
  return highest;
}
