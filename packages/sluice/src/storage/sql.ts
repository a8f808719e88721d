import { bug } from '../base/errors.ts';

/** Made in this file and nowhere else: an object of the same shape (a parsed request body, say) is not taken for SQL. */
class EscapedSql {
  readonly #text: string;
  readonly #shown: string;

  constructor(text: string, shown = text) {
    this.#text = text;
    this.#shown = shown;
  }

  /** For people: secrets are hidden. */
  get text(): string {
    return this.#shown;
  }

  get hasSecret(): boolean {
    return this.#shown !== this.#text;
  }

  static textOf(value: EscapedSql): string {
    return #text in value ? value.#text : bug('expected SQL made by the sql template; got another object');
  }
}

/** SQL text whose literals and identifiers are escaped. Only `sql` and its helpers make it. */
export type Sql = EscapedSql;

type Literal = string | number | bigint | boolean | Sql;
type Value = Literal | readonly Literal[];

/**
 * Template of a statement: strings become quoted literals, numbers literals, arrays comma-separated literals (at least one); Sql goes in as it is.
 * A number must be finite; ids above 2^53 are given as bigint.
 */
export function sql(strings: TemplateStringsArray, ...values: readonly Value[]): Sql {
  const text = filled(strings, values, fragment);
  const hasSecret = values.some((value) => value instanceof EscapedSql && value.hasSecret);
  return hasSecret
    ? new EscapedSql(
        text,
        filled(strings, values, (value) => value.text),
      )
    : wrap(text);
}

/** A quoted literal that logs do not show. Not to be joined, only to be filled in. */
export function secretLiteral(value: string): Sql {
  return new EscapedSql(`'${escaped(value)}'`, "'[HIDDEN]'");
}

/** A quoted identifier; several parts are joined by dots. */
export function identifier(...parts: readonly string[]): Sql {
  return wrap(
    parts
      .map((part) => (part === '' ? bug('an identifier has a name') : `\`${escaped(part).replaceAll('`', '\\`')}\``))
      .join('.'),
  );
}

/** Joins fragments with a separator such as ` AND `. */
export function joinSql(parts: readonly Sql[], separator: ', ' | ' AND ' | ' OR ' | ' UNION ALL ' | ' '): Sql {
  return wrap(parts.map(fragment).join(separator));
}

/** Text that the program itself wrote (a type from the catalog, a setting's name). Never anything from outside. */
export function trustedSql(text: string): Sql {
  return wrap(text);
}

/** The text of a statement; refuses anything that `sql` did not make. */
export function statementText(statement: Sql): string {
  return fragment(statement);
}

type ReadFragment = (value: Sql) => string;

function filled(strings: TemplateStringsArray, values: readonly Value[], read: ReadFragment): string {
  let text = strings[0]!;
  for (const [index, value] of values.entries()) text += render(value, read) + strings[index + 1]!;
  return text;
}

function render(value: Value, read: ReadFragment): string {
  if (!isList(value)) return renderOne(value, read);
  if (value.length === 0) return bug('an empty list is no SQL; leave the condition out');
  return value.map((one) => renderOne(one, read)).join(', ');
}

function isList(value: Value): value is readonly Literal[] {
  return Array.isArray(value);
}

function renderOne(value: Literal, read: ReadFragment): string {
  if (typeof value === 'string') return `'${escaped(value)}'`;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'bigint') return signed(value.toString());
  if (typeof value === 'number') {
    return Number.isFinite(value) ? signed(String(value)) : bug(`${value} is not a number literal`);
  }
  return read(value);
}

/** In brackets when negative: after a minus sign it would otherwise begin a comment. */
function signed(text: string): string {
  return text.startsWith('-') ? `(${text})` : text;
}

function fragment(value: Sql): string {
  return EscapedSql.textOf(value);
}

function escaped(text: string): string {
  return text.replace(/[\\'\0\n\r\t\b\f]/g, (c) => escapes.get(c) ?? c);
}

const escapes = new Map([
  ['\\', '\\\\'],
  ["'", "\\'"],
  ['\0', '\\0'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\b', '\\b'],
  ['\f', '\\f'],
]);

function wrap(text: string): Sql {
  return new EscapedSql(text);
}
