import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Node as YamlNode } from 'yaml';
import { deepestLine } from '../../base/yaml-depth.ts';
import { MOST_MISTAKES, type At, type Mistake, type Node } from './tree.ts';

/** Deeper than any static file needs. */
const MOST_DEPTH = 16;

/** Reads YAML; never throws for any text. Aliases are refused: a few lines of them can stand for billions of values. */
export function readYaml(text: string): { readonly root: Node | undefined; readonly mistakes: readonly Mistake[] } {
  const deep = deepestLine(text);
  if (deep !== undefined) return { root: undefined, mistakes: [{ line: deep, column: 1, message: TOO_DEEP }] };
  const lines = new LineCounter();
  const at = (offset: number): At => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const mistakes: Mistake[] = [];
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  for (const error of [...document.errors, ...document.warnings].slice(0, MOST_MISTAKES)) {
    mistakes.push({ ...at(error.pos[0]), message: `cannot read YAML: ${error.message.split('\n', 1)[0]}` });
  }
  if (mistakes.length > 0 || document.contents === null) return { root: undefined, mistakes };
  const complain = (place: At, message: string) => {
    if (mistakes.length < MOST_MISTAKES) mistakes.push({ ...place, message });
  };
  const root = convert(document.contents, { at, complain, depth: 0 });
  return { root, mistakes };
}

interface Converting {
  readonly at: (offset: number) => At;
  readonly complain: (place: At, message: string) => void;
  readonly depth: number;
}

const TOO_DEEP = `expected at most ${MOST_DEPTH} levels of nesting`;

function convert(node: unknown, converting: Converting, parent: At = { line: 1, column: 1 }): Node {
  if (!isNode(node)) return { kind: 'scalar', ...parent, value: null };
  const { at, complain, depth } = converting;
  const place = at(node.range?.[0] ?? 0);
  const nothing: Node = { kind: 'scalar', ...place, value: null };
  if (isAlias(node)) {
    complain(place, 'aliases are not understood here; repeat the value');
    return nothing;
  }
  if (depth > MOST_DEPTH) {
    complain(place, TOO_DEEP);
    return nothing;
  }
  const inside = { ...converting, depth: depth + 1 };
  if (isSeq(node)) return { kind: 'list', ...place, items: node.items.map((item) => convert(item, inside, place)) };
  if (!isMap(node)) return { kind: 'scalar', ...place, value: plain(node) };
  const entries = new Map<string, { readonly at: At; readonly node: Node }>();
  for (const { key, value } of node.items) {
    const keyAt = isNode(key) ? at(key.range?.[0] ?? 0) : place;
    const name = isScalar(key) ? (typeof key.value === 'string' ? key.value : key.source) : undefined;
    if (name === undefined || name === '') complain(keyAt, 'expected a simple key');
    else if (entries.has(name)) complain(keyAt, `the key ${JSON.stringify(name)} is given twice`);
    else entries.set(name, { at: keyAt, node: convert(value, inside, keyAt) });
  }
  return { kind: 'mapping', ...place, entries };
}

/** Numbers as they are written: names and tags may have zeros at either end, and more digits than a number keeps. */
function plain(node: YamlNode): string | boolean | null {
  if (!isScalar(node)) return null;
  const { value, source } = node;
  if (typeof value === 'number') return source ?? String(value);
  return typeof value === 'string' || typeof value === 'boolean' ? value : null;
}
