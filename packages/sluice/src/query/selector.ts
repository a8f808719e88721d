import { SluiceError } from '../base/errors.ts';
import { METRIC_NAME, type Matcher, type MatcherType } from './matchers.ts';

/**
 * Reads a series selector of PromQL: `name{label="value", other!~"re"}`, `{"any.name", "any.label"="value"}`.
 *
 * Texts are in double or single quotes with Go's escapes, or in backquotes as they are. Comments run from # to the line's end. Throws
 * `bad_request` with the position, as `1:5: parse error: ...`.
 */
export function parseSelector(text: string): Matcher[] {
  const reader = new Reader(text);
  const matchers: Matcher[] = [];
  let metric = reader.word(METRIC);
  if (reader.take('{')) {
    while (!reader.take('}')) {
      const quoted = reader.quoted();
      const name = quoted ?? reader.word(LABEL);
      if (name === undefined) throw reader.unexpected('label matching', 'a label name or "}"');
      const type = reader.operator();
      if (type === undefined) {
        if (quoted === undefined) throw reader.unexpected('label matching', 'one of "=", "!=", "=~", "!~"');
        if (metric !== undefined) {
          throw reader.error(`metric name must not be set twice: ${JSON.stringify(metric)} or ${JSON.stringify(name)}`);
        }
        metric = name;
      } else {
        const value = reader.quoted();
        if (value === undefined) throw reader.unexpected('label matching', 'a quoted text');
        matchers.push({ type, name, value });
      }
      if (!reader.take(',') && !reader.sees('}')) throw reader.unexpected('label matching', '"," or "}"');
    }
  } else if (metric === undefined) {
    throw reader.unexpected('selector', 'a metric name or "{"');
  }
  reader.end();
  if (metric !== undefined) {
    const other = matchers.find(({ name, type }) => name === METRIC_NAME && type === 'EQ');
    if (other !== undefined) {
      throw reader.error(
        `metric name must not be set twice: ${JSON.stringify(metric)} or ${JSON.stringify(other.value)}`,
      );
    }
    matchers.push({ type: 'EQ', name: METRIC_NAME, value: metric });
  }
  return matchers;
}

const METRIC = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const SPACE = /(?:[ \t\r\n]|#[^\n]*)*/y;
const OPERATORS: readonly (readonly [string, MatcherType])[] = [
  ['=~', 'RE'],
  ['!~', 'NRE'],
  ['!=', 'NEQ'],
  ['=', 'EQ'],
];
const SIMPLE_ESCAPES = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 92],
  ["'", 39],
  ['"', 34],
]);

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  word(pattern: RegExp): string | undefined {
    this.#skipSpace();
    return this.#match(pattern);
  }

  take(text: string): boolean {
    if (!this.sees(text)) return false;
    this.#at += text.length;
    return true;
  }

  sees(text: string): boolean {
    this.#skipSpace();
    return this.#text.startsWith(text, this.#at);
  }

  operator(): MatcherType | undefined {
    return OPERATORS.find(([text]) => this.take(text))?.[1];
  }

  /** A quoted text; undefined when something else stands here. */
  quoted(): string | undefined {
    this.#skipSpace();
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'" && quote !== '`') return undefined;
    const start = ++this.#at;
    if (quote === '`') {
      const end = this.#text.indexOf('`', start);
      if (end < 0) throw this.error('unterminated raw string');
      this.#at = end + 1;
      return this.#text.slice(start, end);
    }
    const parts: Uint8Array[] = [];
    let plain = start;
    const flush = (to: number) => {
      if (to > plain) parts.push(Buffer.from(this.#text.slice(plain, to)));
    };
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || character === '\n') throw this.error('unterminated quoted string');
      if (character === quote) break;
      if (character === '\\') {
        flush(this.#at);
        parts.push(this.#escape());
        plain = this.#at;
      } else {
        this.#at++;
      }
    }
    flush(this.#at);
    this.#at++;
    try {
      return decoder.decode(Buffer.concat(parts));
    } catch {
      throw this.error('a quoted string is not valid UTF-8');
    }
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.unexpected('selector', 'its end');
  }

  unexpected(where: string, wanted: string): SluiceError {
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : 'end of input';
    return this.error(`unexpected ${found} in ${where}, expected ${wanted}`);
  }

  error(problem: string): SluiceError {
    const before = this.#text.slice(0, this.#at).split('\n');
    const position = `${before.length}:${before.at(-1)!.length + 1}`;
    return new SluiceError('bad_request', `${position}: parse error: ${problem}`);
  }

  /** The bytes that an escape stands for: \x and octal ones are single bytes. */
  #escape(): Uint8Array {
    const simple = SIMPLE_ESCAPES.get(this.#text[this.#at + 1] ?? '');
    if (simple !== undefined) {
      this.#at += 2;
      return Uint8Array.of(simple);
    }
    const digits = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/y;
    digits.lastIndex = this.#at;
    const match = digits.exec(this.#text);
    if (match === null) throw this.error('unknown escape sequence');
    const [whole, byte, short, long, octal] = match;
    const value = parseInt(byte ?? short ?? long ?? octal!, octal === undefined ? 16 : 8);
    const isByte = byte !== undefined || octal !== undefined;
    if (value > (isByte ? 255 : 0x10ffff) || (!isByte && value >= 0xd800 && value < 0xe000)) {
      throw this.error('an escape sequence stands for no character');
    }
    this.#at += whole.length;
    return isByte ? Uint8Array.of(value) : Buffer.from(String.fromCodePoint(value));
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0];
  }
}
