import type { Producer } from '@platformatic/kafka';
import { errorText } from '../../base/errors.ts';
import type { SendOutcome } from '../../base/ports.ts';
import type { ItemBatch } from '../../delivery/item-batch.ts';
import type { KafkaClients } from './client.ts';
import type { KafkaExporterConfig } from './config.ts';
import type { DeadLetters } from './dead-letters.ts';
import { readHead } from './message-head.ts';
import { ACKS, headerMap, MessageMemory } from './messages.ts';
import type { TopicMaker } from './topic-maker.ts';
import { type Verdict, verdictOn } from './verdict.ts';

/** How long a batch may take before its failures are told; the client goes on meanwhile. */
const QUIET_MS = 3000;
/** How long a topic may be missing: one that was just made is not known everywhere at once. */
const MISSING_MS = 5000;
/** When to ask again for a batch that the client goes on with. */
const ASK_AGAIN_MS = 250;
/** Topics that are named where one is missing. */
const SHOWN_TOPICS = 4;
/** How long a batch may take to end when the exporter closes. */
const CLOSE_MS = 1000;

export interface ProducerLaneOptions {
  readonly config: KafkaExporterConfig;
  readonly clients: KafkaClients;
  readonly topics: TopicMaker;
  readonly deadLetters: DeadLetters;
}

/** A batch that the client was given. */
interface Pending {
  readonly items: ItemBatch;
  /** What became of it, once that is known. */
  readonly decided: PromiseWithResolvers<SendOutcome>;
  isDecided: boolean;
  readonly startedMs: number;
  /** Since when there is no such topic. */
  missingSince: number | undefined;
  /** Tells whoever waits that it takes longer. */
  tell: ((outcome: SendOutcome) => void) | undefined;
}

/**
 * One producer with at most one batch under way. A batch that takes long is not given to the client a second time while the client still works on it:
 * with the number that the broker knows it by, it is stored once, however long the broker was away. The caller is told `retry`, and when it comes again
 * with the same batch, it waits for the same result.
 */
export class ProducerLane {
  readonly #options: ProducerLaneOptions;
  #memory = new MessageMemory();
  #producer: Producer | undefined;
  #pending: Pending | undefined;
  #turn = Math.floor(Math.random() * 0x3fff_ffff);

  constructor(options: ProducerLaneOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#producer?.isConnected() === true;
  }

  async send(items: ItemBatch, signal: AbortSignal): Promise<SendOutcome> {
    if (this.#pending !== undefined && !isSame(this.#pending.items, items)) this.#drop();
    const pending = this.#pending ?? this.#begin(items);
    const told = await waitFor(pending, signal);
    if (!pending.isDecided) return told;
    // It may have been decided while somebody was being told that it takes longer: were that the answer, it would be sent again.
    const outcome = await pending.decided.promise;
    if (this.#pending === pending) this.#pending = undefined;
    return outcome;
  }

  /** Waits a little for the batch under way, then ends the connections. */
  async close(): Promise<void> {
    if (this.#pending !== undefined) await waitFor(this.#pending, AbortSignal.timeout(CLOSE_MS));
    const producer = this.#producer;
    this.#producer = undefined;
    this.#pending = undefined;
    await producer?.close().catch(() => {});
  }

  #begin(items: ItemBatch): Pending {
    const pending: Pending = {
      items,
      decided: Promise.withResolvers(),
      isDecided: false,
      startedMs: performance.now(),
      missingSince: undefined,
      tell: undefined,
    };
    this.#pending = pending;
    pending.decided.promise.catch(() => {});
    this.#run(pending).then(
      (outcome) => this.#decide(pending, outcome),
      // Errors of the client are outcomes; this is another one, and whoever waits is to see it.
      (error: unknown) => pending.decided.reject(error),
    );
    return pending;
  }

  async #run(pending: Pending): Promise<SendOutcome> {
    const { config, topics: maker, deadLetters } = this.#options;
    const { items } = pending;
    const producer = await this.#open(pending);
    if ('kind' in producer) return producer;
    const { messages, tooLarge, topics } = this.#memory.build(items, {
      turn: this.#nextTurn(),
      headers: headerMap(new Map([...config.headers, ['datasource', items.partition.table]])),
      maxMessageBytes: config.maxMessageBytes,
    });
    let rejected = tooLarge;
    let why = `larger than max-message-bytes (${config.maxMessageBytes})`;
    if (messages.length > 0) {
      await maker.ensure(topics);
      try {
        await producer.send({ messages, acks: ACKS[config.acks], compression: config.compression });
      } catch (error) {
        const verdict = this.#verdictOn(error, items);
        if (verdict.kind !== 'batch') return this.#failed(pending, verdict) ?? { kind: 'retry', why: verdict.why };
        if (items.count > 1) return { kind: 'refused', why: verdict.why };
        rejected = [0];
        ({ why } = verdict);
      }
    }
    if (rejected.length === 0) return { kind: 'sent' };
    await deadLetters.send(producer, { items, rejected, why });
    return { kind: 'rejected', items: rejected, why };
  }

  async #open(pending: Pending): Promise<Producer | SendOutcome> {
    if (this.#producer !== undefined) return this.#producer;
    let producer: Producer;
    try {
      producer = await this.#options.clients.producer((error) => {
        if (this.#producer === producer) this.#note(this.#verdictOn(error, pending.items));
      });
    } catch (error) {
      return { kind: 'misconfigured', why: errorText(error) };
    }
    if (this.#pending !== pending) {
      closeQuietly(producer);
      return { kind: 'retry', why: 'given up for another batch' };
    }
    this.#producer = producer;
    return producer;
  }

  /** The client failed and is going to try again. */
  #note(verdict: Verdict): void {
    const pending = this.#pending;
    if (pending === undefined || pending.isDecided) return;
    const outcome = this.#failed(pending, verdict);
    if (outcome !== undefined) {
      this.#decide(pending, outcome);
      return;
    }
    if (performance.now() - pending.startedMs >= QUIET_MS) {
      pending.tell?.({ kind: 'retry', why: verdict.why, afterMs: ASK_AGAIN_MS });
    }
  }

  /** What a failure decides, if it does. */
  #failed(pending: Pending, { kind, why }: Verdict): SendOutcome | undefined {
    if (kind === 'topic') {
      const now = performance.now();
      if (pending.missingSince === undefined) {
        pending.missingSince = now;
        const { topics } = this.#options;
        topics.forget();
        void topics.ensure(topicsOf(pending.items));
      }
      if (now - pending.missingSince < MISSING_MS) return undefined;
    } else if (kind !== 'config') return undefined;
    // The next client reads passwords and certificates anew.
    this.#drop();
    return { kind: 'misconfigured', why };
  }

  #decide(pending: Pending, outcome: SendOutcome): void {
    if (pending.isDecided) return;
    pending.isDecided = true;
    pending.decided.resolve(outcome);
  }

  #verdictOn(error: unknown, items: ItemBatch): Verdict {
    const { kind, why } = verdictOn(error, this.#options.config.endpoints.join(','));
    if (kind !== 'topic') return { kind, why };
    // The broker does not say which one it means.
    const topics = [...topicsOf(items)];
    const more = topics.length > SHOWN_TOPICS ? `, and ${topics.length - SHOWN_TOPICS} others` : '';
    return { kind, why: `${why}: ${topics.slice(0, SHOWN_TOPICS).join(', ')}${more}` };
  }

  #nextTurn(): number {
    this.#turn = (this.#turn + 1) & 0x7fff_ffff;
    return this.#turn;
  }

  /** Gives up the client and what it does. Its memory is left to it: it may still be writing. */
  #drop(): void {
    const producer = this.#producer;
    this.#producer = undefined;
    this.#pending = undefined;
    this.#memory = new MessageMemory();
    if (producer !== undefined) closeQuietly(producer);
  }
}

/** The result, or `retry` when the client fails for long or the signal aborts; the client goes on then. */
async function waitFor(pending: Pending, signal: AbortSignal): Promise<SendOutcome> {
  const { promise, resolve } = Promise.withResolvers<SendOutcome>();
  const abort = () => resolve({ kind: 'retry', why: 'no answer in time', afterMs: ASK_AGAIN_MS });
  pending.tell = resolve;
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([pending.decided.promise, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    pending.tell = undefined;
  }
}

function closeQuietly(producer: Producer): void {
  producer.close().catch(() => {});
}

function topicsOf(items: ItemBatch): Set<string> {
  const topics = new Set<string>();
  for (let item = 0; item < items.count; item++) topics.add(readHead(items.head(item)).topic);
  return topics;
}

/** Whether these are the same items, though perhaps another view of them. */
function isSame(one: ItemBatch, other: ItemBatch): boolean {
  if (one === other) return true;
  const last = one.count - 1;
  return (
    one.count === other.count &&
    one.partition.table === other.partition.table &&
    one.partition.org === other.partition.org &&
    one.partition.writer === other.partition.writer &&
    one.row(0) === other.row(0) &&
    one.row(last) === other.row(last) &&
    one.bodies.length === other.bodies.length
  );
}
