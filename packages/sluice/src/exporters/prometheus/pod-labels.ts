import type { PodLabelCells } from '../selection.ts';
import { encodeLabel } from './label-bytes.ts';
import { POD_LABEL, byName, type NamedLabel } from './label-plan.ts';

type PodLabelSet = PodLabelCells['sets'][number];

/** Combinations of two ends' labels that are remembered of one Batch's worth of rows. */
const MOST_REMEMBERED = 4096;

/**
 * Labels of the pods of a row as labels of its series: `k8s_label_<name>` with `_0` or `_1` behind it where rows have two ends. What a label's name may not
 * have becomes `_`; of names that are then the same, the first one stays.
 */
export class PodLabels {
  readonly #external: readonly NamedLabel[];
  readonly #bySuffix = new Map<string, WeakMap<PodLabelSet, readonly NamedLabel[]>>();
  #cells: readonly PodLabelCells[] = [];
  /** By the ends' indexes, for one Batch. */
  #rows = new Map<number, readonly NamedLabel[]>();

  constructor(external: readonly NamedLabel[]) {
    this.#external = external;
  }

  /** Rows of another Batch come now. */
  use(cells: readonly PodLabelCells[]): void {
    this.#cells = cells;
    this.#rows.clear();
  }

  /** Labels of a row, sorted by name. */
  of(row: number): readonly NamedLabel[] {
    let key = 0;
    for (const { index, sets } of this.#cells) key = key * sets.length + index[row]!;
    if (key === 0) return this.#external;
    let labels = this.#rows.get(key);
    if (labels === undefined) {
      labels = this.#merge(row);
      if (this.#rows.size < MOST_REMEMBERED) this.#rows.set(key, labels);
    }
    return labels;
  }

  #merge(row: number): readonly NamedLabel[] {
    const byLabel = new Map(this.#external.map((label) => [label.name, label]));
    for (const { suffix, index, sets } of this.#cells) {
      for (const label of this.#encoded(suffix, sets[index[row]!]!)) byLabel.set(label.name, label);
    }
    return [...byLabel.values()].toSorted(byName);
  }

  #encoded(suffix: string, set: PodLabelSet): readonly NamedLabel[] {
    let known = this.#bySuffix.get(suffix);
    if (known === undefined) {
      known = new WeakMap();
      this.#bySuffix.set(suffix, known);
    }
    let labels = known.get(set);
    if (labels === undefined) {
      labels = encodeSet(suffix, set);
      known.set(set, labels);
    }
    return labels;
  }
}

function encodeSet(suffix: string, set: PodLabelSet): readonly NamedLabel[] {
  const labels = new Map<string, NamedLabel>();
  for (const [name, value] of set) {
    const label = POD_LABEL + name.replaceAll(/[^A-Za-z0-9_]/g, '_') + suffix;
    if (value !== '' && !labels.has(label)) labels.set(label, { name: label, label: encodeLabel(label, value) });
  }
  return [...labels.values()];
}
