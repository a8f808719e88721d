import type { Batch } from '../../../../src/batch/batch.ts';
import { ItemBatch } from '../../../../src/delivery/item-batch.ts';
import { ItemWriter } from '../../../../src/delivery/item-writer.ts';
import type { EncodePass, ItemSink } from '../../../../src/delivery/types.ts';
import { kafkaExporterSchema, type KafkaExporterConfig } from '../../../../src/exporters/kafka/config.ts';

/** A configuration of which only this is said. */
export function kafkaConfig(keys: Readonly<Record<string, unknown>> = {}): KafkaExporterConfig {
  return kafkaExporterSchema.parse({
    protocol: 'kafka',
    'data-sources': ['flow_log.l7_flow_log'],
    endpoints: ['127.0.0.1:9092'],
    ...keys,
  });
}

export interface Encoded {
  readonly lane: number;
  readonly body: string;
  readonly head: Uint8Array;
  readonly row: number;
  readonly time: number;
}

export interface Rejected {
  readonly row: number;
  readonly why: string;
  readonly text: string;
}

/** Lanes that nobody empties: what they were given, and which rows were refused. */
export class Lanes implements ItemSink {
  readonly lanes: number;
  readonly writers: readonly ItemWriter[];
  readonly rejected: Rejected[] = [];

  constructor(lanes = 4) {
    this.lanes = lanes;
    this.writers = Array.from({ length: lanes }, () => new ItemWriter());
  }

  lane(lane: number): ItemWriter {
    return this.writers[lane]!;
  }

  spread(): ItemWriter {
    return this.writers[0]!;
  }

  reject(row: number, why: string, text: string): void {
    this.rejected.push({ row, why, text });
  }

  batch(lane: number): ItemBatch {
    return new ItemBatch({ org: 1, table: 'flow_log.l7_flow_log', writer: 'main' }, this.writers[lane]!);
  }

  items(): Encoded[] {
    return this.writers.flatMap((_, lane) => {
      const batch = this.batch(lane);
      return Array.from({ length: batch.count }, (__, item) => ({
        lane,
        body: Buffer.from(batch.body(item)).toString(),
        head: batch.head(item),
        row: batch.row(item),
        time: batch.time(item),
      }));
    });
  }
}

/** All rows that pass, encoded in one step. */
export function encodeAll(pass: EncodePass, lanes = new Lanes()): Lanes {
  pass.encode(0, pass.rows.length, lanes);
  return lanes;
}

export function passOptions(batch: Batch, config: KafkaExporterConfig) {
  return { batch, config, firstRow: 0, nowMs: 1_700_000_100_000 };
}
