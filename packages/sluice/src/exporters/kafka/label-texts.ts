import type { SeriesLabels } from '../../base/ports.ts';
import { LabelList } from '../../base/label-fields.ts';
import { JsonOut, viewOf } from './json-out.ts';
import { MOST_BYTES, putQuoted } from './json-text.ts';

/** Bytes of texts that are kept; beyond it all are forgotten, and those in use made anew. */
const MOST_KEPT = 32 * 2 ** 20;

const NAME = new TextEncoder().encode('__name__');
const METRIC = new TextEncoder().encode(',"metric_name":');
const LABELS = new TextEncoder().encode(',"labels":{');
const EMPTY_NAME = new TextEncoder().encode('""');

/**
 * `,"metric_name":"up","labels":{"instance":"10.0.0.1:9100","job":"node"}` of Prometheus series, by their ids. Made once for each series.
 *
 * An open-addressed hash table over the series id, which alone names the series; 4 words a slot: organisation + 1 (0 = free), id low, id high, number
 * of the text.
 */
export class LabelTexts {
  readonly #series: SeriesLabels;
  #slots = new Uint32Array(1024 * 4);
  #texts: Uint8Array[] = [];
  #bytes = 0;
  readonly #labels = new LabelList();
  readonly #out = new JsonOut(new Uint8Array(4096));

  constructor(series: SeriesLabels) {
    this.#series = series;
  }

  /** The text of a series, or undefined where nobody knows it. Good until the next `prepare`. */
  get(org: number, low: number, high: number): Uint8Array | undefined {
    const number = this.#slots[this.#slot(org, low, high) + 3]!;
    return number === 0 ? undefined : this.#texts[number - 1];
  }

  /** Fetches the labels of all series of these rows. `ids` are 4 words a row: metric id low and high, series id low and high. */
  async prepare(org: number, ids: Uint32Array): Promise<void> {
    if (this.#bytes > MOST_KEPT) this.#forget();
    const unknown: number[] = [];
    for (let at = 0; at < ids.length; at += 4) {
      const low = ids[at + 2]!;
      const high = ids[at + 3]!;
      if (this.get(org, low, high) !== undefined) continue;
      const labels = this.#series.find(org, ids[at]!, ids[at + 1]!, low, high);
      if (labels === undefined) unknown.push(ids[at]!, ids[at + 1]!, low, high);
      else this.#add(org, low, high, labels);
    }
    if (unknown.length === 0) return;
    const missing = distinct(unknown);
    const found = await this.#series.load(org, missing);
    for (const [i, labels] of found.entries()) {
      if (labels !== undefined) this.#add(org, missing[i * 4 + 2]!, missing[i * 4 + 3]!, labels);
    }
  }

  #add(org: number, low: number, high: number, labels: Uint8Array): void {
    if (this.#texts.length * 2 >= this.#slots.length / 4) this.#grow();
    const slot = this.#slot(org, low, high);
    if (this.#slots[slot + 3] !== 0) return;
    const text = this.#textOf(labels);
    this.#texts.push(text);
    this.#bytes += text.length + 64;
    this.#slots.set([org + 1, low, high, this.#texts.length], slot);
  }

  #textOf(fields: Uint8Array): Uint8Array {
    const out = this.#out;
    const needed = fields.length * MOST_BYTES + 64;
    if (needed > out.bytes.length) {
      out.bytes = new Uint8Array(needed * 2);
      out.view = viewOf(out.bytes);
    }
    const labels = this.#labels;
    labels.parse(fields, 0, fields.length);
    const source = viewOf(fields);
    const name = this.#indexOfName(fields);
    let at = copy(out.bytes, 0, METRIC);
    if (name < 0) at = copy(out.bytes, at, EMPTY_NAME);
    else at = putQuoted(out, at, fields, source, labels.valueStart(name), labels.valueEnd(name));
    at = copy(out.bytes, at, LABELS);
    let isFirst = true;
    for (let i = 0; i < labels.count; i++) {
      if (i === name) continue;
      if (!isFirst) out.bytes[at++] = 0x2c;
      isFirst = false;
      at = putQuoted(out, at, fields, source, labels.nameStart(i), labels.nameEnd(i));
      out.bytes[at++] = 0x3a;
      at = putQuoted(out, at, fields, source, labels.valueStart(i), labels.valueEnd(i));
    }
    out.bytes[at++] = 0x7d;
    return out.bytes.slice(0, at);
  }

  #indexOfName(fields: Uint8Array): number {
    const labels = this.#labels;
    for (let i = 0; i < labels.count; i++) {
      const start = labels.nameStart(i);
      if (labels.nameEnd(i) - start === NAME.length && NAME.every((byte, at) => fields[start + at] === byte)) return i;
    }
    return -1;
  }

  /** Where the slot of a series is, or the free one that it would take. */
  #slot(org: number, low: number, high: number): number {
    const slots = this.#slots;
    const mask = slots.length / 4 - 1;
    // Ids are pieces of a SHA-256: any part of them is as good a hash as another.
    for (let place = (low ^ org) & mask; ; place = (place + 1) & mask) {
      const at = place * 4;
      if (slots[at] === 0) return at;
      if (slots[at] === org + 1 && slots[at + 1] === low && slots[at + 2] === high) return at;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 4) {
      if (old[at] === 0) continue;
      this.#slots.set(old.subarray(at, at + 4), this.#slot(old[at]! - 1, old[at + 1]!, old[at + 2]!));
    }
  }

  #forget(): void {
    this.#slots = new Uint32Array(1024 * 4);
    this.#texts = [];
    this.#bytes = 0;
  }
}

/** Each of the four-word ids once. */
function distinct(ids: readonly number[]): Uint32Array {
  const seen = new Map<string, readonly number[]>();
  for (let at = 0; at < ids.length; at += 4) {
    const id = ids.slice(at, at + 4);
    seen.set(id.join(), id);
  }
  return Uint32Array.from([...seen.values()].flat());
}

function copy(to: Uint8Array, at: number, from: Uint8Array): number {
  for (let i = 0; i < from.length; i++) to[at + i] = from[i]!;
  return at + from.length;
}
