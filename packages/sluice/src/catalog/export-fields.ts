import { categoryOf, exportKey, settingName } from './export-names.ts';
import type { ColumnSpec, DataSource } from './types.ts';

/** What `export-fields` and filters may name. */

/** Categories below `$tag`; a tag without any, or with one that DeepFlow's documentation does not know, comes along with each of them. */
export const tagCategories: readonly string[] = [
  'flow_info',
  'universal_tag',
  'native_tag',
  'network_layer',
  'tunnel_info',
  'transport_layer',
  'application_layer',
  'service_info',
  'tracing_info',
  'capture_info',
  'data_link_layer',
  'event_info',
  'business_info',
];

/** Categories below `$metrics`. */
export const metricCategories: readonly string[] = [
  'l3_throughput',
  'l4_throughput',
  'tcp_slow',
  'tcp_error',
  'application',
  'throughput',
  'error',
  'delay',
];

/** Every category as it may be written; `$k8s.label.<name>` and `~$k8s.label.<expression>` come on top. */
export const exportCategories: readonly string[] = [
  '$tag',
  '$metrics',
  '$k8s.label',
  ...tagCategories.map((name) => `$tag.${name}`),
  ...metricCategories.map((name) => `$metrics.${name}`),
];

/** One entry of `export-fields`, read. */
export type ExportEntry =
  | { readonly kind: 'tags' | 'metrics' | 'pod-labels' }
  /** A category below `$tag` or `$metrics`. */
  | { readonly kind: 'category'; readonly name: string; readonly of: '$tag' | '$metrics' }
  | { readonly kind: 'pod-label'; readonly name: string }
  /** An RE2 expression that is searched in the names of pod labels. */
  | { readonly kind: 'pod-label-expression'; readonly expression: string }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'unknown-category' };

const LABEL = '$k8s.label';

/** Reads an entry. Of `$a.b` only `b` counts when there is one, as in DeepFlow: `$metrics.flow_info` is `$tag.flow_info`. */
export function readExportEntry(entry: string): ExportEntry {
  if (entry.startsWith(`~${LABEL}.`)) {
    return { kind: 'pod-label-expression', expression: entry.slice(LABEL.length + 2) };
  }
  if (entry === LABEL) return { kind: 'pod-labels' };
  if (entry.startsWith(`${LABEL}.`)) return { kind: 'pod-label', name: entry.slice(LABEL.length + 1) };
  if (!entry.startsWith('$')) return { kind: 'field', name: entry };
  const [first = '', second = ''] = entry.slice(1).split('.');
  const name = second === '' ? first : second;
  if (name === 'tag') return { kind: 'tags' };
  if (name === 'metrics') return { kind: 'metrics' };
  if (tagCategories.includes(name)) return { kind: 'category', name, of: '$tag' };
  if (metricCategories.includes(name)) return { kind: 'category', name, of: '$metrics' };
  return { kind: 'unknown-category' };
}

/** Category of a field below `$tag` or `$metrics`; '' = it comes along with every one. */
export function subCategoryOf(field: ColumnSpec): string {
  // DeepFlow's documentation lists them there; its code gives them no category in the metrics tables.
  if (field.sub === undefined && categoryOf(field) === '$metrics' && /^(?:retrans|zero_win|ooo)_/.test(field.name)) {
    return 'tcp_slow';
  }
  return field.sub ?? '';
}

/** Whether DeepFlow's documentation knows the category; fields of others come along with every one. */
export function comesAlong(field: ColumnSpec): boolean {
  const sub = subCategoryOf(field);
  return sub === '' || sub === 'business_info';
}

/** Names under which settings may mean a field: DeepFlow's, that of exported rows, and that of the table. */
export function fieldNames(source: DataSource, field: ColumnSpec): readonly string[] {
  return [
    ...new Set([exportKey(field), settingName(source, field), field.name, ...(rightNames.get(exportKey(field)) ?? [])]),
  ];
}

/** What fields are called by the documentation where DeepFlow's rows have another name. */
const rightNames: ReadonlyMap<string, readonly string[]> = new Map([
  ['end_point', ['endpoint']],
  ['host_node_id', ['pod_node_id']],
]);

const known = new WeakMap<DataSource, ReadonlyMap<string, ColumnSpec>>();

/** Fields of a data source by every name they go by. */
export function fieldsByName(source: DataSource): ReadonlyMap<string, ColumnSpec> {
  let names = known.get(source);
  if (names === undefined) {
    names = new Map(
      (source.exportFields ?? []).flatMap((field) => fieldNames(source, field).map((name) => [name, field] as const)),
    );
    known.set(source, names);
  }
  return names;
}
