import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { LabelBlock } from './label-block.ts';
import type { LabelPlan } from './label-plan.ts';
import { skipVarint } from '../varint.ts';

/** Rows of another entry with the same labels and time. */
const NONE = -1;

/**
 * Finds the items of an open batch that an item of the same series and time would repeat. One entry a row, by labels and time; a second entry of the same
 * row holds what the first did not have. Kept with the batch's writer.
 */
export class RowIndex {
  readonly plan: LabelPlan;
  /** Entry + 1 by hash, 0 = free. */
  #slots = new Int32Array(128);
  #hashes = new Uint32Array(64);
  #times = new Float64Array(64);
  #firstItems = new Uint32Array(64);
  #itemCounts = new Uint32Array(64);
  /** Length of the labels before and behind the name. */
  #splits = new Uint32Array(64);
  #lengths = new Uint32Array(64);
  #next = new Int32Array(64);
  #entries = 0;
  /** Index in the plan's metrics, by item. */
  #metrics = new Uint16Array(1024);

  constructor(plan: LabelPlan) {
    this.plan = plan;
  }

  /** First entry of a row, or NONE. */
  find(writer: ItemWriter, block: LabelBlock, time: number): number {
    for (let slot = this.#slotOf(block.hash, time); ; slot = (slot + 1) & (this.#slots.length - 1)) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0) return NONE;
      if (
        this.#hashes[entry] === block.hash &&
        this.#times[entry] === time &&
        this.#splits[entry] === block.split &&
        this.#lengths[entry] === block.end &&
        this.#hasLabels(writer, entry, block)
      )
        return entry;
    }
  }

  /** Item of a metric among the row's, beginning with the row's first entry; NONE if it has none. */
  item(first: number, metric: number): number {
    for (let entry = first; entry !== NONE; entry = this.#next[entry]!) {
      const from = this.#firstItems[entry]!;
      const to = from + this.#itemCounts[entry]!;
      // A row that left nothing out has its metrics in the plan's order.
      if (from + metric < to && this.#metrics[from + metric] === metric) return from + metric;
      for (let item = from; item < to; item++) if (this.#metrics[item] === metric) return item;
    }
    return NONE;
  }

  /** The next item is one of this metric. */
  note(item: number, metric: number): void {
    if (item >= this.#metrics.length) {
      const larger = new Uint16Array(Math.max(item + 1, this.#metrics.length * 2));
      larger.set(this.#metrics);
      this.#metrics = larger;
    }
    this.#metrics[item] = metric;
  }

  /** Items from `firstItem` on were written for a row. `first` is what `find` said about it. */
  add(
    block: LabelBlock,
    time: number,
    items: { readonly first: number; readonly from: number; readonly to: number },
  ): void {
    if (items.from === items.to) return;
    if (this.#entries === this.#hashes.length) this.#grow();
    const entry = this.#entries++;
    this.#hashes[entry] = block.hash;
    this.#times[entry] = time;
    this.#firstItems[entry] = items.from;
    this.#itemCounts[entry] = items.to - items.from;
    this.#splits[entry] = block.split;
    this.#lengths[entry] = block.end;
    this.#next[entry] = NONE;
    if (items.first === NONE) {
      this.#place(entry);
      return;
    }
    this.#next[entry] = this.#next[items.first]!;
    this.#next[items.first] = entry;
  }

  /** Compares with the labels of the entry's first item, which stand around its name. */
  #hasLabels({ bytes, ends }: ItemWriter, entry: number, block: LabelBlock): boolean {
    const item = this.#firstItems[entry]!;
    const start = skipVarint(bytes, (item === 0 ? 0 : ends[item - 1]!) + 1);
    const { split, end } = block;
    const gap = this.plan.metrics[this.#metrics[item]!]!.label.length;
    for (let i = 0; i < split; i++) if (bytes[start + i] !== block.bytes[i]) return false;
    for (let i = split; i < end; i++) if (bytes[start + gap + i] !== block.bytes[i]) return false;
    return true;
  }

  #slotOf(hash: number, time: number): number {
    return Math.imul(hash ^ Math.floor(time / 1000), 0x9e37_79b1) >>> (32 - Math.log2(this.#slots.length));
  }

  #place(entry: number): void {
    let slot = this.#slotOf(this.#hashes[entry]!, this.#times[entry]!);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
    this.#slots[slot] = entry + 1;
  }

  #grow(): void {
    const size = this.#hashes.length * 2;
    this.#hashes = grown(this.#hashes, new Uint32Array(size));
    this.#times = grown(this.#times, new Float64Array(size));
    this.#firstItems = grown(this.#firstItems, new Uint32Array(size));
    this.#itemCounts = grown(this.#itemCounts, new Uint32Array(size));
    this.#splits = grown(this.#splits, new Uint32Array(size));
    this.#lengths = grown(this.#lengths, new Uint32Array(size));
    const next = grown(this.#next, new Int32Array(size));
    // Only the first entry of each row stands in the slots.
    const placed = this.#slots.filter((slot) => slot !== 0);
    this.#next = next;
    this.#slots = new Int32Array(size * 2);
    for (const slot of placed) this.#place(slot - 1);
  }
}

function grown<T extends Uint32Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** The index that belongs to the writer's open batch; a new one for a new batch and for a new plan. */
export function rowIndexOf(writer: ItemWriter, plan: LabelPlan): RowIndex {
  if (writer.count > 0 && writer.state instanceof RowIndex && writer.state.plan === plan) return writer.state;
  const index = new RowIndex(plan);
  writer.state = index;
  return index;
}
