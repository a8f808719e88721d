/**
 * Durations and sizes as people write them.
 *
 * A duration is a sum of whole numbers with units, greatest unit first, each unit once: `500ms`, `30s`, `1h30m`, `15d`. Result: milliseconds.
 * A size is one number with a unit: `64MiB`, `1.5GiB`, `1GB`, `512` (bytes). Result: whole bytes.
 */
const DURATION_UNITS = [
  ['y', 31_536_000_000],
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const BYTE_UNITS = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['TB', 1e12],
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
  ['B', 1],
] as const;

const DURATION_HINT = 'expected a duration such as 500ms, 30s, 1h30m or 15d';
const BYTES_HINT = 'expected a size such as 512, 64MiB, 1.5GiB or 1GB';

/** Milliseconds of `500ms`, `30s`, `1h30m`, `15d`, `1w`, `1y` (365 days) or `0`. Throws Error for anything else. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  let total = 0;
  let unit = -1;
  let at = 0;
  // Sticky and without nested repetition: linear in the text's length.
  const part = /(\d{1,15})(ms|[ywdhms])/y;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    const found = DURATION_UNITS.findIndex(([name]) => name === match[2]);
    if (found <= unit) throw new Error(`${DURATION_HINT}, greatest unit first, each unit once; got ${quote(text)}`);
    unit = found;
    total += Number(match[1]) * (DURATION_UNITS[found]?.[1] ?? 0);
    at = part.lastIndex;
  }
  if (at === 0 || at !== text.length) {
    const why = /^\d+$/.test(text) ? ' without a unit' : '';
    throw new Error(`${DURATION_HINT}; got ${quote(text)}${why}`);
  }
  if (!Number.isSafeInteger(total)) throw new Error(`${DURATION_HINT}; got ${quote(text)}, which is too long`);
  return total;
}

/** Bytes of `4GiB`, `64MiB`, `1GB`, `1.5GiB` or `512`, rounded to a whole number. Throws Error for anything else. */
export function parseBytes(text: string): number {
  const match = /^(\d{1,16}(?:\.\d{1,9})?) ?([A-Za-z]{0,3})$/.exec(text);
  const name = match?.[2] === 'KB' ? 'kB' : match?.[2];
  const size = name === '' ? 1 : BYTE_UNITS.find(([unit]) => unit === name)?.[1];
  if (match === null || size === undefined) {
    throw new Error(`${BYTES_HINT} (units kB, MB, GB, TB, KiB, MiB, GiB, TiB); got ${quote(text)}`);
  }
  const bytes = Math.round(Number(match[1]) * size);
  if (!Number.isSafeInteger(bytes)) throw new Error(`${BYTES_HINT}; got ${quote(text)}, which is too large`);
  return bytes;
}

/** The shortest text that `parseDuration` reads as `ms` (whole milliseconds, not negative): 5400000 -> `1h30m`. */
export function formatDuration(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0) throw new Error(`expected whole milliseconds; got ${ms}`);
  if (ms === 0) return '0';
  let rest = ms;
  let text = '';
  for (const [name, size] of DURATION_UNITS) {
    // 365 days or 2 weeks are clearer than 1y or 2w beside the 15d that people write.
    if (name === 'y' || (name === 'w' && rest % size !== 0)) continue;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${name}`;
    rest -= count * size;
  }
  return text;
}

/** A text that `parseBytes` reads as exactly `bytes`, with the greatest unit that divides it: 67108864 -> `64MiB`. */
export function formatBytes(bytes: number): string {
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`expected whole bytes; got ${bytes}`);
  if (bytes === 0) return '0';
  const unit = BYTE_UNITS.find(([, size]) => bytes % size === 0);
  return unit === undefined || unit[0] === 'B' ? `${bytes}` : `${bytes / unit[1]}${unit[0]}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
