import { MOST_MISTAKES, type At, type Mistake, type MappingNode } from './tree.ts';

/*
 * CSV as in RFC 4180: fields with commas, quotes or line breaks stand in double quotes, a quote within as two. The first line names the columns; lines
 * that begin with `#` and empty lines are left out. Lines end with LF, CR LF or CR.
 */

interface Field extends At {
  readonly text: string;
}

/** Rows of a CSV text as mappings from column to field, one after the other; empty fields are absent. Mistakes are added to `mistakes`. */
export function* csvRows(text: string, mistakes: Mistake[]): Generator<MappingNode> {
  let columns: readonly Field[] | undefined;
  for (const fields of csvLines(text, mistakes)) {
    const [first] = fields;
    if (first === undefined || (fields.length === 1 && first.text.trim() === '') || first.text.startsWith('#'))
      continue;
    if (columns === undefined) {
      columns = fields.map((field) => ({ ...field, text: field.text.trim() }));
      complainOfColumns(columns, mistakes);
      continue;
    }
    if (fields.length > columns.length && mistakes.length < MOST_MISTAKES) {
      const place = fields[columns.length]!;
      const message = `expected ${columns.length} fields, as the first line has; got ${fields.length}`;
      mistakes.push({ line: place.line, column: place.column, message });
    }
    const entries = new Map<
      string,
      { readonly at: At; readonly node: { readonly kind: 'scalar'; readonly value: string } & At }
    >();
    for (const [index, { text: name }] of columns.entries()) {
      const field = fields[index];
      const value = field?.text.trim() ?? '';
      if (field === undefined || value === '') continue;
      const at = { line: field.line, column: field.column };
      entries.set(name, { at, node: { kind: 'scalar', ...at, value } });
    }
    yield { kind: 'mapping', line: first.line, column: 1, entries };
  }
}

/** A file whose first line was lost would otherwise describe nothing, or something else. */
function complainOfColumns(columns: readonly Field[], mistakes: Mistake[]): void {
  for (const needed of ['kind', 'name']) {
    if (columns.some(({ text }) => text === needed)) continue;
    const { line, column } = columns[0]!;
    mistakes.push({ line, column, message: `expected the first line to name the columns, ${needed} among them` });
  }
  const seen = new Set<string>();
  for (const { text, line, column } of columns) {
    if (text !== '' && seen.has(text) && mistakes.length < MOST_MISTAKES) {
      mistakes.push({ line, column, message: `the column ${JSON.stringify(text)} is named twice` });
    }
    seen.add(text);
  }
}

function* csvLines(text: string, mistakes: Mistake[]): Generator<Field[]> {
  let fields: Field[] = [];
  let line = 1;
  let lineStart = 0;
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (at <= text.length) {
    const place = { line, column: at - lineStart + 1 };
    let field: string;
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1);
      if (end < 0) {
        if (mistakes.length < MOST_MISTAKES) mistakes.push({ ...place, message: 'this quote is not closed' });
        return;
      }
      field = text.slice(at + 1, end).replaceAll('""', '"');
      for (let i = lineEnd(text, at); i < end; i = lineEnd(text, lineStart)) {
        line++;
        lineStart = afterLine(text, i);
      }
      at = end + 1;
    } else {
      const end = endOf(text, at);
      field = text.slice(at, end);
      at = end;
    }
    fields.push({ ...place, text: field });
    if (text[at] === ',') {
      at++;
      continue;
    }
    const newline = lineEnd(text, at);
    const rest = text.slice(at, newline).trim();
    if (rest !== '' && mistakes.length < MOST_MISTAKES) {
      mistakes.push({
        line,
        column: at - lineStart + 1,
        message: `expected a comma after a quoted field; got ${JSON.stringify(rest.slice(0, 20))}`,
      });
    }
    yield fields;
    fields = [];
    if (newline === text.length) return;
    at = afterLine(text, newline);
    line++;
    lineStart = at;
  }
}

function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}

function endOf(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === COMMA || char === LF || char === CR) return at;
  }
  return text.length;
}

/** Where the line ends that `from` is in. */
function lineEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === LF || char === CR) return at;
  }
  return text.length;
}

function afterLine(text: string, end: number): number {
  return text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF ? end + 2 : end + 1;
}

const COMMA = 44;
const LF = 10;
const CR = 13;
