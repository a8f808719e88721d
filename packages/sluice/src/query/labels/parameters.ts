import { SluiceError } from '../../base/errors.ts';
import { checkMatchers, isSelective, type Matcher, type MatcherLimits } from '../matchers.ts';
import { parseSelector } from '../selector.ts';

/** Parameters of the labels API, read as Prometheus reads them; all of these throw `bad_request`. */

/** Epoch milliseconds of `start` and `end`; absent = no limit. */
export interface TimeParameters {
  readonly start: number;
  readonly end: number;
}

export function timeParameters(query: URLSearchParams): TimeParameters {
  return { start: timeParameter(query, 'start', -Infinity), end: timeParameter(query, 'end', Infinity) };
}

/** The selectors of `match[]`, each with at least one condition that not every series meets. */
export function selectors(query: URLSearchParams, limits: MatcherLimits): Matcher[][] {
  return query.getAll('match[]').map((text) => {
    let matchers: Matcher[];
    try {
      if (Buffer.byteLength(text) > limits.regexBytes * 2) {
        throw new SluiceError('bad_request', `expected at most ${limits.regexBytes * 2} bytes`);
      }
      matchers = parseSelector(text);
      checkMatchers(matchers, limits);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      throw new SluiceError('bad_request', `invalid parameter "match[]": ${error.message}`, { cause: error });
    }
    if (!isSelective(matchers)) {
      throw new SluiceError(
        'bad_request',
        'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
      );
    }
    return matchers;
  });
}

/** `limit`: 0 and absent mean none. */
export function limitParameter(query: URLSearchParams): number {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw invalid('limit', `expected a whole number; got ${JSON.stringify(text)}`);
  const limit = Number(text);
  if (limit < 0) throw invalid('limit', 'limit must be non-negative');
  return limit;
}

/** A whole number of the metadata API: absent = undefined. */
export function countParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new SluiceError('bad_request', `${name} must be a number`);
  return Number(text);
}

/** A label name of the path, its `U__` form decoded. */
export function labelName(text: string): string {
  const name = unescapeName(text);
  // A replacement character: the path was not UTF-8.
  if (name === '' || name.includes('\u{FFFD}')) {
    throw new SluiceError('bad_request', `invalid label name: ${JSON.stringify(text)}`);
  }
  return name;
}

/** `U__` and then: `__` for an underscore, `_<hex>_` for a character, all others as they are. Another text is its own name. */
function unescapeName(text: string): string {
  if (!/^U__(?:[^_]|__|_[0-9a-fA-F]{1,5}_)*$/u.test(text)) return text;
  let valid = true;
  const name = text.slice(3).replaceAll(/__|_([0-9a-fA-F]+)_/g, (_, hex: string | undefined) => {
    if (hex === undefined) return '_';
    const code = parseInt(hex, 16);
    if (code >= 0xd800 && code < 0xe000) valid = false;
    return valid ? String.fromCodePoint(code) : '';
  });
  return valid ? name : text;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;
/** How Prometheus itself writes "no limit". */
const NO_LIMIT = new Map([
  ['-292273086-05-16T16:47:06Z', -Infinity],
  ['292277025-08-18T07:12:54.999999999Z', Infinity],
]);

function timeParameter(query: URLSearchParams, name: string, absent: number): number {
  const text = query.get(name) ?? '';
  if (text === '') return absent;
  const time = parseTime(text);
  if (Number.isNaN(time)) throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  return time;
}

/** Unix seconds or RFC 3339; milliseconds, NaN for anything else. */
function parseTime(text: string): number {
  if (NUMBER.test(text)) return Math.round(Number(text) * 1000);
  const match = RFC_3339.exec(text);
  if (match === null) return NO_LIMIT.get(text) ?? NaN;
  return Date.parse(`${match[1]}.${(match[2] ?? '').slice(0, 3).padEnd(3, '0')}${match[3]}`);
}

function invalid(name: string, problem: string): SluiceError {
  return new SluiceError('bad_request', `invalid parameter ${JSON.stringify(name)}: ${problem}`);
}
