/** An entry of an application log, as its JSON has it. */
export type Entry = Readonly<Record<string, unknown>>;

/** A JSON text may say a whole number that no double has; these digits in a row are a sign of one. */
const MANY_DIGITS = /\d{16}/;
const WHOLE = /^-?\d+$/;

/**
 * Parses one entry, or answers undefined. Whole numbers beyond 2^53 become objects that are written as they were read.
 */
export function parseEntry(text: string): Entry | undefined {
  try {
    // The reviver takes three times as long.
    const value: unknown = MANY_DIGITS.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
    return isEntry(value) ? value : undefined;
  } catch {
    // No JSON, or too deep for the stack.
    return undefined;
  }
}

/** An object that is no list. */
export function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text of a value: strings as they are, all others as JSON writes them. Throws for what is too deep for the stack. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  // Infinity is a number beyond 10^308, for which JSON has no words.
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** The number that a value is or that its text says, or undefined. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const text = typeof value === 'string' ? value : isRawNumber(value) ? JSON.stringify(value) : undefined;
  if (text === undefined || !DECIMAL.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Not yet in the compiler's library: the text of a number as it stands in JSON, and numbers written as they stood. */
const json = JSON as typeof JSON & {
  readonly rawJSON: (text: string) => object;
  readonly isRawJSON: (value: unknown) => boolean;
};

function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return WHOLE.test(source) ? json.rawJSON(source) : value;
}

function isRawNumber(value: unknown): boolean {
  return typeof value === 'object' && json.isRawJSON(value);
}
