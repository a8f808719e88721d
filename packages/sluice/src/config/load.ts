import { resolve } from 'node:path';
import type { z } from 'zod';
import { bug } from '../base/errors.ts';
import { adoptAgentPort } from './agent-port.ts';
import { adoptStorageDisabled } from './storage-disabled.ts';
import { adoptTagPrefix } from './tag-prefix.ts';
import { crossChecks, followerNotes, forwarderNotes } from './cross-checks.ts';
import { checkDeepflow } from './deepflow.ts';
import { DEEPFLOW_KEYS } from './deepflow-keys.ts';
import { readExporters } from './exporters.ts';
import { placeOf } from './locate.ts';
import type { Surroundings } from './materialize.ts';
import { nearest, nearestHint } from './nearest.ts';
import { applySet, put } from './overrides.ts';
import { fileErrorText, readBounded } from './read-file.ts';
import { isSectionName, SECTIONS, type SluiceConfig } from './schema.ts';
import { parseSection } from './section.ts';
import { readSource, SOURCE_LIMITS, type Located, type LocatedEntry, type Place, type Problem } from './source.ts';

export interface LoadOptions {
  /** The YAML file; absent = defaults and `sets` only. */
  readonly path?: string;
  /** `KEY.PATH=VALUE` from the command line, later ones win. */
  readonly sets?: readonly string[];
  /** Wins over `data-dir` of the file. */
  readonly dataDir?: string;
  /** Where `${NAME}` references are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface LoadedConfig {
  /** Frozen, with every default filled in; undefined when there are problems. */
  readonly config: SluiceConfig | undefined;
  /** Mistakes, as `FILE:LINE:COLUMN: message` in the order of the file. The hub does not start. */
  readonly problems: readonly string[];
  /** Likewise, for what is probably not meant but does no harm. */
  readonly warnings: readonly string[];
  /** What the file asks for that has no effect here, one line for each kind of reason. */
  readonly notes: readonly string[];
}

/** Reads the configuration. Never throws for anything that stands in the file, the options or the environment: it says what is wrong. */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const problems: Problem[] = [];
  const adopted = adoptStorageDisabled(adoptTagPrefix(adoptAgentPort(readTree(options, problems))));
  const { root } = adopted;
  if (root !== undefined && root.kind !== 'mapping') {
    problems.push({ place: root.place, message: 'expected keys and values (a mapping) at the top' });
  }
  if (root === undefined && problems.length > 0) return result(undefined, { problems, warnings: [], notes: [] });
  const entries = root?.kind === 'mapping' ? root.entries : new Map<string, LocatedEntry>();
  const file = options.path === undefined ? undefined : resolve(options.path);
  const around: Surroundings = { file, env: options.env, problems };

  const sections = parseSections(entries, around);
  // A default is relative to the working directory, as what is given on the command line.
  const exporters = readExporters(entries, around);
  problems.push(...exporters.problems);
  const parsed = {
    ...sections,
    ...(sections.dataDir === undefined ? {} : { dataDir: resolve(sections.dataDir) }),
    ...(exporters.exporters === undefined ? {} : { exporters: exporters.exporters }),
  };
  const warnings = [...unknownTopLevel(entries, problems), ...exporters.warnings];
  const deepflow = checkDeepflow([...entries].filter(([key]) => !isSectionName(key)));
  problems.push(...deepflow.problems, ...crossChecks(parsed, (path) => placeOf(root, path)));
  warnings.push(...deepflow.warnings);

  const notes = [
    ...adopted.notes,
    ...oneLine(
      'known keys of DeepFlow without effect here',
      deepflow.unused.filter((path) => !adopted.used.includes(path)),
    ),
    ...exporters.notes,
    ...forwarderNotes(parsed),
    ...followerNotes(parsed),
  ];
  const config = problems.length === 0 ? freeze(complete(parsed)) : undefined;
  return result(config, { problems, warnings, notes });
}

function readTree(options: LoadOptions, problems: Problem[]): Located | undefined {
  let root: Located | undefined;
  if (options.path !== undefined) {
    const source = readFile(options.path, problems);
    root = source?.root;
    problems.push(...(source?.problems ?? []));
  }
  for (const set of options.sets ?? []) {
    const overridden = applySet(root, set);
    root = overridden.root;
    problems.push(...overridden.problems);
  }
  if (options.dataDir !== undefined && (root === undefined || root.kind === 'mapping')) {
    const place: Place = { text: '--data-dir', order: Infinity, inFile: false };
    root = put(root, ['data-dir'], { kind: 'scalar', value: options.dataDir, place }, place);
  }
  return root;
}

function readFile(path: string, problems: Problem[]) {
  const whole: Place = { text: path, order: 0, inFile: true };
  let text: string;
  try {
    const bytes = readBounded(path, SOURCE_LIMITS.bytes);
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, bytes.length));
  } catch (error) {
    const cause = error instanceof TypeError ? 'it is not UTF-8 text' : fileErrorText(error);
    problems.push({ place: whole, message: `cannot read the configuration: ${cause}` });
    return undefined;
  }
  return readSource(text, (line, column) => ({
    text: `${path}:${line}:${column}`,
    order: line * 1_000_000 + column,
    inFile: true,
  }));
}

/** Every section on its own, so that a mistake in one does not hide those of another. */
function parseSections(entries: ReadonlyMap<string, LocatedEntry>, around: Surroundings): Partial<SluiceConfig> {
  const parsed: Record<string, unknown> = {};
  for (const name of Object.keys(SECTIONS).filter((key) => isSectionName(key))) {
    if (name === 'exporters') continue;
    const entry = entries.get(name);
    const schema: z.ZodType = SECTIONS[name];
    const section = { schema, path: [name], node: entry?.node, place: entry?.place };
    const outcome = parseSection(section, around);
    if (outcome !== undefined) parsed[propertyName(name)] = outcome.value;
  }
  return parsed;
}

/** A top-level key that neither Sluice nor DeepFlow knows: a mistake, in a DeepFlow file one that may be a newer DeepFlow's. */
function unknownTopLevel(entries: ReadonlyMap<string, LocatedEntry>, problems: Problem[]): Problem[] {
  const warnings: Problem[] = [];
  const own = Object.keys(SECTIONS);
  const theirs = Object.keys(DEEPFLOW_KEYS);
  const isDeepflowFile = theirs.some((key) => entries.has(key));
  for (const [key, { place }] of entries) {
    if (isSectionName(key) || theirs.includes(key)) continue;
    const hint = nearestHint(key, [...own, ...theirs]);
    if (isDeepflowFile && nearest(key, own) === undefined) {
      warnings.push({ place, message: `unknown DeepFlow key ${JSON.stringify(key)} at the top${hint}` });
    } else {
      problems.push({
        place,
        message: `unknown key ${JSON.stringify(key)} at the top${hint || `; known keys: ${own.join(', ')}`}`,
      });
    }
  }
  return warnings;
}

function complete(parsed: Partial<SluiceConfig>): SluiceConfig {
  return isWhole(parsed) ? parsed : bug('a section of the configuration was neither read nor complained about');
}

function isWhole(parsed: Partial<SluiceConfig>): parsed is SluiceConfig {
  return Object.keys(SECTIONS).every((name) => Object.hasOwn(parsed, propertyName(name)));
}

function propertyName(section: string): string {
  return section.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function oneLine(what: string, paths: readonly string[]): string[] {
  const names = [...new Set(paths.map((path) => path.replace(/\[\d+\]/g, '[]')))];
  return names.length === 0 ? [] : [`${what}: ${names.join(', ')}`];
}

interface Findings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly notes: readonly string[];
}

const MOST_LINES = 200;

function result(config: SluiceConfig | undefined, found: Findings): LoadedConfig {
  return { config, problems: lines(found.problems), warnings: lines(found.warnings), notes: found.notes };
}

function lines(found: readonly Problem[]): string[] {
  const sorted = found.toSorted((left, right) => left.place.order - right.place.order || 0);
  const shown = sorted.slice(0, MOST_LINES).map(({ place, message }) => `${place.text}: ${message}`);
  return found.length > MOST_LINES ? [...shown, `and ${found.length - MOST_LINES} more`] : shown;
}

/** Freezes plain values in depth; objects with behaviour (secrets) look after themselves. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) freeze(child);
  return value;
}
