import type { Cells } from '../cells.ts';
import { hasValue, putCell, textRoom } from './cell-text.ts';
import { LABEL_TAG } from './label-bytes.ts';
import type { LabelPlan, LabelSlot } from './label-plan.ts';
import type { PodLabels } from './pod-labels.ts';
import { putVarint, varintSize } from '../varint.ts';

export interface RowValues {
  readonly cells: readonly Cells[];
  readonly row: number;
}

export interface LabelBlockOptions {
  readonly plan: LabelPlan;
  readonly pods: PodLabels;
  /** Whether tags without a text are labels with an empty value. */
  readonly emptyTags: boolean;
  /** Most labels of a series, its name included. */
  readonly maxLabels: number;
}

/** Longest label head and varints beside a value's text. */
const LENGTHS = 12;

/** The labels that all series of one row have in common, as they stand in a message: built once a row, copied for each series. */
export class LabelBlock {
  readonly #plan: LabelPlan;
  readonly #pods: PodLabels;
  readonly #emptyTags: boolean;
  readonly #maxLabels: number;
  /** 1 = this field of the row has to go. */
  readonly #left: Uint8Array;
  #count = 0;
  /** Labels of pods that may still be written. */
  #podsLeft = Infinity;
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  /** Where `__name__` goes: bytes [0, split) stand before it. */
  split = 0;
  end = 0;
  /** Over all bytes; equal label sets have equal ones. */
  hash = 0;
  /** Labels that the row has and that were left out for being too many. */
  dropped = 0;

  constructor({ plan, pods, emptyTags, maxLabels }: LabelBlockOptions) {
    this.#plan = plan;
    this.#pods = pods;
    this.#emptyTags = emptyTags;
    this.#maxLabels = maxLabels;
    this.#left = new Uint8Array(Math.max(0, ...plan.ranked.map((field) => field + 1)));
  }

  /** Labels of each series, its name included. */
  get count(): number {
    return this.#count + 1;
  }

  build(values: RowValues): void {
    this.dropped = 0;
    this.#write(values);
    const surplus = this.#count + 1 - this.#maxLabels;
    if (surplus > 0) this.#shorten(values, surplus);
    this.hash = hashOf(this.bytes, this.end);
  }

  /** Writes the labels again without the last ones: those of pods go first, then tags from the end of the row. Fixed labels stay. */
  #shorten(values: RowValues, surplus: number): void {
    const { ranked } = this.#plan;
    const left = this.#left;
    const before = this.#count;
    const pods = this.#plan.after.some(({ kind }) => kind === 'pods') ? this.#pods.of(values.row).length : 0;
    this.#podsLeft = Math.max(0, pods - surplus);
    let more = surplus - (pods - this.#podsLeft);
    for (let i = ranked.length - 1; i >= 0 && more > 0; i--) {
      const field = ranked[i]!;
      if (!this.#isPresent(values, field)) continue;
      left[field] = 1;
      more--;
    }
    this.#write(values);
    this.dropped = before - this.#count;
    this.#podsLeft = Infinity;
    left.fill(0);
  }

  #isPresent({ cells, row }: RowValues, field: number): boolean {
    const values = cells[field]!;
    if (!hasValue(values, row)) return false;
    this.#reserve(this.end + textRoom(values, row));
    return this.#emptyTags || putCell(values, row, this.bytes, this.end) > this.end;
  }

  #write(values: RowValues): void {
    this.#count = 0;
    this.split = this.#slots(this.#plan.before, values, 0);
    this.end = this.#slots(this.#plan.after, values, this.split);
  }

  #slots(slots: readonly LabelSlot[], values: RowValues, start: number): number {
    let at = start;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      switch (slot.kind) {
        case 'fixed':
          at = this.#whole(slot.label, at);
          break;
        case 'field':
          at = this.#field(slot, values, at);
          break;
        case 'pods': {
          const labels = this.#pods.of(values.row);
          for (let label = 0; label < labels.length && label < this.#podsLeft; label++) {
            at = this.#whole(labels[label]!.label, at);
          }
          break;
        }
      }
    }
    return at;
  }

  #field(slot: LabelSlot & { kind: 'field' }, { cells, row }: RowValues, at: number): number {
    const values = cells[slot.field]!;
    const { head, otherwise } = slot;
    if (this.#left[slot.field] === 1) return at;
    if (!hasValue(values, row)) return otherwise === undefined ? at : this.#whole(otherwise, at);
    this.#reserve(at + head.length + LENGTHS + textRoom(values, row));
    const { bytes } = this;
    // As if both lengths took one byte: nearly all do.
    const text = at + 3 + head.length;
    const textEnd = putCell(values, row, bytes, text);
    const length = textEnd - text;
    if (length === 0 && otherwise !== undefined) return this.#whole(otherwise, at);
    if (length === 0 && !this.#emptyTags) return at;
    this.#count++;
    bytes[at] = LABEL_TAG;
    const body = head.length + varintSize(length) + length;
    if (body < 128) {
      bytes[at + 1] = body;
      copy(head, bytes, at + 2);
      bytes[text - 1] = length;
      return textEnd;
    }
    const headAt = at + 1 + varintSize(body);
    const textAt = headAt + head.length + varintSize(length);
    bytes.copyWithin(textAt, text, textEnd);
    putVarint(bytes, at + 1, body);
    copy(head, bytes, headAt);
    putVarint(bytes, headAt + head.length, length);
    return textAt + length;
  }

  #whole(label: Uint8Array, at: number): number {
    this.#reserve(at + label.length);
    copy(label, this.bytes, at);
    this.#count++;
    return at + label.length;
  }

  #reserve(end: number): void {
    if (end <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

function copy(from: Uint8Array, to: Uint8Array, at: number): void {
  for (let i = 0; i < from.length; i++) to[at + i] = from[i]!;
}

/** Spread over all 32 bits, four bytes at a step. */
function hashOf(bytes: Uint8Array, end: number): number {
  let hash = end;
  let at = 0;
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = Math.imul(hash ^ word, 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x9e37_79b1);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85eb_ca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
