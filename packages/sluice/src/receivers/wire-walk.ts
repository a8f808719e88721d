import { NumberMemory } from '../batch/number-memory.ts';
import type { RowBlock } from '../batch/row-block.ts';
import { BoundsList } from './bounds-list.ts';
import type { MessagePlans } from './wire-plans.ts';
import { listsOf, registersOf, WireTable } from './wire-table.ts';

/** Where a walk through a record stands, and where its values go. Hot: its fields never change their kind. */
export class WireWalk {
  /** Numbers, by register: 0 when the field did not come. */
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** Bounds of bytes, by register: start = end when the field did not come. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
  /** Bounds of repeated bytes, by list. */
  readonly lists: readonly BoundsList[];
  /** By message number: 1 when it came. */
  readonly entered: Uint8Array;

  readonly compiled: WireTable;
  readonly table: Int32Array;
  bytes: Uint8Array = new Uint8Array(0);
  /** The block that is written into, its memory, its pending row, and the spans of that row's texts. */
  block: RowBlock | undefined;
  memory = new NumberMemory(0);
  row = 0;
  spanFrom: Uint8Array = new Uint8Array(0);
  spanStart: Uint32Array = new Uint32Array(0);
  spanEnd: Uint32Array = new Uint32Array(0);
  /** Between fields: position, end of the message, where its slots begin, and how many messages are around it. */
  at = 0;
  stop = 0;
  slots = 0;
  depth = 0;
  /** Messages around the present one, outermost first: where their slots begin, and where they end. */
  readonly slotsOutside: Int32Array;
  readonly stopOutside: Int32Array;

  constructor(plans: MessagePlans) {
    this.compiled = new WireTable(plans);
    this.table = this.compiled.entries;
    const { messages } = this.compiled;
    const [numbers, spans] = [registersOf(plans, 'register'), registersOf(plans, 'span')];
    this.low = new Uint32Array(numbers);
    this.high = new Uint32Array(numbers);
    this.start = new Uint32Array(spans);
    this.end = new Uint32Array(spans);
    this.entered = new Uint8Array(messages);
    this.slotsOutside = new Int32Array(messages);
    this.stopOutside = new Int32Array(messages);
    this.lists = Array.from({ length: listsOf(plans) }, () => new BoundsList());
  }

  /** Values go to this block from now on. */
  bind(block: RowBlock | undefined): void {
    this.compiled.bind(block);
    if (block === undefined) return;
    this.block = block;
    this.memory = block.memory;
    this.spanFrom = block.spanFrom;
    this.spanStart = block.spanStart;
    this.spanEnd = block.spanEnd;
  }

  /** Nothing of the next record, in `bytes`, has come yet. */
  clear(bytes: Uint8Array): void {
    this.bytes = bytes;
    const { low, high, start, end, entered, lists } = this;
    // Short: a loop costs less than calls of fill.
    for (let register = 0; register < low.length; register++) {
      low[register] = 0;
      high[register] = 0;
    }
    for (let register = 0; register < start.length; register++) {
      start[register] = 0;
      end[register] = 0;
    }
    for (let message = 0; message < entered.length; message++) entered[message] = 0;
    for (let list = 0; list < lists.length; list++) lists[list]!.clear();
  }
}
