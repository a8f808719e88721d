import type { EncodePass, ItemSink } from '../../../../src/delivery/types.ts';
import { ItemBatch } from '../../../../src/delivery/item-batch.ts';
import { ItemWriter } from '../../../../src/delivery/item-writer.ts';

export const partition = { org: 1, table: 'flow_metrics.network.1s', writer: 'a' };

/** The open batches of an exporter's lanes. */
export class Lanes implements ItemSink {
  readonly lanes: number;
  readonly writers: ItemWriter[];
  readonly rejected: { row: number; why: string; text: string }[] = [];

  constructor(lanes = 1) {
    this.lanes = lanes;
    this.writers = Array.from({ length: lanes }, () => new ItemWriter());
  }

  lane(lane: number): ItemWriter {
    return this.writers[lane]!;
  }

  spread(): ItemWriter {
    throw new Error('every series has a lane of its own');
  }

  reject(row: number, why: string, text: string): void {
    this.rejected.push({ row, why, text });
  }

  /** Everything of a pass. */
  take(pass: EncodePass): this {
    pass.encode(0, pass.rows.length, this);
    return this;
  }

  batch(lane = 0): ItemBatch {
    return new ItemBatch(partition, this.writers[lane]!);
  }
}
