/**
 * Microseconds since 1970 of an RFC 3339 time, exact before the year 2255; NaN when the text is none.
 *
 *   2026-11-21T01:34:03.123456789+01:00     T may be t or a space, the zone Z or z; the fraction has any number of digits, those behind the sixth fall
 *
 * Leap seconds (:60) do not exist here.
 */
export function parseRfc3339(text: string): number {
  const { length } = text;
  if (length < 20 || text.charCodeAt(4) !== HYPHEN || text.charCodeAt(7) !== HYPHEN) return NaN;
  const separator = text.charCodeAt(10);
  if (separator !== 0x54 && separator !== 0x74 && separator !== 0x20) return NaN;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return NaN;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  // NaN is in no range.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month))) return NaN;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return NaN;

  let at = 19;
  let micros = 0;
  if (text.charCodeAt(at) === POINT) {
    const first = ++at;
    for (; at < length; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit < 0 || digit > 9) break;
      if (at - first < 6) micros = micros * 10 + digit;
    }
    if (at === first) return NaN;
    for (let missing = first + 6 - at; missing > 0; missing--) micros *= 10;
  }
  const offset = zoneMinutes(text, at);
  return (daysSince1970(year, month, day) * 86_400 + hour * 3600 + (minute - offset) * 60 + second) * 1e6 + micros;
}

const ZERO = 0x30;
const HYPHEN = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const PLUS = 0x2b;

function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Minutes east of UTC that the rest of the text says, or NaN. */
function zoneMinutes(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if (sign === 0x5a || sign === 0x7a) return at + 1 === text.length ? 0 : NaN;
  if ((sign !== PLUS && sign !== HYPHEN) || at + 6 !== text.length || text.charCodeAt(at + 3) !== COLON) return NaN;
  const hours = digits(text, at + 1, 2);
  const minutes = digits(text, at + 4, 2);
  if (!(hours <= 23 && minutes <= 59)) return NaN;
  return (hours * 60 + minutes) * (sign === PLUS ? 1 : -1);
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : monthDays[month - 1]!;
}

/** In the Gregorian calendar. A year begins in March here, so that the leap day is its last. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const monthFromMarch = (month + 9) % 12;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}
