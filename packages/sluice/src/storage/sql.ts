import { bug } from '../base/errors.ts';

/** Made in this file and nowhere else: an object of the same shape (a parsed request body, say) is not taken for SQL. */
class EscapedSql {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get text(): string {
    return this.#text;
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
  let text = strings[0]!;
  for (const [index, value] of values.entries()) text += render(value) + strings[index + 1]!;
  return wrap(text);
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

function render(value: Value): string {
  if (!isList(value)) return renderOne(value);
  return value.length === 0 ? bug('an empty list is no SQL; leave the condition out') : value.map(renderOne).join(', ');
}

function isList(value: Value): value is readonly Literal[] {
  return Array.isArray(value);
}

function renderOne(value: Literal): string {
  if (typeof value === 'string') return `'${escaped(value)}'`;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'bigint') return signed(value.toString());
  if (typeof value === 'number') {
    return Number.isFinite(value) ? signed(String(value)) : bug(`${value} is not a number literal`);
  }
  return fragment(value);
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
