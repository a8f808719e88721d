import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Alias,
  type Node,
  type YAMLMap,
} from 'yaml';
import { errorText } from '../base/errors.ts';
import { deepestLine } from '../base/yaml-depth.ts';

/** A configuration that nests deeper is none. */
const MOST_LEVELS = 400;

/**
 * YAML text to a tree in which every key and value knows where it stands, so that any later complaint can name FILE:LINE:COLUMN.
 * Everything is bounded before it costs: size of the text, depth, number of values after aliases are expanded, number of complaints.
 */
export type Located = LocatedScalar | LocatedList | LocatedMapping;

export interface Place {
  /** `FILE:LINE:COLUMN`, or the option that gave the value: `--set KEY`, `--data-dir`. */
  readonly text: string;
  /** Complaints are listed in this order. */
  readonly order: number;
  /** Paths written in a file are relative to it, all others to the working directory. */
  readonly inFile: boolean;
}

export interface LocatedScalar {
  readonly kind: 'scalar';
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** What was written, where it is not the value itself: numbers may be spelled in many ways. */
  readonly source?: string | undefined;
}

interface LocatedList {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly Located[];
}

export interface LocatedMapping {
  readonly kind: 'mapping';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, LocatedEntry>;
}

export interface LocatedEntry {
  /** Where the key stands. */
  readonly place: Place;
  readonly node: Located;
}

export interface Problem {
  readonly place: Place;
  readonly message: string;
}

export interface Source {
  /** Absent when the text is empty or cannot be read at all. */
  readonly root: Located | undefined;
  readonly problems: readonly Problem[];
}

export const SOURCE_LIMITS = {
  bytes: 256 * 1024,
  /** Values after aliases are expanded: a few lines of nested aliases can stand for billions. */
  values: 100_000,
  depth: 64,
  problems: 50,
} as const;

/** Reads one YAML document. `placeAt` gives a place for a line and column, both from 1. Never throws for any text. */
export function readSource(text: string, placeAt: (line: number, column: number) => Place): Source {
  const problems: Problem[] = [];
  if (Buffer.byteLength(text) > SOURCE_LIMITS.bytes) {
    const message = `expected at most ${SOURCE_LIMITS.bytes} bytes of configuration; got ${Buffer.byteLength(text)}`;
    return { root: undefined, problems: [{ place: placeAt(1, 1), message }] };
  }
  const deep = deepestLine(text, MOST_LEVELS);
  if (deep !== undefined) {
    return { root: undefined, problems: [{ place: placeAt(deep, 1), message: TOO_DEEP }] };
  }
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return placeAt(Math.max(line, 1), Math.max(col, 1));
  };
  let document;
  try {
    // Duplicate keys are looked for below: the parser's own search takes quadratic time.
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'error' });
  } catch (error) {
    return { root: undefined, problems: [{ place: placeAt(1, 1), message: `cannot read YAML: ${errorText(error)}` }] };
  }
  for (const error of [...document.errors, ...document.warnings].slice(0, SOURCE_LIMITS.problems)) {
    const at = error.pos[0];
    const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, text.indexOf('\n', at) + 1 || undefined).trimEnd();
    problems.push({ place: place(at), message: operatorMessage(line) ?? yamlMessage(error.code, error.message) });
  }
  const contents = document.contents;
  if (problems.length > 0 || contents === null) return { root: undefined, problems };
  const root = new Conversion(place, problems).convert(contents, 0);
  return { root: isEmpty(root) ? undefined : root, problems: problems.slice(0, SOURCE_LIMITS.problems) };
}

const TOO_DEEP = `expected at most ${SOURCE_LIMITS.depth} levels of nesting`;

/** Turns parsed nodes into Located ones. State: the anchors seen so far and the number of values. */
class Conversion {
  readonly #place: (offset: number) => Place;
  readonly #problems: Problem[];
  readonly #anchors = new Map<string, { readonly node: Located; readonly values: number } | 'open'>();
  #values = 0;

  constructor(place: (offset: number) => Place, problems: Problem[]) {
    this.#place = place;
    this.#problems = problems;
  }

  convert(node: Node, depth: number): Located {
    const place = this.#place(node.range?.[0] ?? 0);
    if (isAlias(node)) return this.#alias(node, place);
    if (depth > SOURCE_LIMITS.depth) return this.#refuse(place, TOO_DEEP);
    if (++this.#values > SOURCE_LIMITS.values) return this.#refuse(place, TOO_MANY);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    const before = this.#values - 1;
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const result = this.#plain(node, place, depth);
    if (anchor !== undefined) this.#anchors.set(anchor, { node: result, values: this.#values - before });
    return result;
  }

  #plain(node: Node, place: Place, depth: number): Located {
    if (isMap(node)) return this.#mapping(node, place, depth);
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#child(item, place, depth));
      return { kind: 'list', place, items };
    }
    const value = isScalar(node) ? node.value : null;
    const simple = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    const source = isScalar(node) && typeof value !== 'string' ? node.source : undefined;
    return { kind: 'scalar', place, value: simple ? value : null, ...(source === undefined ? {} : { source }) };
  }

  #mapping(node: YAMLMap, place: Place, depth: number): Located {
    const entries = new Map<string, LocatedEntry>();
    for (const { key, value } of node.items) {
      const at = isNode(key) ? this.#place(key.range?.[0] ?? 0) : place;
      const name = isScalar(key) ? keyText(key.value, key.source) : undefined;
      if (name === undefined) {
        this.#refuse(at, 'expected a simple key');
        continue;
      }
      const child = this.#child(value, at, depth);
      const earlier = entries.get(name);
      if (earlier !== undefined) {
        this.#refuse(at, `the key ${JSON.stringify(name)} is already given at ${earlier.place.text}`);
      } else if (name === '<<') {
        this.#refuse(at, 'merge keys (<<) are not understood; repeat the values or use an alias for the whole mapping');
      } else if (name === '__proto__') {
        this.#refuse(at, 'the key "__proto__" is not allowed');
      } else {
        entries.set(name, { place: at, node: child });
      }
    }
    return { kind: 'mapping', place, entries };
  }

  #child(node: unknown, place: Place, depth: number): Located {
    return isNode(node) ? this.convert(node, depth + 1) : { kind: 'scalar', place, value: null };
  }

  #alias(alias: Alias, place: Place): Located {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) {
      return this.#refuse(
        place,
        `there is no anchor &${alias.source} before this alias; a text that begins with * stands in quotes`,
      );
    }
    if (target === 'open') return this.#refuse(place, `the alias *${alias.source} stands inside its own anchor`);
    this.#values += target.values;
    return this.#values > SOURCE_LIMITS.values ? this.#refuse(place, TOO_MANY) : target.node;
  }

  #refuse(place: Place, message: string): Located {
    if (this.#problems.length < SOURCE_LIMITS.problems && this.#problems.at(-1)?.message !== TOO_MANY) {
      this.#problems.push({ place, message });
    }
    return { kind: 'scalar', place, value: null };
  }
}

const TOO_MANY = `expected at most ${SOURCE_LIMITS.values} values, aliases expanded`;

/** A key as it is written: numbers and booleans are names here. */
function keyText(value: unknown, source: string | undefined): string | undefined {
  const text = typeof value === 'string' ? value : source;
  return value === null || text === '' ? undefined : text;
}

function isEmpty(node: Located): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** Operators of filters that begin a tag or a key of YAML when they stand without quotes. */
function operatorMessage(line: string): string | undefined {
  const operator = /\boperator\s*:\s*(!=|!~|!:|!|:)(?=[\s,}]|$)/.exec(line)?.[1];
  if (operator === undefined) return undefined;
  return `the operator ${operator} means something else in YAML: quote it, operator: "${operator}"`;
}

/** The parser's own words where they are clear, ours where they talk to programmers. */
function yamlMessage(code: string, message: string): string {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return 'expected one YAML document; got another one after ---';
    case 'TAB_AS_INDENT':
      return 'expected spaces; got a tab in the indentation';
    case 'TAG_RESOLVE_FAILED':
      return `cannot read this YAML tag: ${message}`;
    default:
      return `cannot read YAML: ${message.split('\n', 1)[0]}`;
  }
}
