declare const made: unique symbol;

/** SQL text whose literals and identifiers are escaped. Only `sql` and its helpers make it. */
export interface Sql {
  readonly text: string;
  readonly [made]: true;
}

type Value = string | number | bigint | boolean | Sql | readonly (string | number | bigint | Sql)[];

/** Template of a statement: strings become quoted literals, numbers literals, arrays comma-separated literals; Sql goes in as it is. */
export function sql(strings: TemplateStringsArray, ...values: readonly Value[]): Sql {
  let text = strings[0]!;
  for (const [index, value] of values.entries()) text += render(value) + strings[index + 1]!;
  return wrap(text);
}

/** A quoted identifier; several parts are joined by dots. */
export function identifier(...parts: readonly string[]): Sql {
  return wrap(parts.map((part) => `\`${part.replace(/[\\`]/g, '\\$&')}\``).join('.'));
}

/** Joins fragments with a separator such as ` AND `. */
export function joinSql(parts: readonly Sql[], separator: ', ' | ' AND ' | ' OR ' | ' UNION ALL ' | ' '): Sql {
  return wrap(parts.map((part) => part.text).join(separator));
}

/** Text that the program itself wrote (a type from the catalog, a setting's name). Never anything from outside. */
export function trustedSql(text: string): Sql {
  return wrap(text);
}

function render(value: Value): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`BUG: ${value} is not a number literal`);
    return String(value);
  }
  if (Array.isArray(value)) return value.map((item) => render(item as Value)).join(', ');
  return (value as Sql).text;
}

function quote(text: string): string {
  return `'${text.replace(/[\\'\0\n\r\t\b\f]/g, (c) => escapes.get(c) ?? c)}'`;
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
  return { text } as Sql;
}
