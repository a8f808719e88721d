import { column, number, selected, tableIn, text, type DerivedColumn, type DerivedTable } from './derived.ts';
import { observedField } from './flow-tags.ts';
import { series } from './prometheus.ts';

/** Views by DeepFlow's names of which custom fields, and which applications, there are: of observed ones, and of the labels of Prometheus series. */

const word = column('LowCardinality(String)');
const seconds = column("DateTime('UTC')");
const small = column('UInt16');
const as = (make: ReturnType<typeof column>, own: string) => make(own, `\`${own}\``);

const seenIn = [
  as(seconds, 'time'),
  word('table', 'table_name'),
  as(column('Int32'), 'vpc_id'),
  as(small, 'pod_ns_id'),
];
const field = [as(word, 'field_type'), as(word, 'field_name'), as(word, 'field_value_type')];
const fieldColumns = [...seenIn, ...field, as(small, 'team_id')];
const valueColumns = [...fieldColumns, as(text, 'field_value'), as(number, 'count')];
const applicationColumns = [
  as(seconds, 'time'),
  word('table', 'table_name'),
  word('app_service', 'field_name'),
  word('app_instance', 'field_value'),
  as(small, 'team_id'),
];

interface Observed {
  readonly name: string;
  readonly database: string;
  readonly record: 'field' | 'value' | 'application';
  readonly columns: readonly DerivedColumn[];
  readonly description: string;
}

function observedView({ name: view, database, record, columns, description }: Observed): DerivedTable {
  return {
    database: 'flow_tag',
    name: view,
    description,
    columns,
    from: [observedField],
    query: `${selected(columns, tableIn(observedField))} WHERE database = '${database}' AND record = '${record}'`,
  };
}

const FIELD_DATABASES = [
  'flow_log',
  'event',
  'profile',
  'application_log',
  'ext_metrics',
  'deepflow_tenant',
  'deepflow_admin',
];
const APPLICATION_DATABASES = ['flow_log', 'flow_metrics', 'profile'];

const observed: readonly DerivedTable[] = [
  ...FIELD_DATABASES.flatMap((database) => [
    observedView({
      name: `${database}_custom_field`,
      database,
      record: 'field',
      columns: fieldColumns,
      description: `Names of custom fields in tables of ${database}, by hour`,
    }),
    observedView({
      name: `${database}_custom_field_value`,
      database,
      record: 'value',
      columns: valueColumns,
      description: `Values of custom fields in tables of ${database}, by hour`,
    }),
  ]),
  ...APPLICATION_DATABASES.map((database) =>
    observedView({
      name: `${database}_app_service`,
      database,
      record: 'application',
      columns: applicationColumns,
      description: `Applications and their instances in tables of ${database}, by hour`,
    }),
  ),
];

/** Labels of Prometheus series stand in their own table: no more than a view of it is needed. */
function labelView(view: string, more: readonly DerivedColumn[], description: string): DerivedTable {
  const columns = [
    seconds('time', "toDateTime(time, 'UTC')"),
    word('table', 'metric_name'),
    column('Int32')('vpc_id', 'l3_epc_id'),
    as(small, 'pod_ns_id'),
    word('field_type', "toLowCardinality('tag')"),
    word('field_name', 'label'),
    word('field_value_type', "toLowCardinality('string')"),
    small('team_id', 'toUInt16(1)'),
    ...more,
  ];
  return {
    database: 'flow_tag',
    name: view,
    description,
    columns,
    from: [series],
    query: `${selected(columns, tableIn(series))} ARRAY JOIN mapKeys(labels) AS label, mapValues(labels) AS label_value`,
  };
}

const labels: readonly DerivedTable[] = [
  labelView('prometheus_custom_field', [], 'Names of labels of Prometheus series'),
  labelView(
    'prometheus_custom_field_value',
    [text('field_value', 'label_value'), number('count', 'toUInt64(1)')],
    'Values of labels of Prometheus series',
  ),
];

export const customFieldViews: readonly DerivedTable[] = [...observed, ...labels];
