import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import { deepestLine } from '../../base/yaml-depth.ts';
import { hostOf } from '../host-of.ts';
import { hasMoreValues, isObject, type JsonObject } from '../json-fields.ts';

/**
 * What the answers of a Prometheus server say, cut down to what is of use here. Each reader throws an Error for an answer that is not one, and passes
 * over single entries that make no sense: they are counted.
 */

/** A target as its server sees it. Texts are '' where nothing is known. */
export interface ReadTarget {
  readonly job: string;
  readonly instance: string;
  /** Section of the configuration that it comes from. */
  readonly pool: string;
  /** Its other labels, that its series have as well, sorted by name. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** Host part of the address that is scraped: an address or a name. */
  readonly host: string;
  readonly pod: string;
  readonly namespace: string;
  readonly podUid: string;
  readonly podIp: string;
  readonly node: string;
}

export interface ReadTargets {
  readonly kind: 'targets';
  readonly targets: readonly ReadTarget[];
  readonly skipped: number;
  /** Equal for equal targets, in whatever order. */
  readonly digest: string;
}

export interface ReadConfig {
  readonly kind: 'config';
  /** `honor_labels` by job_name. */
  readonly honorLabels: readonly (readonly [job: string, honors: boolean])[];
  readonly externalLabels: readonly (readonly [name: string, value: string])[];
  readonly skipped: number;
  readonly digest: string;
}

export interface ReadMetadata {
  readonly kind: 'metadata';
  readonly families: readonly MetricMetadata[];
  readonly skipped: number;
  readonly digest: string;
}

/** What is said of a metric family. */
export interface MetricMetadata {
  readonly family: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
}

export type ReadAnswer = ReadTargets | ReadConfig | ReadMetadata;
export type AnswerKind = ReadAnswer['kind'];

const MOST_TARGETS = 100_000;
/** Of JSON, in all. */
const MOST_VALUES = 4_000_000;
/** YAML takes up to 450 times its size while it is read. */
const MOST_YAML = 1024 * 1024;
const MOST_FAMILIES = 100_000;
const MOST_LABELS = 128;
const MOST_TEXT = 4096;

export function readAnswer(kind: AnswerKind, body: Uint8Array): ReadAnswer {
  const data = successOf(body);
  if (kind === 'targets') return readTargets(data);
  return kind === 'config' ? readConfig(data) : readMetadata(data);
}

function successOf(body: Uint8Array): JsonObject {
  if (hasMoreValues(body, MOST_VALUES)) throw new Error(`expected at most ${MOST_VALUES} values; got more`);
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new Error(`expected JSON; got something else, or a part of it (${body.length} bytes)`, { cause: error });
  }
  if (!isObject(answer)) throw new Error('expected an object; got something else');
  if (answer['status'] !== 'success') {
    throw new Error(`expected status success; got ${shown(answer['status'])}: ${shown(answer['error'])}`);
  }
  const { data } = answer;
  if (!isObject(data)) throw new Error('expected data; got none');
  return data;
}

function readTargets(data: JsonObject): ReadTargets {
  const { activeTargets } = data;
  if (!Array.isArray(activeTargets)) throw new Error('expected data.activeTargets, a list; got none');
  if (activeTargets.length > MOST_TARGETS) {
    throw new Error(`expected at most ${MOST_TARGETS} targets; got ${activeTargets.length}`);
  }
  const targets: ReadTarget[] = [];
  for (const item of activeTargets) {
    const target = readTarget(item);
    if (target !== undefined) targets.push(target);
  }
  const skipped = activeTargets.length - targets.length;
  return {
    kind: 'targets',
    targets,
    skipped,
    digest: digestOf(targets.map((target) => JSON.stringify(target)).toSorted()),
  };
}

function readTarget(item: unknown): ReadTarget | undefined {
  if (!isObject(item)) return undefined;
  const labels = textsOf(item['labels']);
  if (labels === undefined) return undefined;
  const meta = textsOf(item['discoveredLabels'], (name) => name.startsWith('__') || name === 'job') ?? new Map();
  const job = labels.get('job') ?? '';
  const instance = labels.get('instance') ?? '';
  if (job === '' && instance === '') return undefined;
  labels.delete('job');
  labels.delete('instance');
  const found = (...names: string[]) => names.map((name) => meta.get(`__meta_kubernetes_${name}`)).find(isGiven) ?? '';
  // Endpoints say what is behind an address, be it a pod or not.
  const behind = ['endpoint', 'endpointslice'].find((role) => isGiven(found(`${role}_address_target_kind`)));
  const behindKind = behind === undefined ? '' : found(`${behind}_address_target_kind`);
  const behindName = behind === undefined ? '' : found(`${behind}_address_target_name`);
  const pod = found('pod_name') || (behindKind === 'Pod' ? behindName : '');
  const pool = item['scrapePool'];
  return {
    job,
    instance,
    pool: typeof pool === 'string' && pool !== '' ? pool : (meta.get('job') ?? job),
    labels: [...labels].toSorted(([left], [right]) => (left < right ? -1 : 1)),
    host: hostOf(meta.get('__address__') ?? ''),
    pod,
    // A service's namespace is no pod's.
    namespace: pod === '' ? '' : found('namespace'),
    podUid: found('pod_uid'),
    podIp: found('pod_ip'),
    node: found('node_name') || (behindKind === 'Node' ? behindName : ''),
  };
}

function readConfig(data: JsonObject): ReadConfig {
  const text = data['yaml'];
  if (typeof text !== 'string') throw new Error('expected data.yaml, a text; got none');
  if (text.length > MOST_YAML) {
    throw new Error(`expected at most ${MOST_YAML} characters of configuration; got ${text.length}`);
  }
  if (deepestLine(text) !== undefined) throw new Error('expected YAML of some levels in data.yaml; got many more');
  let config: unknown;
  try {
    config = parse(text, { maxAliasCount: 100, logLevel: 'silent', uniqueKeys: false, prettyErrors: false });
  } catch (error) {
    throw new Error('expected YAML in data.yaml; got something else, or a part of it', { cause: error });
  }
  if (!isObject(config)) throw new Error('expected a mapping in data.yaml; got something else');
  const honorLabels: [string, boolean][] = [];
  let skipped = 0;
  for (const section of Array.isArray(config['scrape_configs']) ? config['scrape_configs'] : []) {
    const job: unknown = isObject(section) ? section['job_name'] : undefined;
    if (isObject(section) && typeof job === 'string') honorLabels.push([job, section['honor_labels'] === true]);
    else skipped++;
  }
  const { global } = config;
  const externals = isObject(global) ? textsOf(global['external_labels']) : undefined;
  const externalLabels = [...(externals ?? [])].filter(([, value]) => value !== '');
  return {
    kind: 'config',
    honorLabels,
    externalLabels,
    skipped,
    digest: digestOf([JSON.stringify([honorLabels, externalLabels])]),
  };
}

function readMetadata(data: JsonObject): ReadMetadata {
  const families: MetricMetadata[] = [];
  let skipped = 0;
  for (const [family, said] of Object.entries(data)) {
    // Several targets may say different things: the first counts.
    const first: unknown = Array.isArray(said) ? said[0] : undefined;
    const [type, unit, help] = ['type', 'unit', 'help'].map((name) => (isObject(first) ? first[name] : undefined));
    const isSound = isText(family) && family !== '' && isText(type ?? '') && isText(unit ?? '') && isText(help ?? '');
    if (!isSound || !isObject(first) || families.length >= MOST_FAMILIES) skipped++;
    else families.push({ family, type: textOr(type, 'unknown'), unit: textOr(unit, ''), help: textOr(help, '') });
  }
  return {
    kind: 'metadata',
    families,
    skipped,
    digest: digestOf(families.map((one) => JSON.stringify(one)).toSorted()),
  };
}

/** Names with texts; undefined where it is no such thing, or too much of it. */
function textsOf(value: unknown, isWanted?: (name: string) => boolean): Map<string, string> | undefined {
  if (!isObject(value)) return undefined;
  const texts = new Map<string, string>();
  for (const [name, text] of Object.entries(value)) {
    if (isWanted !== undefined && !isWanted(name)) continue;
    if (!isText(text) || name.length > MOST_TEXT) return undefined;
    texts.set(name, text);
    if (isWanted === undefined && texts.size > MOST_LABELS) return undefined;
  }
  return texts;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MOST_TEXT;
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' && value !== '' ? value : fallback;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200);
}

function digestOf(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text).update('\n');
  return hash.digest('base64');
}
