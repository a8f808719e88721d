import { writeDecimal } from '../batch/decimal.ts';
import { putIpv4, putIpv6, putMac } from '../base/address-text.ts';
import { compileExpression } from './fields.ts';
import { IdIndexes } from './id-indexes.ts';
import { ipv4Number, ipv6Bytes } from '../base/address.ts';
import type { TagFilter } from './config-filters.ts';

/**
 * Says of single values whether a filter's list has them. What the values of a filter mean depends on the field: for a number, `3`, `3.0` and `3e0` are
 * the same; a text is compared without regard to case; an address is compared as such.
 */
export interface Matcher {
  /** A whole number of 64 bits in two halves, of two's complement when signed. */
  whole(low: number, high: number, isSigned: boolean): boolean;
  float(value: number): boolean;
  text(text: string): boolean;
  ipv4(address: number): boolean;
  /** 16 bytes at `start`. */
  ipv6(bytes: Uint8Array, start: number): boolean;
  /** 48 bits in two words. */
  mac(low: number, high: number): boolean;
}

/** What a filter looks for, before its negation. Throws `config_invalid` for an expression that is none of RE2's. */
export function createMatcher({ operator, values }: TagFilter): Matcher {
  switch (operator) {
    case '=':
    case '!=':
      return new EqualMatcher(values);
    case '~':
    case '!~': {
      const expressions = values.map(compileExpression);
      return new PatternMatcher((text) => expressions.some((expression) => expression.matcher(text).find()));
    }
    case ':':
    case '!:': {
      const patterns = values.map(wildcard);
      return new PatternMatcher((text) => patterns.some((matches) => matches(text)));
    }
  }
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;

class EqualMatcher implements Matcher {
  readonly #unsigned = new IdIndexes();
  readonly #signed = new IdIndexes();
  readonly #floats = new Set<number>();
  readonly #texts = new Set<string>();
  readonly #ipv4 = new Set<number>();
  readonly #ipv6 = new Set<string>();
  readonly #macs = new IdIndexes();

  constructor(values: readonly string[]) {
    for (const value of values) {
      this.#texts.add(value.toLowerCase());
      this.#addNumber(value.trim());
      this.#addAddress(value.trim());
    }
  }

  whole(low: number, high: number, isSigned: boolean): boolean {
    return (isSigned ? this.#signed : this.#unsigned).find(high, low) >= 0;
  }

  float(value: number): boolean {
    // A Set finds NaN.
    return this.#floats.has(value);
  }

  text(text: string): boolean {
    return this.#texts.has(text.toLowerCase());
  }

  ipv4(address: number): boolean {
    return this.#ipv4.has(address);
  }

  ipv6(bytes: Uint8Array, start: number): boolean {
    return this.#ipv6.has(ipv6Text(bytes, start));
  }

  mac(low: number, high: number): boolean {
    return this.#macs.find(high & 0xffff, low) >= 0;
  }

  #addNumber(text: string): void {
    const whole = wholeNumber(text);
    if (whole !== undefined) {
      if (whole >= 0n && whole < 1n << 64n) addPair(this.#unsigned, whole);
      if (whole >= -(1n << 63n) && whole < 1n << 63n) addPair(this.#signed, BigInt.asUintN(64, whole));
      if (whole >= 0n && whole < 1n << 32n) this.#ipv4.add(Number(whole));
      if (whole >= 0n && whole < 1n << 48n) addPair(this.#macs, whole);
    }
    const number = floatNumber(text);
    // 0 and -0 are equal; a Set takes them for the same.
    if (number !== undefined) this.#floats.add(number);
  }

  #addAddress(text: string): void {
    const ipv4 = ipv4Number(text);
    if (ipv4 !== undefined) this.#ipv4.add(ipv4);
    const ipv6 = ipv6Bytes(text);
    if (ipv6 !== undefined) this.#ipv6.add(ipv6Text(ipv6, 0));
    if (MAC.test(text)) addPair(this.#macs, BigInt(`0x${text.replaceAll(':', '')}`));
  }
}

/** Numbers and addresses are matched as text, each once while it is remembered. */
class PatternMatcher implements Matcher {
  readonly #matches: (text: string) => boolean;
  readonly #verdicts = {
    unsigned: new Verdicts(),
    signed: new Verdicts(),
    float: new Verdicts(),
    ipv4: new Verdicts(),
    mac: new Verdicts(),
  };

  constructor(matches: (text: string) => boolean) {
    this.#matches = matches;
  }

  whole(low: number, high: number, isSigned: boolean): boolean {
    const verdicts = isSigned ? this.#verdicts.signed : this.#verdicts.unsigned;
    return verdicts.find(low, high) ?? verdicts.keep(low, high, this.#matches(wholeText(low, high, isSigned)));
  }

  float(value: number): boolean {
    floats[0] = value;
    const [low, high] = [floatWords[0]!, floatWords[1]!];
    const verdicts = this.#verdicts.float;
    return verdicts.find(low, high) ?? verdicts.keep(low, high, this.#matches(floatText(value)));
  }

  text(text: string): boolean {
    return this.#matches(text);
  }

  ipv4(address: number): boolean {
    const verdicts = this.#verdicts.ipv4;
    return verdicts.find(address, 0) ?? verdicts.keep(address, 0, this.#matches(latinText(putIpv4(latin, 0, address))));
  }

  ipv6(bytes: Uint8Array, start: number): boolean {
    return this.#matches(ipv6Text(bytes, start));
  }

  mac(low: number, high: number): boolean {
    const verdicts = this.#verdicts.mac;
    return verdicts.find(low, high) ?? verdicts.keep(low, high, this.#matches(latinText(putMac(latin, 0, low, high))));
  }
}

const MOST_VERDICTS = 65_536;

/** Verdicts by pairs of words; all are forgotten when there are too many. */
class Verdicts {
  #known = new IdIndexes();

  find(low: number, high: number): boolean | undefined {
    const verdict = this.#known.find(high, low);
    return verdict < 0 ? undefined : verdict === 1;
  }

  keep(low: number, high: number, verdict: boolean): boolean {
    if (this.#known.size >= MOST_VERDICTS) this.#known = new IdIndexes();
    this.#known.add(high, low, verdict ? 1 : 0);
    return verdict;
  }
}

/** `*` is any number of any characters, everything else itself; the whole text is compared. */
export function wildcard(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return (text) => text === pattern;
  const first = parts[0]!;
  const last = parts.at(-1)!;
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    const end = text.length - last.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

/** `3`, `3.0` and `3e2` exactly, undefined for others. */
function wholeNumber(text: string): bigint | undefined {
  if (/^[+-]?\d+$/.test(text)) return text.length > 40 ? undefined : BigInt(text.replace(/^\+/, ''));
  if (!DECIMAL.test(text)) return undefined;
  const number = Number(text);
  return Number.isInteger(number) && Math.abs(number) < 2 ** 64 ? BigInt(number) : undefined;
}

function floatNumber(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return NaN;
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinity === null) return undefined;
  return infinity[1] === '-' ? -Infinity : Infinity;
}

function addPair(to: IdIndexes, bits: bigint): void {
  const [low, high] = [Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
  if (to.find(high, low) < 0) to.add(high, low, 1);
}

const latin = Buffer.alloc(64);

/** The first bytes of `latin`. */
function latinText(end: number): string {
  return latin.toString('latin1', 0, end);
}

const floats = new Float64Array(1);
const floatWords = new Uint32Array(floats.buffer);

function wholeText(low: number, high: number, isSigned: boolean): string {
  if (!isSigned || high < 0x8000_0000) return latinText(writeDecimal(latin, 0, low, high));
  const negativeLow = -low >>> 0;
  const negativeHigh = (~high + (low === 0 ? 1 : 0)) >>> 0;
  return `-${latinText(writeDecimal(latin, 0, negativeLow, negativeHigh))}`;
}

/** Without an exponent, as rows are written. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const text = String(value);
  const [, sign = '', whole = '', fraction = '', power = ''] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? [];
  if (power === '') return text;
  const digits = whole + fraction;
  const point = whole.length + Number(power);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

function ipv6Text(bytes: Uint8Array, start: number): string {
  return latinText(putIpv6(latin, 0, bytes, start));
}
