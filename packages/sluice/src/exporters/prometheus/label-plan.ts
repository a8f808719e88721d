import type { Selector, SelectedField } from '../selection.ts';
import { METRIC_NAME, compareNames, encodeLabel, labelHead } from './label-bytes.ts';

/** Which labels the series of a data source have, in the order in which they stand in a message: sorted by the bytes of their names. */
export interface LabelPlan {
  /** Labels that sort before `__name__`: only external ones can. */
  readonly before: readonly LabelSlot[];
  readonly after: readonly LabelSlot[];
  /** Selected metrics, in the order of the rows. */
  readonly metrics: readonly MetricSlot[];
  /** Tags that may have to go when a row has too many, the first to stay first: indexes of `cells`. */
  readonly ranked: readonly number[];
}

export type LabelSlot =
  | { readonly kind: 'fixed'; readonly label: Uint8Array }
  | {
      readonly kind: 'field';
      /** Index in the selector's fields. */
      readonly field: number;
      readonly head: Uint8Array;
      /** External label of the same name: takes the place of an empty tag. */
      readonly otherwise: Uint8Array | undefined;
    }
  /** Labels of pods: any number, sorted among themselves and with these external ones. */
  | { readonly kind: 'pods'; readonly external: readonly NamedLabel[] };

export interface NamedLabel {
  readonly name: string;
  readonly label: Uint8Array;
}

export interface MetricSlot {
  /** Index in the selector's fields. */
  readonly field: number;
  /** The label `__name__`. */
  readonly label: Uint8Array;
  /** How values of one series and time become one: the greater one, or the sum. */
  readonly merge: 'greatest' | 'sum';
}

export interface LabelPlanOptions {
  readonly selector: Selector;
  readonly externalLabels: ReadonlyMap<string, string>;
  readonly metricPrefix: string;
}

/** What names of labels of pods begin with. */
export const POD_LABEL = 'k8s_label_';

/** Compiles the labels of a data source's series from the fields that are selected now. */
export function planLabels({ selector, externalLabels, metricPrefix }: LabelPlanOptions): LabelPlan {
  const fields = selector.fields.map((field, index) => ({ field, index }));
  const tags = fields.filter(({ field }) => isLabel(field));
  const slots = new Map<string, LabelSlot>();
  const podExternal: NamedLabel[] = [];
  const hasPods = selector.categories.has('k8s.label');
  for (const [name, value] of externalLabels) {
    if (value === '' || name === METRIC_NAME) continue;
    const label = encodeLabel(name, value);
    if (hasPods && name.startsWith(POD_LABEL)) podExternal.push({ name, label });
    else slots.set(name, { kind: 'fixed', label });
  }
  slots.set('datasource', { kind: 'fixed', label: encodeLabel('datasource', selector.source.id) });
  for (const { field, index } of tags) {
    const external = slots.get(field.label);
    const otherwise = external?.kind === 'fixed' ? external.label : undefined;
    slots.set(field.label, { kind: 'field', field: index, head: labelHead(field.label), otherwise });
  }
  if (hasPods) slots.set(POD_LABEL, { kind: 'pods', external: podExternal.toSorted(byName) });
  const sorted = [...slots].toSorted(([left], [right]) => compareNames(left, right));
  const isBefore = ([name]: readonly [string, LabelSlot]): boolean => compareNames(name, METRIC_NAME) < 0;
  return {
    before: sorted.filter(isBefore).map(([, slot]) => slot),
    after: sorted.filter((slot) => !isBefore(slot)).map(([, slot]) => slot),
    metrics: fields
      .filter(({ field }) => isValue(field))
      .map(({ field, index }) => metricSlot(field, index, metricPrefix)),
    ranked: tags.map(({ index }) => index),
  };
}

export function byName(left: NamedLabel, right: NamedLabel): number {
  return compareNames(left.name, right.name);
}

function metricSlot({ spec, label }: SelectedField, field: number, prefix: string): MetricSlot {
  // Greatest values and scores are what longer intervals take the average of; neither can be added up.
  return {
    field,
    label: encodeLabel(METRIC_NAME, prefix + label),
    merge: spec.rollUp === 'average' ? 'greatest' : 'sum',
  };
}

/** Lists have no place in a series, and the time of a row is that of its samples. */
function isLabel({ spec, isMetric, isLegacy }: SelectedField): boolean {
  return !isMetric && !isLegacy && spec.role !== 'time' && !spec.type.startsWith('Array(');
}

function isValue({ spec, isMetric }: SelectedField): boolean {
  return isMetric && !spec.type.startsWith('Array(') && !spec.type.includes('String');
}
