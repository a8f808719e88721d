import type { Protocol } from './exporter-schema.ts';
import { isAbsent, pathText, type Path } from './locate.ts';
import { canonical } from './nearest.ts';
import { childSchema, knownKeys, type Schema } from './schema-tree.ts';
import type { Located, LocatedEntry, LocatedMapping, Problem } from './source.ts';

/**
 * Keys of exporters that stand in files but mean nothing here: what DeepFlow ignores without a word, what it had in other versions, and what no
 * version of Sluice does yet.
 */

/** What DeepFlow passes over, found on its pages and in files of old versions, and what is meant. */
const IGNORED: ReadonlyMap<string, string> = new Map([
  ['tag-filter', 'write "tag-filters"'],
  ['tag-omitempty-disabled', 'write "export-empty-tag"'],
  ['metrics-omitempty', 'write "export-empty-metrics-disabled"'],
  ['enum-to-string-disabled', 'write "enum-translate-to-name-disabled"'],
  ['universal-tag-to-string-disabled', 'write "universal-tag-translate-to-name-disabled"'],
  ['exporter-type', 'it is of DeepFlow before 6.5; write "protocol"'],
  ['otlp-exporter', 'it is of DeepFlow before 6.5; its keys stand in the exporter itself'],
  ['addr', 'it is of DeepFlow before 6.5; write "endpoints"'],
  ['export-datas', 'it is of DeepFlow before 6.5; write "data-sources"'],
  ['export-data-types', 'it is of DeepFlow before 6.5; write "export-fields"'],
  ['export-custom-k8s-labels-regexp', 'it is of DeepFlow before 6.5; write "~$k8s.label.REGEX" in "export-fields"'],
]);

/** Keys of DeepFlow that it reads with one protocol only. */
const OF_PROTOCOLS: ReadonlyMap<string, readonly Protocol[]> = new Map<string, readonly Protocol[]>([
  ['sasl', ['kafka']],
  ['topic', ['kafka']],
  ['extra-headers', ['prometheus', 'opentelemetry']],
]);

/** Paths below an exporter. */
const NOT_SUPPORTED: ReadonlySet<string> = new Set([
  'flush-interval',
  'queue',
  'shards',
  'endpoint-mode',
  'dead-letter',
  'strict',
  'write-relabel-configs',
  'max-active-series',
  'retry.max-elapsed',
  'retry.extra-statuses',
  'auth.oauth2',
  'auth.sigv4',
  'otlp.resource-grouping',
  'otlp.semconv',
  'kafka.partitioner',
  'kafka.encoding',
  'kafka.schema-registry',
  'json.time-format',
]);

/** Words for a key that the protocol's schema does not take, other than that it is unknown. */
export function unknownKeyText(path: Path, key: string, others: ReadonlyMap<Protocol, Schema>): string | undefined {
  const where = pathText([...path, canonical(key)]);
  const quoted = JSON.stringify(key);
  if (NOT_SUPPORTED.has(where)) return `${quoted} is not supported yet`;
  if (path.length > 0) return undefined;
  const owners = [...others].filter(([, schema]) => knownKeys(schema).includes(canonical(key))).map(([name]) => name);
  if (owners.length === 0) return undefined;
  const instead = canonical(key) === 'auth' ? ', kafka has sasl' : '';
  return `the key ${quoted} belongs to protocol ${owners.join(' and ')}${instead}: it cannot stand`;
}

export interface Respelled {
  readonly node: Located;
  readonly problems: readonly Problem[];
}

/** The same tree with its keys spelled as the schema has them: DeepFlow's own pages write `_` for `-` in some. */
export function respell(node: Located, schema: Schema | undefined): Respelled {
  const problems: Problem[] = [];
  return { node: respelled(node, schema, problems), problems };
}

function respelled(node: Located, schema: Schema | undefined, problems: Problem[]): Located {
  if (node.kind === 'scalar' || schema === undefined) return node;
  if (node.kind === 'list') {
    return { ...node, items: node.items.map((item, index) => respelled(item, childSchema(schema, index), problems)) };
  }
  const known = knownKeys(schema);
  const entries = new Map<string, LocatedEntry>();
  for (const [key, entry] of node.entries) {
    const name = known.includes(key) ? key : (known.find((one) => one === canonical(key)) ?? key);
    const earlier = entries.get(name);
    if (earlier === undefined) {
      entries.set(name, { ...entry, node: respelled(entry.node, childSchema(schema, name), problems) });
    } else {
      const message = `the key ${JSON.stringify(key)} is already given at ${earlier.place.text}`;
      problems.push({ place: entry.place, message });
    }
  }
  return { ...node, entries };
}

export interface WithoutIgnored {
  readonly node: LocatedMapping;
  readonly warnings: readonly Problem[];
}

/** An exporter without the keys that DeepFlow itself passes over, each with a warning. `path` names the exporter. */
export function dropIgnored(node: LocatedMapping, protocol: Protocol, path: Path): WithoutIgnored {
  const warnings: Problem[] = [];
  const entries = new Map<string, LocatedEntry>();
  for (const [key, entry] of node.entries) {
    const hint = IGNORED.get(canonical(key));
    const owners = OF_PROTOCOLS.get(key);
    if (hint === undefined && (owners === undefined || owners.includes(protocol))) {
      entries.set(key, entry);
    } else if (!isAbsent(entry.node)) {
      const why = hint ?? `with protocol ${protocol} there is no such thing`;
      const message = `the key ${JSON.stringify(key)} in ${pathText(path)} has no effect: ${why}`;
      warnings.push({ place: entry.place, message });
    }
  }
  return { node: { ...node, entries }, warnings };
}

/** Whether an exporter is written as DeepFlow before 6.5 had it. */
export function isOldLayout(node: LocatedMapping): boolean {
  return [...node.entries.keys()].some((key) => ['exporter-type', 'otlp-exporter'].includes(canonical(key)));
}
