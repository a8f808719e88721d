import type { Pairs } from './description.ts';

/** Reads of JSON that others wrote: what is not as expected is as if it were absent. */
export type JsonObject = Readonly<Record<string, unknown>>;

const NOTHING: JsonObject = Object.freeze({});
const NO_ITEMS: readonly unknown[] = Object.freeze([]);

export function objectAt(from: JsonObject, name: string): JsonObject {
  return asObject(from[name]) ?? NOTHING;
}

export function listAt(from: JsonObject, name: string): readonly unknown[] {
  const value = from[name];
  return Array.isArray(value) ? (value as readonly unknown[]) : NO_ITEMS;
}

/** Objects of a list; other elements are left out. */
export function objectsAt(from: JsonObject, name: string): readonly JsonObject[] {
  return listAt(from, name)
    .map(asObject)
    .filter((value) => value !== undefined);
}

export function textAt(from: JsonObject, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : '';
}

/** Epoch seconds of a time such as `2024-11-05T16:00:30Z`. */
export function secondsAt(from: JsonObject, name: string): number | undefined {
  const ms = Date.parse(textAt(from, name));
  return Number.isFinite(ms) ? Math.floor(ms / 1000) : undefined;
}

/** A port number; undefined for anything else. */
export function portAt(from: JsonObject, name: string): number | undefined {
  const value = from[name];
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536 ? value : undefined;
}

export function asObject(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether JSON has more commas and brackets: three bytes such as `{},` take twenty times as much once they are read. */
export function hasMoreValues(json: Uint8Array, most: number): boolean {
  let values = 0;
  for (const byte of json) {
    if (byte === COMMA || byte === BRACE || byte === BRACKET) values++;
  }
  return values > most;
}

const COMMA = 0x2c;
const BRACE = 0x7b;
const BRACKET = 0x5b;

const MOST_PAIRS = 256;
const MOST_NAME = 320;
const MOST_VALUE = 1024;

/** Texts by name, sorted; those beyond the limits are left out. */
export function pairsOf(from: JsonObject, isWanted: (name: string) => boolean = () => true): Pairs {
  const pairs: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(from)) {
    if (pairs.length >= MOST_PAIRS) break;
    if (typeof value !== 'string' || value.length > MOST_VALUE || name === '' || name.length > MOST_NAME) continue;
    if (isWanted(name)) pairs.push([name, value]);
  }
  return pairs.toSorted(([left], [right]) => (left < right ? -1 : 1));
}
