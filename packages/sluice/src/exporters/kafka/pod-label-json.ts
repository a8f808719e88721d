import type { PodLabelCells } from '../selection.ts';
import { JsonField, OTHER } from './json-field.ts';
import { Fragment, fragment } from './json-out.ts';

type LabelSet = PodLabelCells['sets'][number];

const made = new WeakMap<LabelSet, Map<string, Fragment>>();
const NOTHING = new Fragment(new Uint8Array(0));

/** Kubernetes labels of the pods of one end: `,"k8s_label_names_0":["app"],"k8s_label_values_0":["shop"]`, nothing where there are none. */
export function podLabelField({ suffix, index, sets }: PodLabelCells): JsonField {
  // There may be many more sets than a Batch has rows: only those that occur are looked at.
  const texts = new Map<number, Fragment>([[0, NOTHING]]);
  let most = 0;
  for (const set of index) {
    if (texts.has(set)) continue;
    const text = fragmentOf(sets[set]!, suffix);
    texts.set(set, text);
    most = Math.max(most, text.length);
  }
  const field = new JsonField(OTHER, NOTHING);
  field.put = (out, at, row) => texts.get(index[row]!)!.put(out.view, at);
  field.most += most;
  return field;
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
