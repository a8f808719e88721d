import type { ColumnSpec, DataSource } from './types.ts';

/** How DeepFlow names the fields of exported rows. The rules stand here, their exceptions (`exportName`) with the columns. */

/** Key of the field in a row, and label in a series, while ids are sent as numbers. */
export function exportKey(field: ColumnSpec): string {
  return field.exportName ?? field.name;
}

/** Key of the field in a JSON row when names take the place of ids: `pod_0` for pod_id_0. Series keep the other. */
export function translatedKey(field: ColumnSpec): string {
  const key = exportKey(field);
  return field.universalTag === undefined ? key : key.replace('_id', '');
}

/** Name of the field in export-fields and filters. In the metrics tables of two ends the client's goes by the name it has in those of one. */
export function settingName(source: DataSource, field: ColumnSpec): string {
  const key = exportKey(field);
  const isMap = source.database === 'flow_metrics' && source.table.includes('_map.');
  return isMap && field.side === 0 ? key.replace(/_0$/, '') : key;
}

/** DeepFlow's category: what is measured, and everything else. */
export function categoryOf(field: ColumnSpec): '$tag' | '$metrics' {
  return field.role === 'metric' ? '$metrics' : '$tag';
}
