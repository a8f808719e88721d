import { constantText, type ConstantText } from '../../batch/constant-text.ts';
import { SluiceError } from '../../base/errors.ts';

/*
 * A table of address ranges, as text, a range a line in any order:
 *
 *   192.0.2.0/24,Jiangsu            network, name
 *   198.51.100.7-198.51.100.99,Hebei  first and last address, name
 *   # a comment
 */

const MAX_RANGES = 2_000_000;
const MAX_NAMES = 10_000;

/** Names of IPv4 address ranges, for `province_0` and `province_1`. */
export class Provinces {
  /** Ranges by their first address; none overlaps. */
  readonly #first: Uint32Array;
  readonly #last: Uint32Array;
  readonly #names: readonly ConstantText[];

  constructor(first: Uint32Array, last: Uint32Array, names: readonly ConstantText[]) {
    this.#first = first;
    this.#last = last;
    this.#names = names;
  }

  /** Name of the range that the address lies in. */
  find(ip4: number): ConstantText | undefined {
    let low = 0;
    let high = this.#first.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#first[middle]! <= ip4) low = middle + 1;
      else high = middle;
    }
    return low > 0 && ip4 <= this.#last[low - 1]! ? this.#names[low - 1] : undefined;
  }
}

/** Reads a table; `path` is for messages. Throws SluiceError `config_invalid` with the line that is wrong. */
export function parseProvinces(text: string, path: string): Provinces {
  const ranges: { readonly first: number; readonly last: number; readonly name: string; readonly line: number }[] = [];
  const names = new Map<string, ConstantText>();
  for (const [index, raw] of text.split('\n').entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const wrong = (what: string) => invalid(path, index + 1, what);
    const comma = content.indexOf(',');
    const name = content.slice(comma + 1).trim();
    const bounds = comma < 0 ? undefined : parseRange(content.slice(0, comma).trim());
    if (bounds === undefined || name === '')
      throw wrong(`expected NETWORK,NAME or FIRST-LAST,NAME; got ${content.slice(0, 80)}`);
    ranges.push({ ...bounds, name, line: index + 1 });
    if (ranges.length > MAX_RANGES) throw wrong(`more than ${MAX_RANGES} ranges`);
    if (!names.has(name)) names.set(name, constantText(name));
    if (names.size > MAX_NAMES) throw wrong(`more than ${MAX_NAMES} names`);
  }
  ranges.sort((a, b) => a.first - b.first);
  for (let i = 1; i < ranges.length; i++) {
    const [before, range] = [ranges[i - 1]!, ranges[i]!];
    if (range.first <= before.last) throw invalid(path, range.line, `the range overlaps that of line ${before.line}`);
  }
  return new Provinces(
    Uint32Array.from(ranges, ({ first }) => first),
    Uint32Array.from(ranges, ({ last }) => last),
    ranges.map(({ name }) => names.get(name)!),
  );
}

function parseRange(text: string): { readonly first: number; readonly last: number } | undefined {
  const [from = '', to, ...more] = text.split('-');
  if (more.length > 0) return undefined;
  if (to !== undefined) {
    const [first, last] = [parseIp4(from.trim()), parseIp4(to.trim())];
    return first === undefined || last === undefined || last < first ? undefined : { first, last };
  }
  const [address = '', bits = '32', ...rest] = from.split('/');
  const start = parseIp4(address);
  if (start === undefined || rest.length > 0 || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) return undefined;
  const size = 2 ** (32 - Number(bits));
  return start % size === 0 ? { first: start, last: start + size - 1 } : undefined;
}

function parseIp4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((value, part) => value * 256 + part, 0);
}

function invalid(path: string, line: number, what: string): SluiceError {
  return new SluiceError('config_invalid', `cannot use the table of address ranges: ${path}:${line}: ${what}`);
}
