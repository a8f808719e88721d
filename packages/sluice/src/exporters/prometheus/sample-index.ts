import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { Words } from './sample-bytes.ts';

/** Items of an open batch of samples by series and time. Kept with the batch's writer. */
export class SampleIndex {
  /** Entry + 1 by hash, 0 = free; at most half full. Entry n is item `base` + n. */
  #slots = new Int32Array(256);
  /** 4 words an entry: series, time. */
  #keys = new Uint32Array(128 * 4);
  #count = 0;
  /** Items that the batch had before. */
  readonly #base: number;

  constructor(base: number) {
    this.#base = base;
  }

  /** Item of the series and time, -1 = none. */
  find(series: Words, time: Words): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(series.low ^ series.high, time.low) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0) return -1;
      const at = entry * 4;
      if (
        this.#keys[at] === series.low &&
        this.#keys[at + 1] === series.high &&
        this.#keys[at + 2] === time.low &&
        this.#keys[at + 3] === time.high
      )
        return this.#base + entry;
    }
  }

  /** The batch's next item is this one. */
  add(series: Words, time: Words): void {
    if (this.#count * 2 >= this.#slots.length) this.#grow();
    const at = this.#count * 4;
    this.#keys[at] = series.low;
    this.#keys[at + 1] = series.high;
    this.#keys[at + 2] = time.low;
    this.#keys[at + 3] = time.high;
    this.#place(this.#count++);
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = hashOf(this.#keys[entry * 4]! ^ this.#keys[entry * 4 + 1]!, this.#keys[entry * 4 + 2]!) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #grow(): void {
    const keys = new Uint32Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#count; entry++) this.#place(entry);
  }
}

function hashOf(series: number, time: number): number {
  const mixed = Math.imul(series ^ Math.imul(time, 0x9e37_79b1), 0x85eb_ca6b);
  return mixed ^ (mixed >>> 15);
}

/** The index that belongs to the writer's open batch; a new one for a new batch. */
export function sampleIndexOf(writer: ItemWriter): SampleIndex {
  if (writer.count > 0 && writer.state instanceof SampleIndex) return writer.state;
  const index = new SampleIndex(writer.count);
  writer.state = index;
  return index;
}
