import { RE2JS, RE2JSException } from 're2js';
import { ipv4Number, ipv6Bytes } from '../base/address.ts';
import {
  comesAlong,
  exportCategories,
  fieldsByName,
  readExportEntry,
  subCategoryOf,
  type ExportEntry,
} from '../catalog/export-fields.ts';
import { categoryOf, exportKey, translatedKey } from '../catalog/export-names.ts';
import type { ColumnSpec, DataSource } from '../catalog/types.ts';
import type { TagFilter } from '../exporters/config-filters.ts';
import type { ExporterConfig } from './exporter-schema.ts';
import { nodeAt, type Path } from './locate.ts';
import type { LocatedMapping } from './source.ts';

/** Whether what an exporter names of its data sources is there: in `export-fields`, in filters, in keys and topics. */

/** What has no fields, only labels. */
export const SAMPLES = 'prometheus.samples';

export interface Written {
  /** The exporter as it stands in the file, keys spelled as in the schema. */
  readonly node: LocatedMapping;
  /** What messages call it. */
  readonly path: Path;
}

export interface Checks {
  readonly config: ExporterConfig;
  readonly written: Written;
  readonly complain: (path: Path, message: string) => void;
  readonly warn: (path: Path, message: string) => void;
  /** The nearest of the names, or those that there are; nothing after many mistakes, as it takes time. */
  readonly hint: (name: string, names: readonly string[]) => string;
}

export function checkFields(checks: Checks, sources: readonly DataSource[]): void {
  const { config, written, complain, warn } = checks;
  const rows = sources.filter((source) => source.exportFields !== undefined);
  if (rows.length === 0) return;
  let metrics = false;
  for (const [index, entry] of textsAt(written, 'export-fields').entries()) {
    const at = ['export-fields', index];
    const read = readExportEntry(entry);
    const fields = read.kind === 'field' ? rows.map((source) => fieldsByName(source).get(read.name)) : [];
    if (read.kind === 'unknown-category') {
      complain(at, `unknown category ${JSON.stringify(entry.slice(0, 80))}${checks.hint(entry, exportCategories)}`);
    } else if (read.kind === 'category' && !exportCategories.includes(entry) && entry !== `$${read.name}`) {
      warn(at, `understood as ${read.of}.${read.name}`);
    } else if (read.kind === 'field' && fields.every((field) => field === undefined)) {
      complain(at, unknownField(checks, entry, rows));
    } else if (read.kind === 'pod-label-expression') {
      const problem = expressionProblem(read.expression);
      if (problem !== undefined) complain(at, problem);
    }
    metrics ||= read.kind === 'metrics' || (read.kind === 'category' && read.of === '$metrics');
    metrics ||= fields.some((field) => field !== undefined && categoryOf(field) === '$metrics');
  }
  const isGiven = textsAt(written, 'export-fields').length > 0;
  if (config.protocol === 'prometheus' && isGiven && !metrics) {
    warn(['export-fields'], 'no metric is among these, so no series are sent of flow_metrics; add $metrics');
  }
}

/** Each takes time for every row, and for being checked. */
const MOST_EXPRESSIONS = 500;

function isSearch(operator: TagFilter['operator']): boolean {
  return operator === '~' || operator === '!~';
}

export function checkFilters(checks: Checks, sources: readonly DataSource[]): void {
  const { config, written, complain, warn } = checks;
  const isAlone = listAt(written, ['tag-filters']) > 0;
  const expressions = config.filterGroups
    .flatMap(({ filters }) => filters)
    .reduce((sum, { operator, values }) => sum + (isSearch(operator) ? values.length : 0), 0);
  if (expressions > MOST_EXPRESSIONS) {
    const where = isAlone ? 'tag-filters' : 'tag-filters-groups';
    complain([where], `expected at most ${MOST_EXPRESSIONS} regular expressions; got ${expressions}`);
    return;
  }
  for (const [group, { filters }] of config.filterGroups.entries()) {
    const base = isAlone ? ['tag-filters'] : ['tag-filters-groups', group, 'tag-filters'];
    for (const [index, filter] of filters.entries()) {
      const at = [...base, index];
      const fields = filterFields(checks, filter.field, sources);
      if (fields.problem !== undefined) complain([...at, 'field-name'], fields.problem);
      const values = [...at, 'field-values'];
      checkValues(filter, fields.specs, {
        complain: (value, message) => complain([...values, value], message),
        warn: (value, message) => warn([...values, value], message),
      });
    }
  }
}

/** The field in each data source. One that has no such field could only be exported as a whole, or not at all: the filter has to be complained about. */
function filterFields(checks: Checks, name: string, sources: readonly DataSource[]): FilterFields {
  const found = sources.map((source) => ({ source, spec: fieldsByName(source).get(name) }));
  const specs = found.flatMap(({ spec }) => spec ?? []);
  if (specs.length === 0) return { specs, problem: unknownField(checks, name, sources) };
  const without = found.filter(({ spec }) => spec === undefined).map(({ source }) => source.id);
  if (without.length === 0) return { specs, problem: undefined };
  const shown = JSON.stringify(name);
  const problem = `there is no field ${shown} in ${without.join(', ')}, so the filter cannot be applied there; give these an exporter of their own`;
  return { specs, problem };
}

interface FilterFields {
  readonly specs: readonly ColumnSpec[];
  readonly problem: string | undefined;
}

interface Values {
  readonly complain: (value: number, message: string) => void;
  readonly warn: (value: number, message: string) => void;
}

function checkValues({ operator, values }: TagFilter, fields: readonly ColumnSpec[], at: Values): void {
  const isEqual = operator === '=' || operator === '!=';
  const isNumber = fields.length > 0 && fields.every((field) => isNumeric(field));
  const isCode = fields.some((field) => field.enum !== undefined || field.universalTag !== undefined);
  const isAddress = fields.length > 0 && fields.every(({ type }) => type === 'IPv4' || type === 'IPv6');
  for (const [index, value] of values.entries()) {
    const problem = isSearch(operator) ? expressionProblem(value) : undefined;
    if (problem !== undefined) at.complain(index, problem);
    if (isEqual && isNumber && !/^\s*[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\s*$/.test(value)) {
      const codes = isCode ? ': codes and ids are compared, not names' : '';
      at.warn(index, `the field is a number, which ${JSON.stringify(value.slice(0, 40))} never equals${codes}`);
    }
    if (isEqual && isAddress && !fields.some(({ type }) => isAddressOf(type, value.trim()))) {
      const shown = JSON.stringify(value.slice(0, 40));
      at.warn(
        index,
        `the field is an address, which ${shown} never equals; the operator ":" takes patterns as in 10.1.*`,
      );
    }
  }
}

/** An IPv4 address may also be given as a number. */
function isAddressOf(type: ColumnSpec['type'], text: string): boolean {
  if (type === 'IPv6') return ipv6Bytes(text) !== undefined;
  return ipv4Number(text) !== undefined || (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32);
}

/** Addresses have types of their own; those of network cards are stored as numbers and read as text. */
function isNumeric({ type, text }: ColumnSpec): boolean {
  return text === undefined && /^(?:Nullable\()?U?(?:Int|Float)\d/.test(type);
}

export function checkKafka(checks: Checks, sources: readonly DataSource[]): void {
  const { config, complain, warn } = checks;
  if (config.protocol !== 'kafka') return;
  const check = (path: Path, name: string) => {
    const problem = rowFieldProblem(checks, name, sources);
    if (problem !== undefined) complain(path, problem);
  };
  if (config.key.kind === 'field') check(['kafka', 'key'], config.key.field);
  if (config.key.kind === 'series-hash') {
    const without = sources.filter(({ id, database }) => database !== 'flow_metrics' && id !== SAMPLES);
    const names = without.map(({ id }) => id).join(', ');
    if (without.length > 0) warn(['kafka', 'key'], `rows of ${names} are no series: their messages have no key`);
  }
  if (config.topic.kind !== 'template') return;
  for (const part of config.topic.parts) {
    if (part.kind === 'field') check(['kafka', 'topic-template'], part.field);
  }
}

/** Why a field of the rows cannot be used for keys and topics: these are made of what is exported. */
function rowFieldProblem(checks: Checks, name: string, sources: readonly DataSource[]): string | undefined {
  const found = sources.map((source) => ({
    source,
    spec: (source.exportFields ?? []).find(
      (field) => exportKey(field) === name || field.name === name || translatedKey(field) === name,
    ),
  }));
  const without = found.filter(({ spec }) => spec === undefined).map(({ source }) => source.id);
  const shown = JSON.stringify(name);
  if (without.length === sources.length) return unknownField(checks, name, sources);
  if (without.length > 0) {
    return `there is no field ${shown} in ${without.join(', ')}; give these an exporter of their own`;
  }
  const entries = checks.config.exportFields.map((entry) => readExportEntry(entry));
  const isExported = found.every(({ spec }) => spec !== undefined && entries.some((entry) => chooses(entry, spec)));
  return isExported
    ? undefined
    : `the field ${shown} is not exported, which it has to be for this: add it to export-fields`;
}

/** Whether an entry of `export-fields` adds a field. */
function chooses(entry: ExportEntry, field: ColumnSpec): boolean {
  switch (entry.kind) {
    case 'tags':
      return categoryOf(field) === '$tag';
    case 'metrics':
      return categoryOf(field) === '$metrics';
    case 'category':
      return subCategoryOf(field) === entry.name || (comesAlong(field) && categoryOf(field) === entry.of);
    case 'field':
      return entry.name === exportKey(field) || entry.name === field.name;
    case 'pod-labels':
    case 'pod-label':
    case 'pod-label-expression':
    case 'unknown-category':
      return false;
  }
}

function unknownField({ hint }: Checks, name: string, sources: readonly DataSource[]): string {
  const names = [...new Set(sources.flatMap((source) => [...fieldsByName(source).keys()]))];
  const where = sources.map((source) => source.id).join(', ');
  const shown = JSON.stringify(name.slice(0, 80));
  if (names.length === 0) return `unknown field ${shown}: ${where} has none, only labels`;
  // What ids are called in messages where names take their place.
  const meant = sources.flatMap((source) => source.exportFields ?? []).find((field) => translatedKey(field) === name);
  const near = meant === undefined ? hint(name, names) : `; did you mean ${JSON.stringify(exportKey(meant))}?`;
  return `unknown field ${shown} in ${where}${near}`;
}

/** Why an expression cannot be used, or undefined. */
function expressionProblem(expression: string): string | undefined {
  if (expression.length > MOST_EXPRESSION) return `expected at most ${MOST_EXPRESSION} characters`;
  try {
    RE2JS.compile(expression);
    return undefined;
  } catch (error) {
    const why = error instanceof RE2JSException ? error.message : String(error);
    return `expected a regular expression of RE2: ${why.slice(0, 200)}`;
  }
}

const MOST_EXPRESSION = 4096;

/** The texts of a list of the exporter; other things in it were complained about already. */
export function textsAt({ node }: Written, key: string): readonly string[] {
  const list = nodeAt(node, [key]);
  if (list?.kind !== 'list') return [];
  return list.items.map((item) => (item.kind === 'scalar' && typeof item.value === 'string' ? item.value : ''));
}

/** Entries of a list of the exporter. */
export function listAt({ node }: Written, path: Path): number {
  const list = nodeAt(node, path);
  return list?.kind === 'list' ? list.items.length : 0;
}
