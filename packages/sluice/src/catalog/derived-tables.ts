import { deviceTypeNames, namedCodes, namedNumbers } from './enums.ts';
import { customTagMap, nameMap, observedField } from './flow-tags.ts';
import { series } from './prometheus.ts';
import type { DataSource } from './types.ts';

/**
 * What queries written for DeepFlow find in flow_tag, by its names: dictionaries (`dictGet('flow_tag.pod_map', 'name', toUInt64(pod_id))`, and SELECT
 * as of a table) and views, all made of tables that hold the rows.
 */
export interface DerivedTable {
  readonly database: string;
  readonly name: string;
  readonly description: string;
  readonly columns: readonly DerivedColumn[];
  /** Columns that a dictionary is asked by; absent: a view. */
  readonly key?: readonly string[];
  /** Absent: it is made of nothing but what stands in `query`. */
  readonly from?: DataSource;
  /** A SELECT with the columns by name; FROM_TABLE stands for the table's name. */
  readonly query: string;
}

export interface DerivedColumn {
  readonly name: string;
  /** ClickHouse type, in ClickHouse's own spelling. */
  readonly type: string;
  /** How it is made of the columns of the query's rows. */
  readonly expression: string;
}

export const FROM_TABLE = '{table}';

const column = (type: string) => (name: string, expression: string) => ({ name, type, expression });
const text = column('String');
const number = column('UInt64');
const signed = column('Int64');

/** What the hub does not know of a resource. */
const noText = (name: string) => text(name, "''");
const noNumber = (name: string) => number(name, 'toUInt64(0)');
const icon = signed('icon_id', 'toInt64(0)');
const team = number('team_id', 'toUInt64(1)');
const domain = noNumber('domain_id');
const subDomain = noNumber('sub_domain_id');

const id = number('id', 'toUInt64(id)');
/** What is gone keeps its name, as rows still have its number. */
const name = text('name', "if(is_deleted = 1, concat(name, ' (deleted)'), name)");

function selected(columns: readonly DerivedColumn[], from: string): string {
  return `SELECT ${columns.map((one) => `${one.expression} AS \`${one.name}\``).join(', ')} FROM ${from}`;
}

/** The last row of each key. Not FINAL: a cluster may have rows of one key on several shards. */
function latest(condition: string, by: string): string {
  return `(SELECT * FROM ${FROM_TABLE} WHERE ${condition} ORDER BY time DESC LIMIT 1 BY ${by})`;
}

function nameDictionary(table: string, kind: string, columns: readonly DerivedColumn[]): DerivedTable {
  const all = [id, name, ...columns];
  return {
    database: 'flow_tag',
    name: table,
    description: `Names of resources of kind ${kind}`,
    columns: all,
    key: ['id'],
    from: nameMap,
    query: selected(all, latest(`kind = '${kind}'`, 'id')),
  };
}

const names: readonly DerivedTable[] = [
  nameDictionary('region_map', 'region', [icon]),
  nameDictionary('az_map', 'az', [icon, team, domain]),
  nameDictionary('l3_epc_map', 'vpc', [icon, noText('uid'), team, domain]),
  nameDictionary('subnet_map', 'subnet', [icon, team, domain, subDomain, noNumber('l3_epc_id')]),
  nameDictionary('chost_map', 'chost', [
    noNumber('host_id'),
    noNumber('l3_epc_id'),
    noText('hostname'),
    noText('ip'),
    noNumber('subnet_id'),
    team,
    domain,
  ]),
  nameDictionary('pod_cluster_map', 'pod_cluster', [icon, team, domain, subDomain]),
  nameDictionary('pod_node_map', 'pod_node', [icon, team, domain, subDomain, noNumber('pod_cluster_id')]),
  nameDictionary('pod_ns_map', 'pod_ns', [icon, noNumber('pod_cluster_id'), team, domain, subDomain]),
  nameDictionary('pod_group_map', 'pod_group', [
    number('pod_group_type', 'toUInt64(device_type)'),
    icon,
    noNumber('pod_cluster_id'),
    noNumber('pod_ns_id'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('pod_service_map', 'pod_service', [
    noNumber('pod_cluster_id'),
    noNumber('pod_ns_id'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('pod_map', 'pod', [
    icon,
    noNumber('pod_cluster_id'),
    noNumber('pod_ns_id'),
    noNumber('pod_node_id'),
    noNumber('pod_service_id'),
    noNumber('pod_group_id'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('gprocess_map', 'gprocess', [
    icon,
    signed('chost_id', 'toInt64(0)'),
    signed('l3_epc_id', 'toInt64(0)'),
    noNumber('biz_type'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('biz_service_map', 'custom_service', [noText('service_group_name'), icon, team, domain]),
  nameDictionary('vtap_map', 'agent', [
    signed('type', 'toInt64(0)'),
    team,
    ...['host', 'chost', 'pod_node'].flatMap((kind) => [signed(`${kind}_id`, 'toInt64(0)'), noText(`${kind}_name`)]),
  ]),
];

const deviceColumns: readonly DerivedColumn[] = [
  number('devicetype', 'toUInt64(type)'),
  number('deviceid', 'toUInt64(id)'),
  name,
  icon,
  noText('uid'),
  noText('hostname'),
  noText('ip'),
  team,
  domain,
  subDomain,
];

/** Kubernetes services stand there twice: 102 is what older rows call them. */
const devices: DerivedTable = {
  database: 'flow_tag',
  name: 'device_map',
  description: 'Names of all resources that have a number in l3_device_type and auto_*_type',
  columns: deviceColumns,
  key: ['devicetype', 'deviceid'],
  from: nameMap,
  query: `${selected(deviceColumns, latest('device_type != 0', 'kind, id'))} ARRAY JOIN if(device_type = 11, [11, 102], [device_type]) AS type`,
};

interface TagFamily {
  readonly kind: string;
  readonly family: string;
  /** Of the dictionary with one row a tag, and of that with all tags of a resource as JSON. */
  readonly one: string;
  readonly all: string;
  readonly allColumn: string;
  readonly others: readonly DerivedColumn[];
}

const kubernetes = [noNumber('l3_epc_id'), noNumber('pod_ns_id'), team, domain, subDomain];

const families: readonly TagFamily[] = [
  ...(['label', 'annotation', 'env'] as const).flatMap((word) =>
    (word === 'env' ? ['pod'] : ['pod', 'pod_service']).map((kind) => ({
      kind,
      family: `k8s.${word}`,
      one: `${kind}_k8s_${word}_map`,
      all: `${kind}_k8s_${word}s_map`,
      allColumn: `${word}s`,
      others: kubernetes,
    })),
  ),
  ...['chost', 'pod_ns'].map((kind) => ({
    kind,
    family: 'cloud.tag',
    one: `${kind}_cloud_tag_map`,
    all: `${kind}_cloud_tags_map`,
    allColumn: 'cloud_tags',
    others: kind === 'chost' ? [team, domain] : [team, domain, subDomain],
  })),
  {
    kind: 'gprocess',
    family: 'os.app',
    one: 'os_app_tag_map',
    all: 'os_app_tags_map',
    allColumn: 'os_app_tags',
    others: [team, domain, subDomain],
  },
];

function tagDictionaries({ kind, family, one, all, allColumn, others }: TagFamily): readonly DerivedTable[] {
  const rows = latest(`kind = '${kind}' AND family = '${family}'`, 'id, name');
  const each = [id, text('key', 'name'), text('value', 'value'), ...others];
  const json = 'toJSONString(mapFromArrays(groupArray(name), groupArray(value)))';
  const together = [id, text(allColumn, json), ...others];
  const common = { database: 'flow_tag', from: customTagMap } as const;
  return [
    {
      ...common,
      name: one,
      description: `${family} of resources of kind ${kind}`,
      columns: each,
      key: ['id', 'key'],
      query: `${selected(each, rows)} WHERE is_deleted = 0`,
    },
    {
      ...common,
      name: all,
      description: `All of ${family} of a resource of kind ${kind}, as JSON`,
      columns: together,
      key: ['id'],
      query: `${selected(together, rows)} WHERE is_deleted = 0 GROUP BY id`,
    },
  ];
}

function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

interface Listed {
  readonly name: string;
  readonly description: string;
  readonly key: readonly string[];
  readonly columns: readonly DerivedColumn[];
  /** Names and types of the rows' fields. */
  readonly structure: string;
  readonly rows: readonly string[];
}

/** Of a list that the hub has itself. */
function listDictionary({ structure, rows, ...rest }: Listed): DerivedTable {
  return {
    ...rest,
    database: 'flow_tag',
    query: selected(rest.columns, `values(${quoted(structure)}, ${rows.map((row) => `(${row})`).join(', ')})`),
  };
}

const enumNames = ['name_zh', 'name_en'].map((language) => text(language, 'name'));
const enumDescriptions = ['description_zh', 'description_en'].map(noText);

const lists: readonly DerivedTable[] = [
  listDictionary({
    name: 'int_enum_map',
    description: 'Names of the numbers in rows, by list',
    key: ['tag_name', 'value'],
    columns: [text('tag_name', 'list'), number('value', 'number'), ...enumNames, ...enumDescriptions],
    structure: 'list String, number UInt64, name String',
    rows: namedNumbers().map(([list, value, label]) => `${quoted(list)}, ${value}, ${quoted(label)}`),
  }),
  listDictionary({
    name: 'string_enum_map',
    description: 'Names of the codes in rows, by list',
    key: ['tag_name', 'value'],
    columns: [text('tag_name', 'list'), text('value', 'code'), ...enumNames, ...enumDescriptions],
    structure: 'list String, code String, name String',
    rows: namedCodes().map(([list, code, label]) => [list, code, label].map(quoted).join(', ')),
  }),
  listDictionary({
    name: 'node_type_map',
    description: 'Kinds of resources by their numbers',
    key: ['resource_type'],
    columns: [number('resource_type', 'number'), text('node_type', 'name')],
    structure: 'number UInt64, name String',
    rows: [...deviceTypeNames].map(([type, label]) => `${type}, ${quoted(label)}`),
  }),
];

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
    from: observedField,
    query: `${selected(columns, FROM_TABLE)} WHERE database = '${database}' AND record = '${record}'`,
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
    from: series,
    query: `${selected(columns, FROM_TABLE)} ARRAY JOIN mapKeys(labels) AS label, mapValues(labels) AS label_value`,
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

/** Every derived table; each after those that it is made of. */
export const derivedTables: readonly DerivedTable[] = [
  ...names,
  devices,
  ...families.flatMap((family) => tagDictionaries(family)),
  ...lists,
  ...observed,
  ...labels,
];
