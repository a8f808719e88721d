import { stringify } from 'yaml';
import { z } from 'zod';
import { formatBytes, formatDuration } from '../base/units.ts';
import { SECTIONS } from './schema.ts';
import { peel, type Peeled, type Schema } from './schema-tree.ts';

/** One key of the configuration, as the reference shows it. */
export interface ReferenceKey {
  /** `listen.http.address`; `[]` stands for an entry of a list. */
  readonly path: string;
  readonly key: string;
  /** What may be written: `duration`, `a or b`, `list of path`. */
  readonly type: string;
  /** As YAML in one line; undefined = absent unless written. */
  readonly fallback: string | undefined;
  readonly description: string;
  /** Keys below, when a mapping (or a list of mappings) may be written. */
  readonly children: readonly ReferenceKey[];
  readonly isList: boolean;
  /** The key means something by being there: it is shown, but not written, in the reference. */
  readonly isOptional: boolean;
  /** Set when the keys below are those of another section. */
  readonly sameAs: string | undefined;
}

/** Every section with its keys, from the schemas. */
export function referenceKeys(): readonly ReferenceKey[] {
  const shared = new Map<Schema, string>();
  for (const name of ['auth', 'tls'] as const) shared.set(peel(SECTIONS[name]).core, name);
  return Object.entries(SECTIONS).map(([key, schema]) => describe(key, schema, { parent: '', shared }));
}

/** The whole configuration as commented YAML with all defaults; loading it gives the defaults. What has no default is commented out. */
export function renderReference(): string {
  const head = [
    "# Sluice's configuration: every key with its default. Every key is optional; a key without a value counts as absent.",
    '# Durations: 500ms, 30s, 1h30m, 15d. Sizes: 512, 64MiB, 1.5GiB, 1GB. Paths in this file are relative to its folder.',
    '# Secrets are read from files or from the environment: ${NAME}.',
  ];
  const sections = referenceKeys().map((key) => ['', ...yamlLines(key, WIDTH).map(rendered)]);
  return `${[...head, ...sections.flat()].join('\n')}\n`;
}

interface Where {
  readonly parent: string;
  /** Schemas that are described once, by section. */
  readonly shared: ReadonlyMap<Schema, string>;
}

function describe(key: string, schema: Schema, where: Where): ReferenceKey {
  const peeled = peel(schema);
  const path = where.parent === '' ? key : `${where.parent}.${key}`;
  const sameAs = where.parent === '' ? undefined : where.shared.get(peeled.core);
  const mapping = peeled.format === undefined ? mappingOf(peeled.core) : undefined;
  const below = { ...where, parent: mapping?.isList === true ? `${path}[]` : path };
  const children =
    mapping === undefined || sameAs !== undefined
      ? []
      : Object.entries(mapping.shape).map(([name, child]) => describe(name, child, below));
  return {
    path,
    key,
    type: sameAs === undefined ? typeText(peeled) : `as the section \`${sameAs}\``,
    fallback: fallbackText(peeled),
    description: peeled.description ?? '',
    children,
    isList: mapping?.isList ?? false,
    isOptional: peeled.optional && peeled.fallback === undefined,
    sameAs,
  };
}

interface Mapping {
  readonly shape: Readonly<Record<string, Schema>>;
  readonly isList: boolean;
}

/** The mapping that may be written for a schema, itself or as the entry of a list. */
function mappingOf(core: Schema): Mapping | undefined {
  if (core instanceof z.ZodObject) return { shape: core.shape, isList: false };
  if (core instanceof z.ZodArray) {
    const inner = mappingOf(peel(core.element).core);
    return inner === undefined ? undefined : { shape: inner.shape, isList: true };
  }
  if (!(core instanceof z.ZodUnion)) return undefined;
  const found = core.options
    .map((option) => peel(option))
    .map((option) => (option.format === undefined ? mappingOf(option.core) : undefined))
    .filter((mapping) => mapping !== undefined);
  if (found.length === 0) return undefined;
  const shape: Record<string, Schema> = {};
  for (const [key, schema] of found.flatMap((mapping) => Object.entries(mapping.shape))) {
    const other = shape[key];
    shape[key] = other === undefined || peel(other).core === peel(schema).core ? schema : either(other, schema);
  }
  return { shape, isList: found.every(({ isList }) => isList) };
}

/** A key that takes different values in the alternatives of a union. */
function either(one: Schema, other: Schema): Schema {
  return z.union([one, other]).meta({ description: peel(one).description ?? '' });
}

function typeText(peeled: Peeled): string {
  const orNull = peeled.nullable ? ' or null' : '';
  return `${formatText(peeled.format) ?? coreText(peeled.core)}${orNull}`;
}

function formatText(format: string | undefined): string | undefined {
  if (format === 'folder' || format === 'secret path' || format === 'secret file') return 'path';
  if (format === 'scalar text') return 'text';
  if (format === 'secret') return 'text, ${NAME} or {file: path}';
  return format === 'secret reference' ? '${NAME} or {file: path}' : format;
}

function coreText(core: Schema): string {
  if (core instanceof z.ZodString) return 'text';
  if (core instanceof z.ZodNumber) return core.format === null ? 'number' : 'whole number';
  if (core instanceof z.ZodBoolean) return 'true or false';
  if (core instanceof z.ZodEnum) return core.options.join(', ').replace(/, ([^,]*)$/, ' or $1');
  if (core instanceof z.ZodLiteral) return [...core.values].map(String).join(' or ');
  if (core instanceof z.ZodArray) return `list of ${typeText(peel(core.element))}`;
  if (core instanceof z.ZodObject) return 'mapping';
  if (core instanceof z.ZodRecord) return `mapping of ${typeText(peel(core.valueType))}`;
  if (core instanceof z.ZodUnion)
    return [...new Set(core.options.map((option) => typeText(peel(option))))].join(' or ');
  return 'anything';
}

/** A default in one line of YAML; undefined for none and for mappings, whose keys have their own. */
function fallbackText({ fallback, format, core }: Peeled): string | undefined {
  if (fallback === undefined) return undefined;
  if (format === 'duration' && typeof fallback === 'number') return formatDuration(fallback);
  if (format === 'size' && typeof fallback === 'number') return formatBytes(fallback);
  if (mappingOf(core)?.isList === false && typeof fallback === 'object') return undefined;
  return stringify(fallback, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
}

const WIDTH = 118;

/** A line of the reference before it is indented: `remark` and `absent` (a key that is not written) stand behind a hash. */
interface Line {
  readonly kind: 'remark' | 'key' | 'absent';
  readonly text: string;
}

function rendered({ kind, text }: Line): string {
  return kind === 'key' ? text : `# ${text}`;
}

/** `width` is what is left of a line at this depth. */
function yamlLines(key: ReferenceKey, width: number): Line[] {
  const remarks = wrap(key.description, width - 2).map((text): Line => ({ kind: 'remark', text }));
  if (key.fallback !== undefined) {
    return [...remarks, { kind: 'key', text: `${key.key}: ${key.fallback}` }, ...alternative(key, width)];
  }
  if (key.sameAs !== undefined) return [{ kind: 'absent', text: `${key.key}: ${key.type}` }];
  if (key.children.length === 0) {
    return [...remarks, { kind: 'absent', text: `${key.key}: ${shortened(key.type, width - key.key.length - 4)}` }];
  }
  const children = childLines(key, width);
  // A mapping whose keys all have no default would be null, that is absent.
  const isAbsent = key.isOptional || key.isList || children.every(({ kind }) => kind !== 'key');
  if (isAbsent) return [...remarks, ...commentedOut(key, children)];
  const below = children.map((line): Line => ({ kind: 'key', text: `  ${rendered(line)}` }));
  return [...remarks, { kind: 'key', text: `${key.key}:` }, ...below];
}

function childLines(key: ReferenceKey, width: number): Line[] {
  return key.children.flatMap((child) => yamlLines(child, width - (key.isList ? 6 : 4)));
}

/** The keys that may stand in the place of a default, as a comment. */
function alternative(key: ReferenceKey, width: number): Line[] {
  return key.children.length === 0 ? [] : commentedOut(key, childLines(key, width));
}

function commentedOut(key: ReferenceKey, children: readonly Line[]): Line[] {
  const lines = key.isList ? listEntry(children) : children.map((line) => uncommented(line));
  return [`${key.key}:`, ...lines.map((line) => `  ${line}`)].map((text) => ({ kind: 'absent', text }));
}

/** What remains when the hash before a key is taken away. */
function uncommented({ kind, text }: Line): string {
  return kind === 'remark' ? `# ${text}` : text;
}

/** Lines of a mapping as the only entry of a list: the dash stands before its first key. */
function listEntry(lines: readonly Line[]): string[] {
  const first = lines.findIndex(({ kind }) => kind !== 'remark');
  return lines.map((line, index) => {
    const text = uncommented(line);
    return index < first ? text : `${index === first ? '- ' : '  '}${text}`;
  });
}

/** The beginning of a long list of values. */
function shortened(type: string, width: number): string {
  if (type.length <= width) return type;
  return `${type.slice(0, type.lastIndexOf(',', width - 5))}, ...`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}
