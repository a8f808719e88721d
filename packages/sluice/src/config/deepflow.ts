import { shown } from '../base/config-schema.ts';
import { bug } from '../base/errors.ts';
import { DEEPFLOW_KEYS, type DeepflowKind, type DeepflowSection, type DeepflowShape } from './deepflow-keys.ts';
import { canonical, nearestHint } from './nearest.ts';
import type { Located, LocatedEntry, Problem } from './source.ts';

/** What became of the keys of DeepFlow's server.yaml that Sluice does not obey. */
export interface DeepflowFindings {
  /** Wrong types anywhere. */
  readonly problems: Problem[];
  /** Unknown keys of DeepFlow's sections. */
  readonly warnings: Problem[];
  /** Paths of known keys that have no effect here. */
  readonly unused: string[];
}

const MOST_HINTS = 200;

/** Looks through the top-level keys that are DeepFlow's. `ingester.exporters` is a section of Sluice's. */
export function checkDeepflow(entries: Iterable<readonly [string, LocatedEntry]>): DeepflowFindings {
  const findings: DeepflowFindings = { problems: [], warnings: [], unused: [] };
  for (const [key, entry] of entries) {
    const shape = DEEPFLOW_KEYS[key];
    if (shape !== undefined) walk(entry.node, shape, { path: key, findings });
  }
  return findings;
}

interface Walk {
  readonly path: string;
  readonly findings: DeepflowFindings;
}

function walk(node: Located, shape: DeepflowShape, at: Walk): void {
  if (isNull(node)) return;
  if (typeof shape === 'string') {
    const wanted = mismatch(node, shape);
    if (wanted === undefined) at.findings.unused.push(at.path);
    else wrongType(node, wanted, at);
  } else if (isList(shape)) {
    if (node.kind !== 'list') wrongType(node, 'a list', at);
    else node.items.forEach((item, index) => walk(item, shape[0], { ...at, path: `${at.path}[${index}]` }));
  } else if (node.kind === 'mapping') {
    for (const [key, entry] of node.entries) walkKey(key, entry, shape, at);
  } else {
    wrongType(node, 'a mapping', at);
  }
}

function walkKey(key: string, entry: LocatedEntry, section: DeepflowSection, at: Walk): void {
  const known = knownName(key, section);
  const path = `${at.path}.${known ?? key}`;
  if (at.path === 'ingester' && canonical(key) === 'exporters') return;
  const shape = known === undefined ? undefined : section[known];
  if (shape !== undefined) {
    walk(entry.node, shape, { ...at, path });
    return;
  }
  const names = at.path === 'ingester' ? [...Object.keys(section), 'exporters'] : Object.keys(section);
  // Looking for the nearest key takes time: a file of garbage has more of them than anybody reads.
  const { problems, warnings } = at.findings;
  const hint = problems.length + warnings.length < MOST_HINTS ? nearestHint(key, names) : '';
  warnings.push({ place: entry.place, message: `unknown DeepFlow key ${JSON.stringify(key)} in ${at.path}${hint}` });
}

/** DeepFlow's own pages spell some keys with `_` for `-`; both are understood. */
function knownName(key: string, section: DeepflowSection): string | undefined {
  if (Object.hasOwn(section, key)) return key;
  const wanted = canonical(key);
  return Object.keys(section).find((name) => canonical(name) === wanted);
}

/** What was expected instead, or undefined when the value fits. As lenient as DeepFlow's own reader: any single value is a text. */
function mismatch(node: Located, kind: DeepflowKind): string | undefined {
  const value = node.kind === 'scalar' ? node.value : undefined;
  switch (kind) {
    case 'text':
      return node.kind === 'scalar' ? undefined : 'a text';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number';
    case 'boolean':
      return typeof value === 'boolean' || isOldBoolean(value) ? undefined : 'true or false';
    case 'texts':
      return node.kind === 'list' && node.items.every((item) => item.kind === 'scalar') ? undefined : 'a list of texts';
    case 'map':
      return node.kind === 'mapping' ? undefined : 'a mapping';
    default:
      return bug(`no such kind of value: ${String(kind)}`);
  }
}

/** What YAML 1.1, which DeepFlow reads, takes for true and false. */
function isOldBoolean(value: unknown): boolean {
  return typeof value === 'string' && /^(?:yes|no|on|off|y|n)$/i.test(value);
}

function wrongType(node: Located, wanted: string, at: Walk): void {
  // DeepFlow's files hold passwords in clear: only numbers and booleans are repeated.
  const value = node.kind === 'scalar' ? node.value : undefined;
  const got =
    node.kind === 'scalar'
      ? typeof value === 'string'
        ? 'a text'
        : shown(value)
      : shown(node.kind === 'list' ? [] : {});
  at.findings.problems.push({ place: node.place, message: `${at.path}: expected ${wanted}; got ${got}` });
}

function isNull(node: Located): boolean {
  return node.kind === 'scalar' && node.value === null;
}

function isList(shape: DeepflowShape): shape is readonly [DeepflowSection] {
  return Array.isArray(shape);
}
