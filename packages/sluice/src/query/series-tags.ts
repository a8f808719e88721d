import { bug } from '../base/errors.ts';
import type { CustomTags, Names } from '../base/ports.ts';
import { textAt, valuesOf } from '../batch/read.ts';
import { databaseOf } from '../catalog/catalog.ts';
import { namesOfNumbers } from '../catalog/enums.ts';
import { series as seriesSource, seriesTags } from '../catalog/prometheus.ts';
import { identifier, joinSql, sql, type Sql } from '../storage/sql.ts';
import type { QueryOptions, Store } from '../storage/store.ts';
import { addedLabel, compareNames, labelsOf, type AddedLabel, type LabelSet } from './label-set.ts';
import type { Matcher } from './matchers.ts';
import { anchored } from './regex.ts';

export interface SeriesTagLabelsOptions {
  readonly store: Store;
  /** Begins the name of every label that is a tag: `df_`. Not empty. */
  readonly prefix: string;
  readonly names: Names;
  readonly customTags?: CustomTags;
  /** For tests: less than usual. */
  readonly mostKnown?: number;
}

/** Columns whose values are numbers. */
const NUMBERS = seriesTags.map(({ name }) => name).filter((name) => name !== 'ip4' && name !== 'ip6');

/** What stands for all tags of a row. It is made of them, so what is known of it never is out of date. */
export const TAG_HASH: Sql = sql`cityHash64(${joinSql(
  seriesTags.map(({ name }) => identifier(name)),
  ', ',
)})`;

const ADDRESS: Sql = sql`if(is_ipv4 = 1, if(ip4 = toIPv4('0.0.0.0'), '', IPv4NumToString(ip4)), if(ip6 = toIPv6('::'), '', IPv6NumToString(ip6)))`;

/** Rows of tags that are remembered. */
const MOST_KNOWN = 200_000;
/** Hashes in one statement. */
const MOST_NAMED = 4096;

type Pair = readonly [name: string, value: string];
type Values = ReadonlyMap<string, number>;

interface Known {
  readonly values: Values;
  readonly address: string;
  /** Of these names' version. */
  version: number;
  pairs: readonly Pair[];
  labels: readonly AddedLabel[];
}

/**
 * Tags of series as labels: universal ones by their names now, whatever they were called when a sample came, and custom tags as they are now. `.`, `-`
 * and all that label names cannot have become `_`; of two that become the same the first one counts.
 */
export class SeriesTagLabels {
  readonly prefix: string;
  readonly #options: SeriesTagLabelsOptions;
  readonly #known = new Map<number, Map<bigint, Known>>();

  constructor(options: SeriesTagLabelsOptions) {
    if (options.prefix === '') bug('labels that are tags have a prefix');
    this.prefix = options.prefix;
    this.#options = options;
  }

  /** Another one when a tag may be shown by another name; never 0. */
  get version(): number {
    return this.#options.names.version + 1;
  }

  /** Whether a label of this name is a tag, unless a series has one of its own. */
  owns(name: string): boolean {
    return name.startsWith(this.prefix);
  }

  /** All different tags of rows that meet a condition. */
  async distinct(org: number, where: Sql, options: QueryOptions): Promise<LoadedTags> {
    const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
    const hashes: bigint[] = [];
    for (const block of await this.#options.store.select(
      sql`SELECT DISTINCT ${TAG_HASH} AS tag_hash FROM ${table} WHERE ${where}`,
      options,
    )) {
      for (const hash of valuesOf(block.columns[0]!.data, BigUint64Array)) hashes.push(hash);
    }
    return this.load(org, hashes, options);
  }

  /** The tags with these hashes; what is not known of them is read. */
  async load(org: number, hashes: Iterable<bigint>, options: QueryOptions): Promise<LoadedTags> {
    const loaded = new Map<bigint, Known>();
    const missing: bigint[] = [];
    const known = this.#of(org);
    for (const hash of hashes) {
      const one = known.get(hash);
      if (one === undefined) missing.push(hash);
      else loaded.set(hash, one);
    }
    const table = identifier(databaseOf(seriesSource, org), seriesSource.table);
    const numbers = joinSql(
      NUMBERS.map((name) => sql`toInt64(any(${identifier(name)}))`),
      ', ',
    );
    for (let from = 0; from < missing.length; from += MOST_NAMED) {
      const some = missing.slice(from, from + MOST_NAMED);
      const statement = sql`SELECT ${TAG_HASH} AS tag_hash, [${numbers}] AS numbers, any(${ADDRESS}) AS address FROM ${table}
        WHERE tag_hash IN (${some}) GROUP BY tag_hash`;
      // oxlint-disable-next-line no-await-in-loop -- one statement after the other, as few run at once
      for (const block of await this.#options.store.select(statement, options)) {
        const [hashColumn, numberColumn, addressColumn] = block.columns.map((column) => column.data);
        const hash = valuesOf(hashColumn!, BigUint64Array);
        if (numberColumn?.kind !== 'array') return bug('expected lists of numbers');
        const number = valuesOf(numberColumn.element, BigInt64Array);
        for (let row = 0; row < block.rows; row++) {
          const values = new Map(NUMBERS.map((name, index) => [name, Number(number[row * NUMBERS.length + index])]));
          loaded.set(hash[row]!, { values, address: textAt(addressColumn!, row), version: -1, pairs: [], labels: [] });
        }
      }
    }
    this.#remember(org, loaded);
    return new LoadedTags(loaded, (one) => this.#current(org, one));
  }

  #of(org: number): Map<bigint, Known> {
    let known = this.#known.get(org);
    if (known === undefined) this.#known.set(org, (known = new Map()));
    return known;
  }

  #remember(org: number, loaded: ReadonlyMap<bigint, Known>): void {
    const { mostKnown = MOST_KNOWN } = this.#options;
    let known = this.#of(org);
    if (known.size + loaded.size > mostKnown) this.#known.set(org, (known = new Map()));
    if (loaded.size <= mostKnown) for (const [hash, one] of loaded) known.set(hash, one);
  }

  /** With the names as they are now. */
  #current(org: number, known: Known): Known {
    const { version } = this.#options.names;
    if (known.version === version) return known;
    const named = new Map<string, string>();
    for (const [tag, value] of this.#tags(org, known)) {
      const name = this.prefix + tag.replaceAll(/[^a-zA-Z0-9_]/g, '_');
      if (value !== '' && !named.has(name)) named.set(name, value);
    }
    known.pairs = [...named];
    known.labels = known.pairs
      .map(([name, value]) => addedLabel(name, value))
      .toSorted((left, right) => compareNames(left.name, right.name));
    known.version = version;
    return known;
  }

  *#tags(org: number, { values, address }: Known): Generator<Pair> {
    const { names, customTags } = this.#options;
    const id = (column: string) => values.get(column) ?? 0;
    for (const [tag, kind, column] of NAMED) yield [tag, names.name(org, kind, id(column))];
    const deviceType = id('l3_device_type');
    const device = DEVICES.get(deviceType);
    if (device !== undefined) yield [device, names.device(org, deviceType, id('l3_device_id'))];
    yield ['ip', address];
    for (const tag of ['auto_instance', 'auto_service']) {
      const type = id(`${tag}_type`);
      const name = ADDRESS_TYPES.has(type) ? address : names.device(org, type, id(`${tag}_id`));
      yield [tag, name];
      if (name !== '') yield [`${tag}_type`, namesOfNumbers(`${tag}_type`)?.get(type) ?? ''];
    }
    const groupType = names.podGroupType(org, id('pod_group_id'));
    if (groupType !== 0) yield ['pod_group_type', namesOfNumbers('pod_group_type')?.get(groupType) ?? ''];
    const about = {
      pod: id('pod_id'),
      service: id('service_id'),
      namespace: id('pod_ns_id'),
      chost: deviceType === CHOST ? id('l3_device_id') : 0,
      process: id('gprocess_id'),
    };
    if (customTags !== undefined) yield* customTags.of(org, about);
  }
}

/** Tags of rows, by their hashes. An answer is made of one of these, as what is remembered may be dropped for other answers meanwhile. */
export class LoadedTags {
  readonly #known: ReadonlyMap<bigint, Known>;
  readonly #current: (known: Known) => Known;

  constructor(known: ReadonlyMap<bigint, Known>, current: (known: Known) => Known) {
    this.#known = known;
    this.#current = current;
  }

  get hashes(): Iterable<bigint> {
    return this.#known.keys();
  }

  /** The labels, sorted by the bytes of their names. */
  labels(hash: bigint): readonly AddedLabel[] {
    return this.#find(hash)?.labels ?? [];
  }

  pairs(hash: bigint): readonly Pair[] {
    return this.#find(hash)?.pairs ?? [];
  }

  /** Whether the tags alone meet the matchers. */
  mayMeet(hash: bigint, matchers: readonly Matcher[]): boolean {
    const pairs = new Map(this.pairs(hash));
    return matchers.every((matcher) => isMet(matcher, pairs.get(matcher.name) ?? ''));
  }

  #find(hash: bigint): Known | undefined {
    const known = this.#known.get(hash);
    return known === undefined ? undefined : this.#current(known);
  }
}

/** Tags, the kinds of their names, and their columns. */
const NAMED: readonly (readonly [tag: string, kind: string, column: string])[] = [
  ['region', 'region', 'region_id'],
  ['az', 'az', 'az_id'],
  ['host', 'host', 'host_id'],
  ['vpc', 'l3_epc', 'l3_epc_id'],
  ['subnet', 'subnet', 'subnet_id'],
  ['pod_cluster', 'pod_cluster', 'pod_cluster_id'],
  ['pod_ns', 'pod_ns', 'pod_ns_id'],
  ['pod_node', 'pod_node', 'pod_node_id'],
  ['pod_service', 'service', 'service_id'],
  ['pod_group', 'pod_group', 'pod_group_id'],
  ['pod', 'pod', 'pod_id'],
  ['gprocess', 'gprocess', 'gprocess_id'],
  ['agent', 'agent', 'agent_id'],
];

/** Kinds of devices that are tags of their own. */
const DEVICES: ReadonlyMap<number, string> = new Map([
  [1, 'chost'],
  [5, 'router'],
  [9, 'dhcpgw'],
  [12, 'redis'],
  [13, 'rds'],
  [15, 'lb'],
  [16, 'natgw'],
]);
const CHOST = 1;
/** Types of auto_instance and auto_service that are shown as the address. */
const ADDRESS_TYPES: ReadonlySet<number> = new Set([0, 255]);

/** Whether a label set meets a matcher. */
export function meets(set: LabelSet, matcher: Matcher): boolean {
  for (const [name, value] of labelsOf(set)) if (name === matcher.name) return isMet(matcher, value);
  return isMet(matcher, '');
}

function isMet({ type, value }: Matcher, given: string): boolean {
  switch (type) {
    case 'EQ':
      return given === value;
    case 'NEQ':
      return given !== value;
    case 'RE':
      return expression(value).matches(given);
    case 'NRE':
      return !expression(value).matches(given);
  }
}

const expressions = new Map<string, ReturnType<typeof anchored>>();

/** One query asks the same expression of thousands of label sets. */
function expression(pattern: string): ReturnType<typeof anchored> {
  let known = expressions.get(pattern);
  if (known === undefined) {
    if (expressions.size >= 100) expressions.clear();
    expressions.set(pattern, (known = anchored(pattern)));
  }
  return known;
}
