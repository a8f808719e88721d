import type { Names } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import type { DataSource } from '../catalog/types.ts';
import { columnIndex, uint32Values } from './columns.ts';
import type { PodLabelFilter } from './fields.ts';
import { IdIndexes } from './id-indexes.ts';
import type { PodLabelCells } from './selection.ts';

type LabelSet = readonly (readonly [name: string, value: string])[];

/** Pods that are remembered of one organisation. */
const MOST_PODS = 262_144;
const NO_LABELS: LabelSet = [];

/** Labels of the pods at the ends of rows: those that are wanted, looked up once for each pod until the names change. */
export class PodLabels {
  readonly #names: Names;
  readonly #filter: PodLabelFilter;
  readonly #ends: readonly { readonly suffix: '' | '_0' | '_1'; readonly column: number }[];
  #version = -1;
  readonly #orgs = new Map<number, { readonly indexes: IdIndexes; readonly sets: LabelSet[] }>();

  constructor(source: DataSource, names: Names, filter: PodLabelFilter) {
    this.#names = names;
    this.#filter = filter;
    this.#ends = (['', '_0', '_1'] as const)
      .map((suffix) => ({ suffix, column: columnIndex(source, `pod_id${suffix}`) }))
      .filter(({ column }) => column >= 0);
  }

  cells(batch: Batch): readonly PodLabelCells[] {
    const { version } = this.#names;
    if (version === 0) return [];
    if (version !== this.#version) {
      this.#version = version;
      this.#orgs.clear();
    }
    let known = this.#orgs.get(batch.org);
    if (known === undefined || known.indexes.size >= MOST_PODS) {
      known = { indexes: new IdIndexes(), sets: [NO_LABELS] };
      this.#orgs.set(batch.org, known);
    }
    const { indexes, sets } = known;
    return this.#ends.map(({ suffix, column }) => {
      const pods = uint32Values(batch.columns[column]!);
      const index = new Uint32Array(batch.rows);
      let last = 0;
      let lastIndex = 0;
      for (let row = 0; row < index.length; row++) {
        const pod = pods[row]!;
        if (pod !== last) {
          last = pod;
          lastIndex = indexes.find(0, pod);
          if (lastIndex < 0) {
            lastIndex = this.#add(sets, batch.org, pod);
            indexes.add(0, pod, lastIndex);
          }
        }
        index[row] = lastIndex;
      }
      return { suffix, index, sets };
    });
  }

  #add(sets: LabelSet[], org: number, pod: number): number {
    const labels = pod === 0 ? NO_LABELS : this.#names.podLabels(org, pod).filter(([name]) => this.#filter(name));
    return labels.length === 0 ? 0 : sets.push(labels) - 1;
  }
}
