import { exporterFindings } from './exporter-checks.ts';
import { dropIgnored, isOldLayout, respell, unknownKeyText } from './exporter-keys.ts';
import { EXPORTER_SCHEMAS, type ExporterConfig, type Protocol } from './exporter-schema.ts';
import { isAbsent, nodeAt, pathText, type Path } from './locate.ts';
import type { Surroundings } from './materialize.ts';
import { canonical, nearestHint } from './nearest.ts';
import { parseSection } from './section.ts';
import type { Located, LocatedEntry, LocatedMapping, Place, Problem } from './source.ts';

export interface ReadExporters {
  /** Those that are on; undefined when there are mistakes. */
  readonly exporters: readonly ExporterConfig[] | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly notes: readonly string[];
}

interface List {
  readonly path: Path;
  readonly place: Place;
  readonly items: readonly Located[];
}

/** One exporter with what is wrong with it. `enabled` is what is written; absent means on. */
interface Entry {
  readonly path: Path;
  readonly place: Place;
  readonly config: ExporterConfig | undefined;
  readonly enabled: boolean | undefined;
  readonly isNamed: boolean;
}

/** Each has connections and memory of its own; more of them are a mistake. */
const MOST_EXPORTERS = 256;

/** Reads `exporters` and `ingester.exporters`, of which one may have entries. */
export function readExporters(
  entries: ReadonlyMap<string, LocatedEntry>,
  around: Pick<Surroundings, 'file' | 'env'>,
): ReadExporters {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const list = theList(entries, problems);
  if (list !== undefined && list.items.length > MOST_EXPORTERS) {
    const message = `${pathText(list.path)}: expected at most ${MOST_EXPORTERS} exporters; got ${list.items.length}`;
    problems.push({ place: list.place, message });
  }
  const read = (list?.items ?? []).slice(0, MOST_EXPORTERS).map((item, index) => {
    const path = [...(list?.path ?? []), index];
    return readEntry(item, { path, around, problems, warnings });
  });
  const on = read.filter(({ enabled }) => enabled !== false);
  nameProblems(on, problems);
  const exporters = on.flatMap(({ config }) => config ?? []);
  return {
    exporters: problems.length === 0 ? exporters : undefined,
    problems,
    warnings,
    notes: [
      ...line(
        'exporters without "enabled" are on, which DeepFlow takes for off',
        on.filter(({ enabled, config }) => enabled === undefined && config !== undefined),
      ),
      ...line(
        'exporters that are switched off',
        read.filter(({ enabled }) => enabled === false),
      ),
    ],
  };
}

function theList(entries: ReadonlyMap<string, LocatedEntry>, problems: Problem[]): List | undefined {
  const ingester = entries.get('ingester')?.node;
  const key = ingester?.kind === 'mapping' ? [...ingester.entries.keys()].find(isExporters) : undefined;
  const below = ingester?.kind === 'mapping' && key !== undefined ? ingester.entries.get(key) : undefined;
  const [first, second] = [
    toList(['ingester', 'exporters'], below, problems),
    toList(['exporters'], entries.get('exporters'), problems),
  ].filter((list) => list !== undefined && list.items.length > 0);
  if (first !== undefined && second !== undefined) {
    const message = `exporters are given here and at ${first.place.text}: expected one list with all of them`;
    problems.push({ place: second.place, message });
  }
  return first ?? second;
}

function isExporters(key: string): boolean {
  return canonical(key) === 'exporters';
}

function toList(path: Path, entry: LocatedEntry | undefined, problems: Problem[]): List | undefined {
  if (entry === undefined || isAbsent(entry.node)) return undefined;
  if (entry.node.kind === 'list') return { path, place: entry.place, items: entry.node.items };
  problems.push({ place: entry.node.place, message: `${pathText(path)}: expected a list; got ${kindOf(entry.node)}` });
  return undefined;
}

interface Reading {
  readonly path: Path;
  readonly around: Pick<Surroundings, 'file' | 'env'>;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

function readEntry(item: Located, { path, around, problems, warnings }: Reading): Entry {
  const name = pathText(path);
  if (item.kind !== 'mapping') {
    problems.push({ place: item.place, message: `${name}: expected a mapping; got ${kindOf(item)}` });
    return { path, place: item.place, config: undefined, enabled: undefined, isNamed: false };
  }
  const enabled = isOff(item) ? false : valueOf(item, 'enabled') === undefined ? undefined : true;
  // What is wrong with an exporter that is off does no harm.
  const found = enabled === false ? warnings : problems;
  const entry = { path, place: item.place, enabled, isNamed: valueOf(item, 'name') !== undefined };
  const protocol = protocolOf(item, name, found);
  const schema = protocol === undefined ? undefined : EXPORTER_SCHEMAS.get(protocol);
  if (protocol === undefined || schema === undefined) return { ...entry, config: undefined };

  const others = new Map([...EXPORTER_SCHEMAS].filter(([other]) => other !== protocol));
  const respelled = respell(item, schema);
  found.push(...respelled.problems);
  if (respelled.node.kind !== 'mapping') return { ...entry, config: undefined };
  const kept = dropIgnored(respelled.node, protocol, path);
  warnings.push(...kept.warnings);
  const parsed = parseSection(
    {
      schema,
      path,
      node: kept.node,
      place: item.place,
      unknownKey: (inside, key) => unknownKeyText(inside, key, others),
    },
    { ...around, problems: found },
  );
  if (parsed === undefined) return { ...entry, config: undefined };
  const checked = exporterFindings(parsed.value, { node: kept.node, path });
  found.push(...checked.problems);
  warnings.push(...checked.warnings);
  return { ...entry, config: parsed.value };
}

function protocolOf(item: LocatedMapping, name: string, problems: Problem[]): Protocol | undefined {
  const names = [...EXPORTER_SCHEMAS.keys()];
  const entry = item.entries.get('protocol');
  const value = entry?.node.kind === 'scalar' ? entry.node.value : undefined;
  const known = names.find((one) => one === value);
  if (known !== undefined) return known;
  const wanted = `expected ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  if (entry === undefined || isAbsent(entry.node)) {
    const old = isOldLayout(item)
      ? '. This is the layout of DeepFlow before 6.5: now protocol, endpoints and data-sources stand side by side'
      : '';
    problems.push({ place: item.place, message: `${name}.protocol: ${wanted}; the key is missing${old}` });
  } else {
    const hint = typeof value === 'string' ? nearestHint(value, names) : '';
    const got = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : kindOf(entry.node);
    problems.push({ place: entry.node.place, message: `${name}.protocol: ${wanted}; got ${got}${hint}` });
  }
  return undefined;
}

/** The exporters are known by their names: to the journal, on disk, and in metrics. */
function nameProblems(entries: readonly Entry[], problems: Problem[]): void {
  const taken = new Map<string, Entry>();
  for (const entry of entries) {
    const { config } = entry;
    if (config === undefined) continue;
    const earlier = taken.get(config.name);
    if (earlier === undefined) {
      taken.set(config.name, entry);
      continue;
    }
    const other = `${pathText(earlier.path)} (${earlier.place.text})`;
    const message =
      entry.isNamed || earlier.isNamed
        ? `${pathText(entry.path)}: expected a name of its own; ${other} already goes by ${config.name}`
        : `${pathText(entry.path)}: expected a key "name", as ${other} has protocol ${config.protocol} too: by its name the hub knows what each of them has already sent`;
    problems.push({ place: entry.place, message });
  }
}

function line(what: string, entries: readonly Entry[]): string[] {
  const names = entries.map(({ config, path }) => config?.name ?? pathText(path));
  return names.length === 0 ? [] : [`${what}: ${names.join(', ')}`];
}

function isOff(item: LocatedMapping): boolean {
  const value = valueOf(item, 'enabled');
  return value === false || (typeof value === 'string' && /^(?:no|off|n)$/i.test(value));
}

/** A single value that is written and not null. */
function valueOf(item: LocatedMapping, key: string): string | number | boolean | undefined {
  const node = nodeAt(item, [key]);
  return node?.kind === 'scalar' ? (node.value ?? undefined) : undefined;
}

/** Values are not repeated: what stands in a wrong place may be a secret. */
function kindOf(node: Located): string {
  if (node.kind !== 'scalar') return node.kind === 'list' ? 'a list' : 'a mapping';
  if (node.value === null) return 'nothing';
  return typeof node.value === 'string' ? 'a text' : String(node.value);
}
