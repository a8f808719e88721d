import type { Batch } from '../../batch/batch.ts';
import { ChainedHash } from '../chained-hash.ts';
import type { FieldColumns } from './field-columns.ts';
import type { FieldRows, SeenIn } from './field-rows.ts';
import { FieldTexts, type ListColumn, type TextColumn } from './field-texts.ts';
import { NameLists, type NameList } from './name-lists.ts';
import { SeenHashes, type Noted } from './seen-hashes.ts';

/** Values of a name (pairs of application and instance of a table) that are noted of an hour. */
export const MOST_VALUES_OF_NAME = 1000;
/** Bytes of a value that is noted. */
export const MOST_VALUE_BYTES = 1024;
const MOST_NAMES = 65_536;
const MOST_VALUES = 262_144;
const HOUR_S = 3600;

/** Links of chains of hashes behind the table's: what kind of name follows. */
const TAG = 1;
const METRICS = 2;
const PLAIN = 3;
const APPLICATION = 4;

/** What was not noted. */
export interface LeftOut {
  /** Values of names that have had enough. */
  values: number;
  /** Values that are too long. */
  long: number;
  /** Names and values for which there was no room at all. */
  room: number;
}

/**
 * Looks for names and values that rows of an hour have not had yet. All organisations and tables share what is remembered of them: hashes, at most
 * 6.25 MiB. A Batch costs one reading of its names and values; nothing is made of what is known.
 */
export class FieldWatch {
  readonly leftOut: LeftOut = { values: 0, long: 0, room: 0 };
  readonly #names: SeenHashes;
  readonly #values: SeenHashes;
  readonly #lists = new NameLists();
  readonly #hash = new ChainedHash();
  readonly #seen: SeenIn = { hourS: 0, vpc: 0, namespace: 0, team: 0 };
  readonly #mostOfName: number;

  constructor({ names = MOST_NAMES, values = MOST_VALUES, valuesOfName = MOST_VALUES_OF_NAME } = {}) {
    this.#names = new SeenHashes(names);
    this.#values = new SeenHashes(values);
    this.#mostOfName = valuesOfName;
  }

  get bytes(): number {
    return this.#names.bytes + this.#values.bytes;
  }

  /** Everything counts as new from now on. */
  forget(): void {
    this.#names.clear();
    this.#values.clear();
    this.#lists.clear();
  }

  /** Adds what is new in a Batch to the rows of its organisation. */
  look(batch: Batch, columns: FieldColumns, into: FieldRows): void {
    const texts = new FieldTexts(batch, columns);
    const hash = this.#hash;
    const seen = this.#seen;
    const { time, vpc, namespace, team, tableTexts } = texts;
    let low = 0;
    let high = 0;
    seen.hourS = -1;
    for (let row = 0; row < batch.rows; row++) {
      const hourS = time[row]! - (time[row]! % HOUR_S);
      if (hourS !== seen.hourS) {
        seen.hourS = hourS;
        hash.begin().number(batch.org).number(columns.number).number(hourS);
        low = hash.low;
        high = hash.high;
      }
      seen.vpc = vpc === undefined ? 0 : vpc[row]!;
      seen.namespace = namespace === undefined ? 0 : namespace[row]!;
      seen.team = team === undefined ? 0 : team[row]!;
      const isKnown = texts.application !== undefined && this.#knowsApplication(texts, into, row, low, high);
      if (texts.names === undefined) continue;
      hash.from(low, high);
      for (const one of tableTexts) hash.text(one.view, one.start(row), one.end(row));
      const tableLow = hash.low;
      const tableHigh = hash.high;
      this.#lookAtTags(texts, into, row, tableLow, tableHigh);
      const { metrics } = texts;
      if (metrics !== undefined && metrics.start(row) < metrics.end(row)) {
        this.#lookAtNames(texts, metrics, into, row, 'metrics', tableLow, tableHigh);
      }
      for (let i = isKnown ? texts.paired : 0; i < texts.plain.length; i++) {
        this.#lookAtPlain(texts, into, row, i, tableLow, tableHigh);
      }
    }
  }

  #lookAtTags(texts: FieldTexts, into: FieldRows, row: number, low: number, high: number): void {
    const names = texts.names!;
    const values = texts.values!;
    const first = names.start(row);
    const firstValue = values.start(row);
    const count = Math.min(names.end(row) - first, values.end(row) - firstValue);
    if (count === 0) return;
    const { places, lows, highs } = this.#lookAtNames(texts, names, into, row, 'tag', low, high);
    const value = values.texts;
    for (let i = 0; i < count; i++) {
      const place = places[i]!;
      if (place < 0 || value.isEmpty(firstValue + i)) continue;
      this.#hash.from(lows[i]!, highs[i]!);
      if (this.#noteValue(value, firstValue + i, place) !== 'new') continue;
      const field = { record: 'value', type: 'tag', ...texts.tableOf(row) } as const;
      into.add({ ...field, name: names.texts, nameAt: first + i, value, valueAt: firstValue + i }, this.#seen);
    }
  }

  /** Looks at all names of a row, unless they have been looked at together before. */
  #lookAtNames(
    texts: FieldTexts,
    names: ListColumn,
    into: FieldRows,
    row: number,
    type: 'tag' | 'metrics',
    low: number,
    high: number,
  ): NameList {
    const hash = this.#hash;
    const name = names.texts;
    const first = names.start(row);
    const end = names.end(row);
    const kind = type === 'tag' ? TAG : METRICS;
    const bytesFrom = first === 0 ? 0 : name.end(first - 1);
    hash
      .from(low, high)
      .number(-kind)
      .text(name.view, bytesFrom, name.end(end - 1));
    const known = this.#lists.find(hash.low, hash.high);
    if (known !== undefined) return known;
    const list = this.#lists.add(hash.low, hash.high, end - first);
    for (let i = 0; i < end - first; i++) {
      const at = first + i;
      hash.from(low, high).number(kind).text(name.view, name.start(at), name.end(at));
      const noted = this.#names.note(hash.low, hash.high);
      list.lows[i] = hash.low;
      list.highs[i] = hash.high;
      list.places[i] = noted === 'full' ? -1 : this.#names.place;
      if (noted === 'new') {
        into.add({ record: 'field', type, ...texts.tableOf(row), name, nameAt: at }, this.#seen);
      } else if (noted === 'full') this.leftOut.room++;
    }
    return list;
  }

  /** Columns of their own: there is no need to say that there are such fields. */
  #lookAtPlain(texts: FieldTexts, into: FieldRows, row: number, index: number, low: number, high: number): void {
    const { name, value } = texts.plain[index]!;
    if (value.isEmpty(row)) return;
    this.#hash.from(low, high).number(PLAIN).number(index);
    if (!this.#findRoom() || this.#noteValue(value, row, this.#names.place) !== 'new') return;
    const field = { record: 'value', type: 'tag', ...texts.tableOf(row) } as const;
    into.add({ ...field, name, nameAt: 0, value, valueAt: row }, this.#seen);
  }

  /** Whether the pair of application and instance, and so each of the two, was noted before; it is noted now. */
  #knowsApplication(texts: FieldTexts, into: FieldRows, row: number, low: number, high: number): boolean {
    const name = texts.application!;
    const value = texts.instance!;
    const start = name.start(row);
    const end = name.end(row);
    if (start === end && value.isEmpty(row)) return true;
    if (end - start > MOST_VALUE_BYTES) return false;
    const hash = this.#hash.from(low, high).number(APPLICATION);
    if (!this.#findRoom()) return false;
    hash.text(name.view, start, end);
    const noted = this.#noteValue(value, row, this.#names.place);
    if (noted !== 'new') return noted === 'known';
    const { source, applicationTable: table } = texts.columns;
    const field = { record: 'application', type: 'tag', database: source.database, table } as const;
    into.add({ ...field, name, nameAt: row, value, valueAt: row }, this.#seen);
    return false;
  }

  /** Whether there is room for values of the name whose hash is at hand. */
  #findRoom(): boolean {
    const { low, high } = this.#hash;
    if (this.#names.note(low, high) !== 'full') return true;
    this.leftOut.room++;
    return false;
  }

  /** Notes a text behind the hash at hand, which is that of the name at `place`. full: there are too many, or it is too long. */
  #noteValue(text: TextColumn, at: number, place: number): Noted {
    const { counts } = this.#names;
    if (counts[place]! >= this.#mostOfName) {
      this.leftOut.values++;
      return 'full';
    }
    const start = text.start(at);
    const end = text.end(at);
    if (end - start > MOST_VALUE_BYTES) {
      this.leftOut.long++;
      return 'full';
    }
    const hash = this.#hash.text(text.view, start, end);
    const noted = this.#values.note(hash.low, hash.high);
    if (noted === 'new') counts[place]!++;
    else if (noted === 'full') this.leftOut.room++;
    return noted;
  }
}
