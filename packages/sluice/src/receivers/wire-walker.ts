import type { RowBlock } from '../batch/row-block.ts';
import type { BoundsList } from './bounds-list.ts';
import type { MessagePlans } from './wire-plans.ts';
import { LAYOUT } from './wire-table.ts';
import { UnusualFields } from './wire-unusual-fields.ts';
import { DONE, takeUsualFields, UNUSUAL } from './wire-usual-fields.ts';
import { WireWalk } from './wire-walk.ts';

/**
 * From protobuf bytes into the pending row of a RowBlock, led by a table: for each message and field number, what to do with the value
 * (wire-plans.ts; compiled by wire-table.ts).
 *
 *   field:   tag varint (number << 3 | wire type), then by wire type
 *            0 varint of up to 10 bytes | 1 eight bytes | 2 length varint + bytes | 5 four bytes
 *
 * Most fields go straight into a column. What needs a rule first goes into *registers*, numbered by the decoder: 64-bit numbers as halves, or bounds of
 * bytes. Unknown fields are skipped; of a repeated singular field the last wins, sub-messages merge. A field of the wrong wire type, a length beyond
 * its message or a group make the record malformed. One record at a time; not re-entrant.
 */
export class WireWalker {
  /** Numbers, by register: 0 when the field did not come. */
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** Bounds of bytes, by register: start = end when the field did not come. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
  /** Bounds of repeated bytes, by list. */
  readonly lists: readonly BoundsList[];
  /** By message number (`message`): 1 when it came. */
  readonly entered: Uint8Array;

  readonly #walk: WireWalk;
  readonly #unusual: UnusualFields;
  #block: RowBlock | undefined;
  #generation = -1;
  #isBound = false;

  constructor(plans: MessagePlans) {
    const walk = (this.#walk = new WireWalk(plans));
    this.#unusual = new UnusualFields(walk);
    ({ low: this.low, high: this.high, start: this.start, end: this.end } = walk);
    ({ lists: this.lists, entered: this.entered } = walk);
  }

  /** Number of a message, for `walk` and `entered`. */
  message(name: string): number {
    return this.#walk.compiled.message(name);
  }

  /** Begins a record whose values go into the pending row of `block`; blocks of one walker are of one table. */
  begin(block: RowBlock, bytes: Uint8Array): void {
    const walk = this.#walk;
    if (block !== this.#block || block.generation !== this.#generation) this.#bind(block);
    block.wire = bytes;
    walk.row = block.rows;
    walk.clear(bytes);
  }

  /** Begins a record of which only registers are wanted; for plans without columns. */
  scan(bytes: Uint8Array): void {
    if (!this.#isBound) this.#bind(undefined);
    this.#walk.clear(bytes);
  }

  /** Walks the message in [start, end); false when it is malformed. */
  walk(message: number, start: number, end: number): boolean {
    const walk = this.#walk;
    walk.slots = message << LAYOUT.fieldBits;
    walk.at = start;
    walk.stop = end;
    walk.depth = 0;
    for (;;) {
      const state = takeUsualFields(walk);
      if (state !== UNUSUAL) return state === DONE;
      if (!this.#unusual.take()) return false;
    }
  }

  #bind(block: RowBlock | undefined): void {
    this.#walk.bind(block);
    this.#block = block;
    this.#generation = block?.generation ?? -1;
    this.#isBound = true;
  }
}
