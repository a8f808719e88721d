import { aside } from '../aside.ts';
import type { Resource } from '../description.ts';
import { Slices } from '../slices.ts';
import { csvRows } from './csv-tree.ts';
import { CSV_KINDS, Entries, ENTRY_KINDS } from './entries.ts';
import { MOST_MISTAKES, shownNode, type Mistake } from './tree.ts';
import { readYaml } from './yaml-tree.ts';

/** YAML is read in a thread of its own, at about a megabyte a second; what is larger is better written as CSV. */
export const MOST_YAML_BYTES = 1024 * 1024;
export const MOST_CSV_BYTES = 64 * 1024 * 1024;

export interface Parsed {
  /** Absent when there are mistakes. */
  readonly resources: readonly Resource[] | undefined;
  /** In the order of the file. */
  readonly mistakes: readonly Mistake[];
}

/** Reads the text of a static file in YAML. Never throws for any text. */
export function parseYaml(text: string): Parsed {
  const { root, mistakes: found } = readYaml(text);
  const mistakes = [...found];
  const entries = new Entries(mistakes);
  if (root === undefined) return result(entries);
  if (root.kind !== 'mapping') {
    mistakes.push({
      line: root.line,
      column: root.column,
      message: `expected lists such as hosts: at the top; got ${shownNode(root)}`,
    });
    return result(entries);
  }
  for (const [name, { at, node }] of root.entries) {
    const { line, column } = at;
    if (!isEntryList(name)) {
      const message = `unknown key ${JSON.stringify(name)} at the top; known keys: ${Object.keys(ENTRY_KINDS).join(', ')}`;
      mistakes.push({ line, column, message });
    } else if (node.kind === 'list') for (const item of node.items) entries.add(ENTRY_KINDS[name], item);
    else if (node.kind !== 'scalar' || node.value !== null) {
      mistakes.push({
        line: node.line,
        column: node.column,
        message: `${name}: expected a list; got ${shownNode(node)}`,
      });
    }
  }
  return result(entries);
}

/** Reads the text of a static file in CSV, a few rows at a time. Never throws for any text. */
export async function parseCsv(text: string): Promise<Parsed> {
  const mistakes: Mistake[] = [];
  const entries = new Entries(mistakes);
  const slices = new Slices();
  for (const row of csvRows(text, mistakes)) {
    const named = row.entries.get('kind')?.node;
    const kind = named?.kind === 'scalar' ? CSV_KINDS.get(String(named.value)) : undefined;
    if (kind === undefined) {
      const { line, column } = named ?? row;
      const got = named === undefined ? 'nothing' : shownNode(named);
      mistakes.push({ line, column, message: `kind: expected one of ${[...CSV_KINDS.keys()].join(', ')}; got ${got}` });
    } else {
      const rest = new Map(row.entries);
      rest.delete('kind');
      entries.add(kind, { ...row, entries: rest }, true);
    }
    if (mistakes.length >= MOST_MISTAKES) break;
    if (slices.isDue) await slices.pause();
  }
  return result(entries);
}

function isEntryList(name: string): name is keyof typeof ENTRY_KINDS {
  return Object.hasOwn(ENTRY_KINDS, name);
}

function result(entries: Entries): Parsed {
  const resources = entries.finish();
  const mistakes = entries.mistakes
    .toSorted((left, right) => left.line - right.line || left.column - right.column)
    .slice(0, MOST_MISTAKES);
  return { resources: mistakes.length === 0 ? resources : undefined, mistakes };
}

/** `parseYaml` in a thread of its own. Rejects when the signal is aborted. */
export const parseYamlAside = aside(import.meta.url, 'YAML', parseYaml);
