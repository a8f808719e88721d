import { errorText } from '../base/errors.ts';
import { readSource, type Located, type LocatedEntry, type Place, type Problem } from './source.ts';

/** What `--set KEY.PATH=VALUE` did to the tree. */
export interface Overridden {
  readonly root: Located | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Puts a value given on the command line into the tree. The value is YAML (`--set listen.http=null`, `--set organisations=[1,2]`), a key with
 * dots stands in double quotes (`--set 'storage.retention."prometheus.samples"=1d'`). Later ones win over earlier ones and over the file.
 */
export function applySet(root: Located | undefined, set: string): Overridden {
  const equals = outsideQuotes(set, '=');
  const key = equals === -1 ? set : set.slice(0, equals);
  const place: Place = { text: `--set ${key}`, order: Infinity, inFile: false };
  if (equals === -1) return { root, problems: [{ place, message: 'expected KEY.PATH=VALUE; got no "="' }] };
  try {
    const path = parsePath(key);
    const source = readSource(set.slice(equals + 1), () => place);
    if (source.problems.length > 0) return { root, problems: source.problems };
    const value = source.root ?? { kind: 'scalar', place, value: null };
    return { root: put(root, path, value, place), problems: [] };
  } catch (error) {
    return { root, problems: [{ place, message: errorText(error) }] };
  }
}

/** The tree with one value replaced; mappings on the way are made where nothing stands. */
export function put(root: Located | undefined, path: readonly string[], value: Located, place: Place): Located {
  return putAt(root, path, { value, place, done: [] });
}

interface Put {
  readonly value: Located;
  readonly place: Place;
  readonly done: readonly string[];
}

function putAt(node: Located | undefined, path: readonly string[], at: Put): Located {
  const [key, ...rest] = path;
  if (key === undefined) return at.value;
  const absent = node === undefined || (node.kind === 'scalar' && node.value === null);
  if (!absent && node.kind !== 'mapping') {
    const what = node.kind === 'list' ? 'a list' : 'a single value';
    throw new Error(`cannot set a key below ${at.done.join('.')}, which is ${what} at ${node.place.text}`);
  }
  const old = node?.kind === 'mapping' ? node : undefined;
  const entries = new Map<string, LocatedEntry>(old?.entries);
  const child = putAt(entries.get(key)?.node, rest, { ...at, done: [...at.done, key] });
  entries.set(key, { place: rest.length === 0 ? at.place : (entries.get(key)?.place ?? at.place), node: child });
  return { kind: 'mapping', place: old?.place ?? at.place, entries };
}

function parsePath(text: string): string[] {
  const keys: string[] = [];
  let rest = text;
  for (;;) {
    const match = /^(?:"([^"]+)"|([^."]+))(\.?)/.exec(rest);
    const key = match?.[1] ?? match?.[2];
    if (match === null || key === undefined || key === '__proto__' || keys.length > 30) {
      throw new Error(`expected KEY.PATH=VALUE, a key with dots in double quotes; got ${JSON.stringify(text)}`);
    }
    keys.push(key);
    rest = rest.slice(match[0].length);
    if (rest === '' && match[3] === '') return keys;
    if (match[3] === '') throw new Error(`expected a dot between keys; got ${JSON.stringify(text)}`);
  }
}

function outsideQuotes(text: string, wanted: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    else if (text[at] === wanted && !quoted) return at;
  }
  return -1;
}
