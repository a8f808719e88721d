import { customFieldViews } from './custom-field-views.ts';
import { number, selected, signed, tableIn, text, type DerivedColumn, type DerivedTable } from './derived.ts';
import { deviceTypeNames, namedCodes, namedNumbers } from './enums.ts';
import { customTagMap, nameMap, parentMap, PARENTS, type ParentColumn } from './flow-tags.ts';
import type { DataSource } from './types.ts';

/** What the hub does not know of a resource. */
const noText = (name: string) => text(name, "''");
const noNumber = (name: string) => number(name, 'toUInt64(0)');
const icon = signed('icon_id', 'toInt64(0)');
const team = number('team_id', 'toUInt64(1)');
const domain = noNumber('domain_id');
const subDomain = noNumber('sub_domain_id');

/** Id of what a resource is part of. */
function parent(own: ParentColumn, make = number): DerivedColumn {
  const { type } = make(own, own);
  return make(own, `to${type}(${own})`);
}

const id = number('id', 'toUInt64(id)');
/** What is gone keeps its name, as rows still have its number. */
const name = text('name', "if(is_deleted = 1, concat(name, ' (deleted)'), name)");

/** The last row of each key. Not FINAL: a cluster may have rows of one key on several shards. */
function latest(source: DataSource, condition: string, by: string): string {
  return `(SELECT * FROM ${tableIn(source)} WHERE ${condition} ORDER BY time DESC LIMIT 1 BY ${by})`;
}

/** Rows that a dictionary is made of, as they stand in a query. */
interface Rows {
  readonly from: readonly DataSource[];
  readonly text: string;
}

/** Rows with another table's, by a column of both. */
function joined(rows: string, others: string, by: string): string {
  return `(SELECT * FROM ${rows} AS row LEFT JOIN (${others}) AS other USING (${by}))`;
}

function parentsIn(columns: readonly DerivedColumn[]): readonly ParentColumn[] {
  return PARENTS.filter((one) => columns.some((own) => own.name === one));
}

/** Rows about resources of a kind, with what those are part of where columns need it. */
function withParents({ from, text: rows }: Rows, kind: string, columns: readonly DerivedColumn[]): Rows {
  const needed = parentsIn(columns);
  if (needed.length === 0) return { from, text: rows };
  const parents = `SELECT id, ${needed.join(', ')} FROM ${latest(parentMap, `kind = '${kind}'`, 'id')}`;
  return { from: [...from, parentMap], text: joined(rows, parents, 'id') };
}

const machines = ['host', 'chost', 'pod_node'] as const;

/** Rows with names of machines where columns need them. */
function withMachines(rows: string, columns: readonly DerivedColumn[]): string {
  let all = rows;
  for (const kind of machines) {
    if (!columns.some((own) => own.name === `${kind}_name`)) continue;
    const others = latest(nameMap, `kind = '${kind}'`, 'id');
    all = joined(all, `SELECT id AS ${kind}_id, ${name.expression} AS ${kind}_name FROM ${others}`, `${kind}_id`);
  }
  return all;
}

function nameDictionary(table: string, kind: string, columns: readonly DerivedColumn[]): DerivedTable {
  const all = [id, name, ...columns];
  const own = { from: [nameMap], text: latest(nameMap, `kind = '${kind}'`, 'id') };
  const { from, text: rows } = withParents(own, kind, columns);
  return {
    database: 'flow_tag',
    name: table,
    description: `Names of resources of kind ${kind}`,
    columns: all,
    key: ['id'],
    from,
    query: selected(all, withMachines(rows, columns)),
  };
}

const names: readonly DerivedTable[] = [
  nameDictionary('region_map', 'region', [icon]),
  nameDictionary('az_map', 'az', [icon, team, domain]),
  nameDictionary('l3_epc_map', 'vpc', [icon, noText('uid'), team, domain]),
  nameDictionary('subnet_map', 'subnet', [icon, team, domain, subDomain, parent('l3_epc_id')]),
  nameDictionary('chost_map', 'chost', [
    parent('host_id'),
    parent('l3_epc_id'),
    noText('hostname'),
    noText('ip'),
    parent('subnet_id'),
    team,
    domain,
  ]),
  nameDictionary('pod_cluster_map', 'pod_cluster', [icon, team, domain, subDomain]),
  nameDictionary('pod_node_map', 'pod_node', [icon, team, domain, subDomain, parent('pod_cluster_id')]),
  nameDictionary('pod_ns_map', 'pod_ns', [icon, parent('pod_cluster_id'), team, domain, subDomain]),
  nameDictionary('pod_group_map', 'pod_group', [
    number('pod_group_type', 'toUInt64(device_type)'),
    icon,
    parent('pod_cluster_id'),
    parent('pod_ns_id'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('pod_service_map', 'pod_service', [
    parent('pod_cluster_id'),
    parent('pod_ns_id'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('pod_map', 'pod', [
    icon,
    parent('pod_cluster_id'),
    parent('pod_ns_id'),
    parent('pod_node_id'),
    noNumber('pod_service_id'),
    parent('pod_group_id'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('gprocess_map', 'gprocess', [
    icon,
    parent('chost_id', signed),
    parent('l3_epc_id', signed),
    noNumber('biz_type'),
    team,
    domain,
    subDomain,
  ]),
  nameDictionary('biz_service_map', 'custom_service', [noText('service_group_name'), icon, team, domain]),
  nameDictionary('vtap_map', 'agent', [
    signed('type', 'toInt64(0)'),
    team,
    ...machines.flatMap((kind) => [parent(`${kind}_id`, signed), text(`${kind}_name`, `${kind}_name`)]),
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
  from: [nameMap],
  query: `${selected(deviceColumns, latest(nameMap, 'device_type != 0', 'kind, id'))} ARRAY JOIN if(device_type = 11, [11, 102], [device_type]) AS type`,
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

const kubernetes = [parent('l3_epc_id'), parent('pod_ns_id'), team, domain, subDomain];

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
  const tags = latest(customTagMap, `kind = '${kind}' AND family = '${family}'`, 'id, name');
  const { from, text: rows } = withParents({ from: [customTagMap], text: tags }, kind, others);
  const each = [id, text('key', 'name'), text('value', 'value'), ...others];
  const json = 'toJSONString(mapFromArrays(groupArray(name), groupArray(value)))';
  const together = [id, text(allColumn, json), ...others];
  const common = { database: 'flow_tag', from } as const;
  const resource = ['id', ...parentsIn(others)].join(', ');
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
      query: `${selected(together, rows)} WHERE is_deleted = 0 GROUP BY ${resource}`,
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
    from: [],
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

/** Every derived table; each after those that it is made of. */
export const derivedTables: readonly DerivedTable[] = [
  ...names,
  devices,
  ...families.flatMap((family) => tagDictionaries(family)),
  ...lists,
  ...customFieldViews,
];
