import type { ItemBatch } from '../../delivery/item-batch.ts';
import { HeadReader } from './message-head.ts';
import { partitionNumber } from './murmur2.ts';

/** As Kafka numbers them. */
export const ACKS = { all: -1, leader: 1, none: 0 } as const;

/** A message as the client takes it. */
export interface Message {
  readonly topic: string;
  readonly key?: Buffer;
  readonly value: Buffer;
  /** Any number: the client takes its remainder by the topic's partitions. */
  readonly partition: number;
  readonly timestamp: bigint;
  readonly headers: Map<Buffer, Buffer>;
}

export interface MessageOptions {
  /** Partition of messages without a key: one for the whole batch, so that it is stored as a whole or not at all. */
  readonly turn: number;
  readonly headers: Map<Buffer, Buffer>;
  readonly maxMessageBytes: number;
}

export interface Messages {
  readonly messages: Message[];
  /** Items that are larger than a message may be. */
  readonly tooLarge: readonly number[];
  readonly topics: ReadonlySet<string>;
}

/**
 * The items of a batch as messages over memory of their own: the client may go on with them after the batch was given up. The memory is used again for
 * the next batch.
 */
export class MessageMemory {
  #bytes = Buffer.alloc(0);
  readonly #heads = new HeadReader();

  build(items: ItemBatch, options: MessageOptions): Messages {
    const messages: Message[] = [];
    const tooLarge: number[] = [];
    const topics = new Set<string>();
    this.#reserve(items);
    let at = 0;
    const keep = (from: Uint8Array): Buffer => {
      const start = at;
      this.#bytes.set(from, at);
      at += from.length;
      return this.#bytes.subarray(start, at);
    };
    for (let item = 0; item < items.count; item++) {
      const body = items.body(item);
      const { topic, key } = this.#heads.read(items.head(item));
      if (body.length + (key?.length ?? 0) > options.maxMessageBytes) {
        tooLarge.push(item);
        continue;
      }
      topics.add(topic);
      messages.push({
        topic,
        ...(key === undefined ? {} : { key: keep(key) }),
        value: keep(body),
        partition: key === undefined ? options.turn : partitionNumber(key),
        timestamp: BigInt(Math.floor(items.time(item))),
        headers: options.headers,
      });
    }
    return { messages, tooLarge, topics };
  }

  #reserve(items: ItemBatch): void {
    let needed = items.bodies.length;
    for (let item = 0; item < items.count; item++) needed += items.head(item).length;
    if (needed > this.#bytes.length || needed * 8 < this.#bytes.length) this.#bytes = Buffer.alloc(needed);
  }
}

export function headerMap(headers: ReadonlyMap<string, string>): Map<Buffer, Buffer> {
  return new Map([...headers].map(([name, text]) => [Buffer.from(name), Buffer.from(text)]));
}
