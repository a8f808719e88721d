import { putFixed } from './digits.ts';

/** `,"time_str":"2023-11-14 22:13:20.126913 +0000 UTC"}`: the time of a row as Go prints it, in UTC, and the end of the object. */

/** Longest it can be, with room for a year of six digits. */
export const TIME_TEXT_BYTES = 64;

const encoder = new TextEncoder();
const TAIL = encoder.encode(' +0000 UTC"}');
const POINT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;
const DAY = 86_400;

/** Writes such texts; what depends on the day alone is kept from row to row. */
export class TimeText {
  #day = NaN;
  #prefix: Uint8Array = TAIL;

  /** `fraction` counts units of 10^-digits seconds. Zeros at its end are left out. */
  put(bytes: Uint8Array, at: number, second: number, fraction: number, digits: number): number {
    const day = Math.floor(second / DAY);
    if (day !== this.#day) this.#begin(day);
    const prefix = this.#prefix;
    let to = at;
    for (let i = 0; i < prefix.length; i++) bytes[to++] = prefix[i]!;
    const ofDay = second - day * DAY;
    to = putTwo(bytes, to, Math.floor(ofDay / 3600));
    bytes[to++] = COLON;
    to = putTwo(bytes, to, Math.floor(ofDay / 60) % 60);
    bytes[to++] = COLON;
    to = putTwo(bytes, to, ofDay % 60);
    if (fraction > 0) {
      bytes[to] = POINT;
      to = putFixed(bytes, to + 1, fraction, digits);
      while (bytes[to - 1] === ZERO) to--;
    }
    for (let i = 0; i < TAIL.length; i++) bytes[to++] = TAIL[i]!;
    return to;
  }

  #begin(day: number): void {
    this.#day = day;
    const date = new Date(day * DAY * 1000);
    // There are no dates beyond the year 275760.
    const text = Number.isNaN(date.getTime()) ? String(day) : date.toISOString().slice(0, -14);
    this.#prefix = encoder.encode(`,"time_str":"${text} `);
  }
}

function putTwo(bytes: Uint8Array, at: number, value: number): number {
  const tens = (value / 10) | 0;
  bytes[at] = ZERO + tens;
  bytes[at + 1] = ZERO + value - tens * 10;
  return at + 2;
}

/** When the rows of a Batch happened, as columns say it. */
export interface RowTimes {
  /** Epoch milliseconds, cut off. */
  milliseconds(row: number): number;
  put(text: TimeText, bytes: Uint8Array, at: number, row: number): number;
}

/** Whole seconds. */
export function secondTimes(seconds: Uint32Array): RowTimes {
  return {
    milliseconds: (row) => seconds[row]! * 1000,
    put: (text, bytes, at, row) => text.put(bytes, at, seconds[row]!, 0, 0),
  };
}

/** Units of 10^-digits seconds in 64 bits, as two words a row. Exact up to the year 2255. */
export function fineTimes(words: Uint32Array, digits: 3 | 6): RowTimes {
  const perSecond = 10 ** digits;
  const perMillisecond = perSecond / 1000;
  const ticks = (row: number) => (words[row * 2 + 1]! | 0) * 4_294_967_296 + words[row * 2]!;
  return {
    milliseconds: (row) => Math.floor(ticks(row) / perMillisecond),
    put: (text, bytes, at, row) => {
      const value = ticks(row);
      const second = Math.floor(value / perSecond);
      return text.put(bytes, at, second, value - second * perSecond, digits);
    },
  };
}
