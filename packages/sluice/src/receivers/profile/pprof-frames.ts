import { FieldScan } from '../field-scan.ts';
import type { PprofIndex } from './pprof-index.ts';

/** Separates frames in the text of a stack; in names it becomes a colon. */
const SEMICOLON = 0x3b;
const COLON = 0x3a;

/** Functions inlined at one address, and bytes of their names, that are kept. */
const MOST_LINES = 64;
const MOST_NAME = 4096;
const MOST_TEXT = 8192;
/** Texts of all locations together. */
const MOST_BYTES = 32 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

/**
 * Texts of the locations of a profile, made when they are asked for: the functions at the address, outermost first, or the address in hexadecimal when
 * none is known.
 *
 *   Location: 1 id | 3 address | 4 line (innermost first)      Line: 1 function_id      Function: 1 id | 2 name (number of a string)
 */
export class PprofFrames {
  /** Why texts could not be made. */
  fault: 'malformed' | 'too_large' | undefined;
  readonly #bytes: Uint8Array;
  readonly #index: PprofIndex;
  /** Numbers of locations, and of the strings that name functions, by id. */
  readonly #locations = new Map<PprofId, number>();
  readonly #functions = new Map<PprofId, number>();
  readonly #texts: (Uint8Array | undefined)[] = [];
  readonly #scan = new FieldScan();
  readonly #inner = new FieldScan();
  #size = 0;
  /** Fields 1 and 2 of the message read last. */
  #id: PprofId = 0;
  #second = 0;

  constructor(bytes: Uint8Array, index: PprofIndex) {
    this.#bytes = bytes;
    this.#index = index;
  }

  /** Reads the ids; false when a message is malformed. */
  open(): boolean {
    const { locations, functions } = this.#index;
    for (let i = 0; i < functions.count; i++) {
      if (!this.#readNumbers(functions.start(i), functions.end(i))) return false;
      this.#functions.set(this.#id, this.#second);
    }
    for (let i = 0; i < locations.count; i++) {
      if (!this.#readNumbers(locations.start(i), locations.end(i))) return false;
      this.#locations.set(this.#id, i);
    }
    return true;
  }

  /** Number of a location, or -1. */
  location(low: number, high: number): number {
    return this.#locations.get(idOf(low, high)) ?? -1;
  }

  /** Text of a location by its number; undefined when there is a `fault`. */
  text(location: number): Uint8Array | undefined {
    const known = this.#texts[location];
    if (known !== undefined) return known;
    const made = this.#textOf(location);
    if (made === undefined) {
      this.fault = 'malformed';
      return undefined;
    }
    this.#size += made.length;
    if (this.#size > MOST_BYTES) {
      this.fault = 'too_large';
      return undefined;
    }
    this.#texts[location] = made;
    return made;
  }

  /** A string of the profile by its number; empty when there is none. */
  string(number: number): Uint8Array {
    const { strings } = this.#index;
    return number < strings.count ? this.#bytes.subarray(strings.start(number), strings.end(number)) : EMPTY;
  }

  #textOf(location: number): Uint8Array | undefined {
    const { locations } = this.#index;
    const scan = this.#scan;
    const names: Uint8Array[] = [];
    let address = '0x0';
    scan.begin(this.#bytes, locations.start(location), locations.end(location));
    while (names.length < MOST_LINES && scan.next()) {
      if (scan.field === 3 && scan.wireType === 0) address = hexadecimal(scan.low, scan.high);
      if (scan.field !== 4) continue;
      if (scan.wireType !== 2 || !this.#readNumbers(scan.start, scan.end)) return undefined;
      const name = this.string(this.#functions.get(this.#id) ?? 0).subarray(0, MOST_NAME);
      if (name.length > 0) names.push(name);
    }
    if (scan.isMalformed) return undefined;
    return names.length === 0 ? Buffer.from(address) : joined(names);
  }

  /** Reads fields 1 and 2 of a message, 0 when they are absent; false when it is malformed. */
  #readNumbers(start: number, end: number): boolean {
    const scan = this.#inner;
    this.#id = 0;
    this.#second = 0;
    scan.begin(this.#bytes, start, end);
    while (scan.next()) {
      if (scan.field > 2) continue;
      if (scan.wireType !== 0) return false;
      if (scan.field === 1) this.#id = idOf(scan.low, scan.high);
      else this.#second = scan.high === 0 ? scan.low : 0;
    }
    return !scan.isMalformed;
  }
}

/** A 64-bit id; a text where a double would lose digits of it. */
type PprofId = number | string;

function idOf(low: number, high: number): PprofId {
  return high < 0x20_0000 ? high * 4_294_967_296 + low : `${high}:${low}`;
}

function hexadecimal(low: number, high: number): string {
  return high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}

/** Names, innermost first, as the text of a stack; of too many the outermost. */
function joined(names: readonly Uint8Array[]): Uint8Array {
  let size = -1;
  let first = names.length;
  while (first > 0 && size + 1 + names[first - 1]!.length <= MOST_TEXT) size += names[--first]!.length + 1;
  const text = new Uint8Array(size);
  let at = 0;
  for (let i = names.length - 1; i >= first; i--) {
    if (at > 0) text[at++] = SEMICOLON;
    for (const byte of names[i]!) text[at++] = byte === SEMICOLON ? COLON : byte;
  }
  return text;
}
