import type { NameTable } from '../cells.ts';
import type { Fragment } from './json-out.ts';

const FIRST_BYTES = 1024;

/**
 * One field with each name of a table, `,"pod_0":"web-1"`, in one memory from which they are copied eight bytes at a time (as a Fragment is). Only those
 * that rows had are there. Each begins at a multiple of eight.
 */
export class NameFragments {
  readonly #table: NameTable;
  readonly #key: Fragment;
  #steps = new Float64Array(FIRST_BYTES / 8);
  #used = 0;
  /** By index of the name: where its first step is, plus 1; 0 = not there yet. */
  #starts = new Uint32Array(0);
  #lengths = new Uint32Array(0);
  #seen = 0;
  #longest = 0;

  constructor(table: NameTable, key: Fragment) {
    this.#table = table;
    this.#key = key;
  }

  /** Takes notice of what the table has gained. Length of the longest text. */
  prepare(): number {
    const { json } = this.#table;
    if (json.length > this.#starts.length) {
      const room = Math.max(json.length, this.#starts.length * 2);
      this.#starts = grown(this.#starts, room);
      this.#lengths = grown(this.#lengths, room);
    }
    for (; this.#seen < json.length; this.#seen++) {
      this.#longest = Math.max(this.#longest, json[this.#seen]!.length);
    }
    return this.#key.length + this.#longest;
  }

  put(view: DataView, at: number, index: number): number {
    let start = this.#starts[index]!;
    if (start === 0) start = this.#add(index);
    const length = this.#lengths[index]!;
    const steps = this.#steps;
    const end = at + length;
    for (let to = at, from = start - 1; to < end; to += 8, from++) view.setFloat64(to, steps[from]!, true);
    return end;
  }

  #add(index: number): number {
    const name = this.#table.json[index]!;
    const key = this.#key.bytes;
    const length = key.length + name.length;
    const steps = (length + 7) >> 3;
    if (this.#used + steps > this.#steps.length) {
      const larger = new Float64Array(Math.max(this.#steps.length * 2, this.#used + steps));
      larger.set(this.#steps);
      this.#steps = larger;
    }
    const bytes = new Uint8Array(this.#steps.buffer);
    bytes.set(key, this.#used * 8);
    bytes.set(name, this.#used * 8 + key.length);
    const start = this.#used + 1;
    this.#starts[index] = start;
    this.#lengths[index] = length;
    this.#used += steps;
    return start;
  }
}

function grown(from: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(length);
  to.set(from);
  return to;
}

const made = new WeakMap<NameTable, Map<string, NameFragments>>();

/** The fragments of a field, shared by all exporters that have it with this table. */
export function nameFragments(table: NameTable, jsonKey: string, key: Fragment): NameFragments {
  let byKey = made.get(table);
  if (byKey === undefined) {
    byKey = new Map();
    made.set(table, byKey);
  }
  let fragments = byKey.get(jsonKey);
  if (fragments === undefined) {
    fragments = new NameFragments(table, key);
    byKey.set(jsonKey, fragments);
  }
  return fragments;
}
