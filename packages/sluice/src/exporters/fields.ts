import { RE2JS, RE2JSException } from 're2js';
import { errorText, SluiceError } from '../base/errors.ts';
import {
  comesAlong,
  fieldsByName,
  metricCategories,
  readExportEntry,
  subCategoryOf,
  tagCategories,
  type ExportEntry,
} from '../catalog/export-fields.ts';
import { categoryOf, exportKey, translatedKey } from '../catalog/export-names.ts';
import type { ColumnSpec, DataSource } from '../catalog/types.ts';
import type { SelectedField } from './selection.ts';

/** Which labels of pods are exported. */
export type PodLabelFilter = (name: string) => boolean;

export interface ResolvedFields {
  /** While names take the place of ids. */
  readonly named: readonly SelectedField[];
  /** While ids are exported as numbers. */
  readonly plain: readonly SelectedField[];
  readonly categories: ReadonlySet<string>;
  /** Absent = no labels at all. */
  readonly podLabels: PodLabelFilter | undefined;
}

const EVERYTHING: readonly string[] = ['$tag', '$metrics'];

/**
 * Applies `export-fields` as DeepFlow's documentation has it: an entry adds what it names and nothing else; none at all means everything but labels.
 * What the data source does not have is passed over. Throws `config_invalid` for an expression that is none of RE2's.
 */
export function resolveFields(source: DataSource, exportFields: readonly string[]): ResolvedFields {
  const entries = (exportFields.length === 0 ? EVERYTHING : exportFields).map(readExportEntry);
  const categories = categoriesOf(entries);
  const named = entries.flatMap((entry) =>
    entry.kind === 'field' ? (fieldsByName(source).get(entry.name) ?? []) : [],
  );
  const chosen = new Set<ColumnSpec>(named);
  const fields = (source.exportFields ?? []).filter((field) => chosen.has(field) || isInCategories(field, categories));
  return {
    named: fields.flatMap((field) => selectedFields(field, translatedKey)),
    plain: fields.flatMap((field) => selectedFields(field, exportKey)),
    categories,
    podLabels: podLabelFilter(entries),
  };
}

function categoriesOf(entries: readonly ExportEntry[]): ReadonlySet<string> {
  const categories = new Set<string>();
  for (const entry of entries) {
    switch (entry.kind) {
      case 'tags':
        for (const name of tagCategories) categories.add(name);
        break;
      case 'metrics':
        for (const name of metricCategories) categories.add(name);
        break;
      case 'category':
        categories.add(entry.name);
        break;
      case 'pod-labels':
      case 'pod-label':
      case 'pod-label-expression':
        categories.add('k8s.label');
        break;
      case 'field':
      case 'unknown-category':
        break;
    }
  }
  if (tagCategories.some((name) => categories.has(name))) categories.add('tag').add('business_info');
  if (metricCategories.some((name) => categories.has(name))) categories.add('metrics');
  return categories;
}

function isInCategories(field: ColumnSpec, categories: ReadonlySet<string>): boolean {
  if (comesAlong(field)) return categories.has(categoryOf(field) === '$metrics' ? 'metrics' : 'tag');
  return categories.has(subCategoryOf(field));
}

/** The field, twice where DeepFlow's rows do not call it by its name. */
function selectedFields(field: ColumnSpec, keyOf: (field: ColumnSpec) => string): readonly SelectedField[] {
  const right = withRightName(field);
  const select = (spec: ColumnSpec, isLegacy: boolean): SelectedField => ({
    spec,
    jsonKey: keyOf(spec),
    label: exportKey(spec),
    isMetric: categoryOf(spec) === '$metrics',
    isLegacy,
  });
  return right === undefined ? [select(field, false)] : [select(field, true), select(right, false)];
}

function withRightName(field: ColumnSpec): ColumnSpec | undefined {
  const { exportName, ...rest } = field;
  if (exportName === 'end_point') return rest;
  if (exportName === 'host_node_id') return { ...rest, universalTag: 'pod_node' };
  return undefined;
}

function podLabelFilter(entries: readonly ExportEntry[]): PodLabelFilter | undefined {
  const names = new Set<string>();
  const expressions: RE2JS[] = [];
  for (const entry of entries) {
    if (entry.kind === 'pod-labels') return () => true;
    if (entry.kind === 'pod-label') names.add(entry.name);
    if (entry.kind === 'pod-label-expression') expressions.push(compileExpression(entry.expression));
  }
  if (names.size === 0 && expressions.length === 0) return undefined;
  return (name) => names.has(name) || expressions.some((expression) => expression.matcher(name).find());
}

/** An expression of RE2's, searched anywhere in a text in linear time. Throws `config_invalid`. */
export function compileExpression(expression: string): RE2JS {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new SluiceError('config_invalid', `cannot use the expression "${expression}": ${errorText(error)}`, {
      cause: error,
    });
  }
}
