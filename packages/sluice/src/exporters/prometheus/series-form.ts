import { LabelList } from '../../base/label-fields.ts';
import { LABEL_TAG, METRIC_NAME, compareNames, encodeLabel, labelHead } from './label-bytes.ts';
import { putVarint, varintSize } from '../varint.ts';
import type { SeriesOptions } from './options.ts';

interface External {
  readonly name: Uint8Array;
  readonly label: Uint8Array;
}

const NAME = Buffer.from(METRIC_NAME);
const NAME_HEAD = labelHead(METRIC_NAME);

/** Gives the labels of a known series the form in which an exporter sends them: with external labels, prefix, and no more than it may have. */
export class SeriesForm {
  readonly #external: readonly External[];
  readonly #prefix: Uint8Array;
  readonly #maxLabels: number;
  readonly #isPlain: boolean;
  readonly #list = new LabelList();
  /** Bytes that the result can have more than the labels that came in. */
  readonly growth: number;
  /** Labels left out by the last call. */
  dropped = 0;
  /** Labels that the last result has. */
  count = 0;

  constructor({ externalLabels, metricPrefix, maxLabels }: SeriesOptions) {
    this.#external = [...externalLabels]
      .filter(([name, value]) => value !== '' && name !== METRIC_NAME)
      .toSorted(([left], [right]) => compareNames(left, right))
      .map(([name, value]) => ({ name: Buffer.from(name), label: encodeLabel(name, value) }));
    this.#prefix = Buffer.from(metricPrefix);
    this.#maxLabels = maxLabels;
    this.#isPlain = this.#external.length === 0 && metricPrefix === '' && maxLabels === Infinity;
    this.growth = this.#external.reduce((sum, { label }) => sum + label.length, this.#prefix.length + 16);
  }

  /** Writes the form of a series, given as sorted label fields, at `at`; answers where it ends. */
  put(labels: Uint8Array, out: Uint8Array, at: number): number {
    this.dropped = 0;
    this.count = 0;
    if (this.#isPlain) {
      out.set(labels, at);
      return at + labels.length;
    }
    const list = this.#list;
    list.parse(labels, 0, labels.length);
    const kept = this.#kept(labels);
    let next = 0;
    let start = 0;
    for (let i = 0; i < list.count; i++) {
      const end = list.valueEnd(i);
      let order = -1;
      while (next < this.#external.length && (order = this.#compare(next, labels, i)) < 0) {
        at = this.#whole(this.#external[next++]!.label, out, at);
      }
      // The series' own label wins.
      if (next < this.#external.length && order === 0) next++;
      if (this.#isName(labels, i)) at = this.#name(labels, i, { out, at });
      else if (i < kept) at = this.#whole(labels.subarray(start, end), out, at);
      else this.dropped++;
      start = end;
    }
    while (next < this.#external.length) at = this.#whole(this.#external[next++]!.label, out, at);
    return at;
  }

  /** Labels from this one on have to go, but for the name. */
  #kept(labels: Uint8Array): number {
    const list = this.#list;
    if (this.#maxLabels === Infinity) return list.count;
    let total = list.count;
    for (let i = 0; i < this.#external.length; i++) if (!this.#has(i, labels)) total++;
    let surplus = total - this.#maxLabels;
    let kept = list.count;
    while (surplus > 0 && kept > 0) {
      kept--;
      if (!this.#isName(labels, kept)) surplus--;
    }
    return kept;
  }

  #has(external: number, labels: Uint8Array): boolean {
    for (let i = 0; i < this.#list.count; i++) if (this.#compare(external, labels, i) === 0) return true;
    return false;
  }

  #compare(external: number, labels: Uint8Array, label: number): number {
    const { name } = this.#external[external]!;
    const start = this.#list.nameStart(label);
    const length = this.#list.nameEnd(label) - start;
    for (let i = 0; i < name.length && i < length; i++) {
      const difference = name[i]! - labels[start + i]!;
      if (difference !== 0) return difference;
    }
    return name.length - length;
  }

  #isName(labels: Uint8Array, label: number): boolean {
    const start = this.#list.nameStart(label);
    if (this.#list.nameEnd(label) - start !== NAME.length) return false;
    for (let i = 0; i < NAME.length; i++) if (labels[start + i] !== NAME[i]) return false;
    return true;
  }

  /** The name with its prefix. */
  #name(labels: Uint8Array, label: number, { out, at }: { out: Uint8Array; at: number }): number {
    const start = this.#list.valueStart(label);
    const end = this.#list.valueEnd(label);
    const length = this.#prefix.length + end - start;
    out[at] = LABEL_TAG;
    let to = putVarint(out, at + 1, NAME_HEAD.length + varintSize(length) + length);
    out.set(NAME_HEAD, to);
    to = putVarint(out, to + NAME_HEAD.length, length);
    out.set(this.#prefix, to);
    to += this.#prefix.length;
    for (let i = start; i < end; i++) out[to++] = labels[i]!;
    this.count++;
    return to;
  }

  #whole(label: Uint8Array, out: Uint8Array, at: number): number {
    for (let i = 0; i < label.length; i++) out[at + i] = label[i]!;
    this.count++;
    return at + label.length;
  }
}
