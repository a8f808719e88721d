import type { SendOutcome } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import type { ItemBatch } from './item-batch.ts';
import type { ItemWriter } from './item-writer.ts';

/** What delivery is handed of one exporter: who it is, what it reads, and the protocol's functions. */
export interface Exporter {
  /** Identity of its cursor and its rejected items: `[a-z0-9-]{1,64}`. */
  readonly name: string;
  readonly protocol: string;
  /** Equal for equal settings: an exporter that is the same after a reload runs on. */
  readonly fingerprint: string;
  /** Ids of the data sources it reads. */
  readonly tables: readonly string[];
  /** Where it sends to, as shown to people: no login, no query. Each is tried in turn; a client that knows several servers by itself is one. */
  readonly endpoints: readonly string[];
  readonly settings: DeliverySettings;
  /** Fetches what rows of the Batch need before they can be encoded. */
  prepare?(batch: Batch): Promise<void>;
  /** Applies the filters. `firstRow` is the place of the Batch's first row in its partition. */
  begin(batch: Batch, firstRow: number, nowMs: number): EncodePass;
  /**
   * Sends one batch to `endpoints[endpoint]`. Called once at a time per lane; ends early when the signal aborts (timeout or stop), with `retry`.
   */
  send(items: ItemBatch, target: SendTarget): Promise<SendOutcome>;
  /** An item as one line of text, for the tap and for rejected items. */
  show(table: string, head: Uint8Array, body: Uint8Array): string;
  /** What the protocol knows about itself (negotiated version, topics), for the state. */
  state?(): Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

export interface SendTarget {
  readonly endpoint: number;
  readonly lane: number;
  /** Times that this batch was sent before. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export interface DeliverySettings {
  /** Lanes, each with one request in flight (`queue-count`). */
  readonly lanes: number;
  /** Items in one request (`batch-size`). */
  readonly batchItems: number;
  /** Bytes of item bodies in one request at which it is sent. A single larger item goes alone. */
  readonly batchBytes: number;
  /** Longest time that items wait for more, in milliseconds (`flush-timeout`). */
  readonly flushMs: number;
  /** Rows that a lane may run ahead of what is confirmed (`queue-size`). */
  readonly queueRows: number;
  /** Encoded bytes of all lanes at which reading stops. */
  readonly queueBytes: number;
  /** Longest time of one send, in milliseconds. */
  readonly timeoutMs: number;
  /** Back-off: doubles from `initialMs` to `maxMs`; with jitter, a random part of it. */
  readonly retry: { readonly initialMs: number; readonly maxMs: number; readonly jitter: boolean };
  /** Rows older than this are dropped and counted; absent = never. */
  readonly maxAgeMs?: number | undefined;
  readonly maxBacklogBytes: number;
  readonly from: 'tail' | 'oldest';
}

/** One Batch on its way through an exporter. */
export interface EncodePass {
  /** Rows that pass the filters, as indexes in the Batch, in order. */
  readonly rows: Uint32Array;
  /** Rows left out, by reason (`filter`, `too_old`, `self_traffic`, `imported`). */
  readonly left: ReadonlyMap<string, number>;
  /** Encodes `rows[from]` to `rows[to - 1]` into the lanes. Rows that cannot be encoded are told to the sink; it never throws for a row. */
  encode(from: number, to: number, sink: ItemSink): void;
}

export interface ItemSink {
  readonly lanes: number;
  /**
   * Lane of everything that must stay in order with a key: `hash % lanes`. The writer is good until `encode` returns; who asks again for every row gets
   * a new one when a batch is full, so that batches have the size that is configured.
   */
  lane(lane: number): ItemWriter;
  /** Lane for items without an order; the same until its batch is full. Ask for every row. */
  spread(): ItemWriter;
  /** A row (place in the partition) that cannot be sent, with the reason and, if any, what there is of it. */
  reject(row: number, why: string, text: string): void;
}
