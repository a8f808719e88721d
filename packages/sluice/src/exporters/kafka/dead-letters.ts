import type { Producer } from '@platformatic/kafka';
import type { ItemBatch } from '../../delivery/item-batch.ts';
import { type Log, rateLimited } from '../../telemetry/log.ts';
import type { KafkaExporterConfig } from './config.ts';
import { readHead } from './message-head.ts';
import { ACKS, headerMap, type Message } from './messages.ts';
import { verdictOn } from './verdict.ts';

export interface Rejected {
  readonly items: ItemBatch;
  /** Indexes of items. */
  readonly rejected: readonly number[];
  readonly why: string;
}

const COMPLAIN_MS = 10_000;
const MOST_REASON = 1000;
/** What of a message that is too large goes to the dead-letter topic. */
const MOST_CUT = 64 * 1024;

/**
 * Sends rejected messages to the dead-letter topic, if there is one: key and value as they are (one that is larger than a message may be is cut, with a
 * header `sluice-cut-from: <bytes>`), and headers `sluice-reason`, `sluice-topic`, `sluice-row` and those of every message. They stand in the exporter's
 * folder of rejected items as well, so a failure here loses nothing and is only told.
 */
export class DeadLetters {
  readonly #config: KafkaExporterConfig;
  readonly #log: Log;
  readonly #complain = rateLimited(COMPLAIN_MS);

  constructor(config: KafkaExporterConfig, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  async send(producer: Producer, rejected: Rejected): Promise<void> {
    const { deadLetterTopic: topic, acks, compression, name } = this.#config;
    if (topic === undefined) return;
    // One by one: a letter that is refused here as well takes no others with it.
    for (const item of rejected.rejected) {
      try {
        const message = this.#letter(topic, rejected, item);
        await producer.send({ messages: [message], acks: ACKS[acks], compression });
      } catch (error) {
        const { why } = verdictOn(error, this.#config.endpoints.join(','));
        this.#complain((suppressed) =>
          this.#log.warn({ exporter: name, topic, why, suppressed }, 'cannot send to the dead-letter topic'),
        );
        return;
      }
    }
  }

  #letter(deadLetterTopic: string, { items, why }: Rejected, item: number): Message {
    const { maxMessageBytes, headers } = this.#config;
    const { topic, key } = readHead(items.head(item));
    const body = Buffer.from(items.body(item));
    const isCut = body.length + (key?.length ?? 0) > maxMessageBytes;
    const { table, org } = items.partition;
    return {
      topic: deadLetterTopic,
      ...(key === undefined || isCut ? {} : { key: Buffer.from(key) }),
      value: isCut ? body.subarray(0, Math.min(MOST_CUT, maxMessageBytes >> 1)) : body,
      partition: items.row(item),
      timestamp: BigInt(Math.floor(items.time(item))),
      headers: headerMap(
        new Map([
          ...headers,
          ['datasource', table],
          ['sluice-reason', why.slice(0, MOST_REASON)],
          ['sluice-topic', topic],
          ['sluice-org', String(org)],
          ['sluice-row', String(items.row(item))],
          ...(isCut ? ([['sluice-cut-from', String(body.length)]] as const) : []),
        ]),
      ),
    };
  }
}
