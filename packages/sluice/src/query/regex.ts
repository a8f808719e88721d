import { RE2JS, RE2JSException } from 're2js';
import { SluiceError } from '../base/errors.ts';

/** Compiled anchored expressions of late, so that a dashboard's queries are not parsed again and again. */
const compiled = new Map<string, RE2JS>();
const KEPT = 256;
const KEPT_BYTES = 4096;

/** The expression as Prometheus applies it: linear time, matching the whole text, the dot matches line breaks too. Throws RE2JSException. */
export function anchored(pattern: string): RE2JS {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    regex = RE2JS.compile(`^(?s:${pattern})$`);
    if (pattern.length <= KEPT_BYTES) {
      if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value!);
      compiled.set(pattern, regex);
    }
  }
  return regex;
}

/** Throws `bad_request` when the expression is longer than `maxBytes`, or not one of RE2's. */
export function checkRegex(pattern: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(pattern);
  if (bytes > maxBytes) {
    const found = `expected at most ${maxBytes} bytes; got ${bytes}`;
    throw new SluiceError('bad_request', `cannot use a regular expression: ${found}`);
  }
  if (literalAlternatives(pattern) !== undefined) return;
  try {
    // Alone first: "a)(b" is no expression, though it would be one between the anchors' brackets.
    RE2JS.compile(pattern);
    anchored(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new SluiceError('bad_request', `cannot use a regular expression: ${error.message}`, { cause: error });
  }
}

/** The texts of an expression that only lists texts (`a`, `a|b\.c`, `(a|b)`), else undefined. */
export function literalAlternatives(pattern: string): string[] | undefined {
  const bare = /^\(([^()]*)\)$/.exec(pattern)?.[1] ?? pattern;
  const texts: string[] = [];
  let text = '';
  for (let at = 0; at < bare.length; at++) {
    const character = bare[at]!;
    if (character === '|') {
      texts.push(text);
      text = '';
    } else if (character === '\\') {
      const escaped = bare[++at];
      if (escaped === undefined || !/[!-/:-@[-^`{-~]/.test(escaped)) return undefined;
      text += escaped;
    } else if ('.+*?()[]{}^$'.includes(character)) {
      return undefined;
    } else {
      text += character;
    }
  }
  texts.push(text);
  return texts;
}
