import type { SendOutcome } from '../../../../src/base/ports.ts';
import { ItemBatch } from '../../../../src/delivery/item-batch.ts';
import { ItemWriter } from '../../../../src/delivery/item-writer.ts';
import type { Exporter } from '../../../../src/delivery/types.ts';
import { createKafkaExporter } from '../../../../src/exporters/kafka/exporter.ts';
import { HeadBuilder } from '../../../../src/exporters/kafka/message-head.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { kafkaConfig } from '../../../unit/exporters/kafka/encoded.ts';

/** Batches as lanes have them, given to the exporter without delivery around it. */

export const log = createLog({ level: 'silent' });
/**
 * When items begin, epoch milliseconds. Near now: a broker that starts again after it was killed does not know a producer any more whose last message
 * is older than a day (producer.id.expiration.ms), and takes what that one repeats.
 */
export const FIRST_MS = Date.now();
const partition = { org: 1, table: 'flow_log.l7_flow_log', writer: 'main' };

export interface Item {
  readonly body: string;
  readonly key?: string;
  readonly topic?: string;
}

/** Items whose rows are numbered from `firstRow`; times count milliseconds from FIRST_MS on. */
export function itemBatch(items: readonly Item[], topic: string, firstRow = 0): ItemBatch {
  const writer = new ItemWriter();
  const head = new HeadBuilder();
  for (const [i, item] of items.entries()) {
    const body = Buffer.from(item.body);
    writer.reserve(body.length);
    writer.bytes.set(body, writer.at);
    writer.at += body.length;
    head.begin(item.topic ?? topic);
    if (item.key !== undefined) head.setKey(Buffer.from(item.key), Buffer.byteLength(item.key));
    writer.end(firstRow + i, FIRST_MS + firstRow + i, head.bytes, head.length);
  }
  return new ItemBatch(partition, writer);
}

export function numbered(count: number, from = 0): Item[] {
  return Array.from({ length: count }, (_, i) => ({ body: JSON.stringify({ n: from + i }) }));
}

/** An exporter that is closed at the end of its test. */
export function exporter(
  endpoints: readonly string[],
  keys: Readonly<Record<string, unknown>> = {},
): Exporter & AsyncDisposable {
  const made = createKafkaExporter(kafkaConfig({ endpoints, ...keys }), { selectors: new Map(), log });
  return { ...made, [Symbol.asyncDispose]: () => made.close() };
}

export interface SendSettings {
  readonly lane?: number;
  readonly timeoutMs?: number;
}

export async function sendOnce(to: Exporter, items: ItemBatch, settings: SendSettings = {}): Promise<SendOutcome> {
  const signal = AbortSignal.timeout(settings.timeoutMs ?? 20_000);
  return to.send(items, { endpoint: 0, lane: settings.lane ?? 0, attempt: 0, signal });
}

/** As delivery does: the same batch again until there is another outcome than `retry`, and what was told on the way. */
export async function sendUntilDecided(
  to: Exporter,
  items: ItemBatch,
  settings: SendSettings & { deadlineMs?: number } = {},
) {
  const end = performance.now() + (settings.deadlineMs ?? 60_000);
  const retries: string[] = [];
  for (;;) {
    const outcome = await sendOnce(to, items, settings);
    if (outcome.kind !== 'retry') return { outcome, retries };
    retries.push(outcome.why);
    if (performance.now() > end) throw new Error(`no other outcome than retry: ${retries.slice(-3).join('; ')}`);
    await new Promise((resolve) => void setTimeout(resolve, outcome.afterMs ?? 250));
  }
}
