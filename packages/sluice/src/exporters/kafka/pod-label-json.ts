import type { PodLabelCells } from '../selection.ts';
import { eachRow, type JsonField, type PutField } from './json-field.ts';
import { Fragment, fragment } from './json-out.ts';

type LabelSet = PodLabelCells['sets'][number];

const made = new WeakMap<LabelSet, Map<string, Fragment>>();
const NOTHING = new Fragment(new Uint8Array(0));

/** Kubernetes labels of the pods of one end: `,"k8s_label_names_0":["app"],"k8s_label_values_0":["shop"]`, nothing where there are none. */
export function podLabelField({ suffix, index, sets }: PodLabelCells): JsonField {
  // There may be many more sets than a Batch has rows: only those that occur are looked at.
  const places = new Map<number, number>([[0, 0]]);
  const texts: Fragment[] = [NOTHING];
  let most = 0;
  const placeOf = index.map((set) => {
    let place = places.get(set);
    if (place === undefined) {
      const text = fragmentOf(sets[set]!, suffix);
      most = Math.max(most, text.length);
      place = texts.push(text) - 1;
      places.set(set, place);
    }
    return place;
  });
  const put: PutField = (out, at, row) => texts[placeOf[row]!]!.put(out.view, at);
  return { most: most + 8, put: eachRow(put, undefined) };
}

function fragmentOf(set: LabelSet, suffix: string): Fragment {
  if (set.length === 0) return NOTHING;
  let bySuffix = made.get(set);
  if (bySuffix === undefined) {
    bySuffix = new Map();
    made.set(set, bySuffix);
  }
  let text = bySuffix.get(suffix);
  if (text === undefined) {
    const names = set.map(([name]) => name.toWellFormed());
    const values = set.map(([, value]) => value.toWellFormed());
    text = fragment(
      `,"k8s_label_names${suffix}":${JSON.stringify(names)},"k8s_label_values${suffix}":${JSON.stringify(values)}`,
    );
    bySuffix.set(suffix, text);
  }
  return text;
}
