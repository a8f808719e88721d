import type { RowBlock } from '../../batch/row-block.ts';
import { externalMetrics } from '../../catalog/external-metrics.ts';
import { columnIndexes } from '../column-indexes.ts';
import { readFloat, readInteger, readSeconds } from './numbers.ts';

/**
 * Influx line protocol into the pending row of an ext_metrics.metrics block, byte by byte:
 *
 *   measurement[,tag=value]... field=value[,field=value]... [timestamp]
 *
 *   escapes   measurement `\,` `\ `; tags and names of fields also `\=`; any other backslash is itself
 *   values    1.5 -2 3e8 float | 12i integer | 12u unsigned | t T true True TRUE f F false False FALSE | "text", where \" and \\ are escaped and
 *             line feeds are part of the text
 *   lines     end with LF or CR LF; empty ones and those that begin with # are nothing
 *
 * Numbers become the row's values; texts and booleans have no place in the table and are counted.
 */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const SMALL_I = 0x69;
const SMALL_U = 0x75;

/** Before the measurement in the column; DeepFlow's. */
const TABLE_PREFIX = Buffer.from('influxdb.');
const POD_NAME = Buffer.from('pod_name');
const booleans: ReadonlySet<string> = new Set('t T true True TRUE f F false False FALSE'.split(' '));
const LONGEST_BOOLEAN = 5;

/** Repeated names are looked for among all tags of a line. */
const MAX_TAGS = 256;

const columns = columnIndexes(externalMetrics, [
  'virtual_table_name',
  'tag_names',
  'tag_values',
  'metrics_float_names',
  'metrics_float_values',
  'pod_name_key',
]);

/** What a line was. `row`: it is pending in the block; of the others nothing may be kept. */
export type Line = 'row' | 'nothing' | 'malformed' | 'no_number';

export class LineReader {
  /** Where the next line begins. */
  at = 0;
  /** Epoch seconds of the row, or NaN when the line has no timestamp. */
  seconds = NaN;
  /** Texts and booleans among the line's fields. */
  otherFields = 0;
  /** Why a line is malformed. */
  problem = '';
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #fractionDigits = 9;
  #block!: RowBlock;
  #scratch = new Uint8Array(256);
  readonly #tagStarts = new Uint32Array(MAX_TAGS);
  readonly #tagEnds = new Uint32Array(MAX_TAGS);
  #tags = 0;
  #numbers = 0;
  /** Bounds of the last word, and whether escapes are in it. */
  #wordStart = 0;
  #wordEnd = 0;
  #isEscaped = false;

  /** Begins the lines of [start, end); the last `fractionDigits` digits of timestamps are fractions of a second. */
  begin(bytes: Uint8Array, start: number, end: number, fractionDigits: number): void {
    this.#bytes = bytes;
    this.at = start;
    this.#end = end;
    this.#fractionDigits = fractionDigits;
  }

  get isDone(): boolean {
    return this.at >= this.#end;
  }

  /** Reads the next line into the pending row. */
  next(block: RowBlock): Line {
    this.seconds = NaN;
    this.otherFields = 0;
    this.#tags = 0;
    this.#numbers = 0;
    this.#block = block;
    block.wire = this.#bytes;
    this.#skipSpace();
    const first = this.#bytes[this.at];
    if (this.isDone || first === LINE_FEED || first === HASH) {
      this.#skipLine();
      return 'nothing';
    }
    const isSound = this.#measurement() && this.#tagList() && this.#fieldList() && this.#timestamp();
    this.#skipLine();
    if (!isSound) return 'malformed';
    return this.#numbers > 0 ? 'row' : 'no_number';
  }

  #measurement(): boolean {
    this.#word(false);
    if (this.#wordEnd === this.#wordStart) return this.#wrong('the measurement is missing');
    const length = this.#wordEnd - this.#wordStart;
    const text = this.#room(TABLE_PREFIX.length + length);
    text.set(TABLE_PREFIX);
    const end = this.#unescape(text, TABLE_PREFIX.length, false);
    this.#block.setTextBytes(columns.virtual_table_name, text, 0, end);
    return true;
  }

  #tagList(): boolean {
    while (this.#is(COMMA)) {
      this.at++;
      this.#word(true);
      if (!this.#is(EQUALS)) return this.#wrong('a tag has no value');
      if (this.#wordEnd === this.#wordStart) return this.#wrong('a tag has no name');
      if (!this.#isNewTag()) return false;
      const isPod = this.#isWord(POD_NAME);
      this.#push(columns.tag_names);
      this.at++;
      this.#word(true);
      if (this.#wordEnd === this.#wordStart) return this.#wrong('a tag has an empty value');
      if (this.#is(EQUALS)) return this.#wrong('a tag has an = in its value that is not escaped');
      this.#push(columns.tag_values);
      if (isPod) this.#setPod();
    }
    return true;
  }

  #fieldList(): boolean {
    this.#skipSpace();
    for (;;) {
      this.#word(true);
      if (!this.#is(EQUALS)) return this.#wrong('the fields are missing, or one has no value');
      if (this.#wordEnd === this.#wordStart) return this.#wrong('a field has no name');
      const [start, end, isEscaped] = [this.#wordStart, this.#wordEnd, this.#isEscaped];
      this.at++;
      const value = this.#is(QUOTE) ? this.#text() : this.#value();
      if (value === 'wrong') return false;
      if (value === 'other') this.otherFields++;
      else {
        this.#wordStart = start;
        this.#wordEnd = end;
        this.#isEscaped = isEscaped;
        this.#push(columns.metrics_float_names);
        this.#block.pushNumber(columns.metrics_float_values, value);
        this.#numbers++;
      }
      if (!this.#is(COMMA)) return true;
      this.at++;
    }
  }

  /** A text in quotes: nothing of it is kept. */
  #text(): 'other' | 'wrong' {
    const bytes = this.#bytes;
    const opening = this.at;
    for (let at = opening + 1; at < this.#end; at++) {
      if (bytes[at] === BACKSLASH) at++;
      else if (bytes[at] === QUOTE) {
        this.at = at + 1;
        if (this.#isBehindValue()) return 'other';
        this.#wrong('a text has something behind its closing quote');
        return 'wrong';
      }
    }
    // `at` stays behind the opening quote: the lines that follow are not taken for a part of the text.
    this.at = opening + 1;
    this.#wrong('a text has no closing quote');
    return 'wrong';
  }

  #value(): number | 'other' | 'wrong' {
    const bytes = this.#bytes;
    const start = this.at;
    while (!this.#isBehindValue()) this.at++;
    const end = this.at;
    const last = bytes[end - 1];
    let value: number;
    if (last === SMALL_I || last === SMALL_U) value = readInteger(bytes, start, end - 1, last === SMALL_U);
    else value = readFloat(bytes, start, end);
    if (!Number.isNaN(value)) return value;
    if (end - start <= LONGEST_BOOLEAN && booleans.has(String.fromCharCode(...bytes.subarray(start, end))))
      return 'other';
    this.#wrong(end === start ? 'a field has no value' : 'a value is no number, boolean or quoted text');
    return 'wrong';
  }

  #timestamp(): boolean {
    this.#skipSpace();
    if (this.#isLineEnd()) return true;
    const start = this.at;
    while (!this.#isLineEnd() && !isSpace(this.#bytes[this.at]!)) this.at++;
    this.seconds = readSeconds(this.#bytes, start, this.at, this.#fractionDigits);
    if (Number.isNaN(this.seconds)) return this.#wrong('the timestamp is no integer of 64 bits');
    this.#skipSpace();
    return this.#isLineEnd() || this.#wrong('something stands behind the timestamp');
  }

  /** Reads up to the next comma or space that is not escaped, or the end of the line; names of tags and fields, and tags, end at = too. */
  #word(endsAtEquals: boolean): void {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.at;
    this.#wordStart = at;
    this.#isEscaped = false;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === BACKSLASH && at + 1 < end && isEscape(bytes[at + 1]!, endsAtEquals)) {
        this.#isEscaped = true;
        at++;
      } else if (byte === COMMA || byte === SPACE || byte === LINE_FEED || (byte === EQUALS && endsAtEquals)) break;
    }
    this.#wordEnd = at;
    this.at = at;
  }

  /** Appends the word to an array of the row. */
  #push(column: number): void {
    if (!this.#isEscaped) this.#block.pushTextBytes(column, this.#bytes, this.#wordStart, this.#wordEnd);
    else {
      const text = this.#room(this.#wordEnd - this.#wordStart);
      this.#block.pushTextBytes(column, text, 0, this.#unescape(text, 0, true));
    }
  }

  #setPod(): void {
    const text = this.#room(this.#wordEnd - this.#wordStart);
    this.#block.setTextBytes(columns.pod_name_key, text, 0, this.#unescape(text, 0, true));
  }

  /** Writes the word without its escapes to `at`; returns where it ends. */
  #unescape(target: Uint8Array, at: number, endsAtEquals: boolean): number {
    const bytes = this.#bytes;
    let to = at;
    for (let from = this.#wordStart; from < this.#wordEnd; from++) {
      const isEscaping =
        bytes[from] === BACKSLASH && from + 1 < this.#wordEnd && isEscape(bytes[from + 1]!, endsAtEquals);
      if (isEscaping) from++;
      target[to++] = bytes[from]!;
    }
    return to;
  }

  #isNewTag(): boolean {
    if (this.#tags === MAX_TAGS) return this.#wrong(`it has more than ${MAX_TAGS} tags`);
    const bytes = this.#bytes;
    const [start, end] = [this.#wordStart, this.#wordEnd];
    for (let tag = 0; tag < this.#tags; tag++) {
      const other = this.#tagStarts[tag]!;
      if (this.#tagEnds[tag]! - other !== end - start) continue;
      let same = 0;
      while (start + same < end && bytes[start + same] === bytes[other + same]) same++;
      if (start + same === end) return this.#wrong('a tag comes twice');
    }
    this.#tagStarts[this.#tags] = start;
    this.#tagEnds[this.#tags++] = end;
    return true;
  }

  #isWord(text: Uint8Array): boolean {
    if (this.#wordEnd - this.#wordStart !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.#bytes[this.#wordStart + i] !== text[i]) return false;
    return true;
  }

  #is(byte: number): boolean {
    return this.at < this.#end && this.#bytes[this.at] === byte;
  }

  #isLineEnd(): boolean {
    return this.at >= this.#end || this.#bytes[this.at] === LINE_FEED;
  }

  #isBehindValue(): boolean {
    return this.#isLineEnd() || this.#bytes[this.at] === COMMA || isSpace(this.#bytes[this.at]!);
  }

  #skipSpace(): void {
    while (this.at < this.#end && isSpace(this.#bytes[this.at]!)) this.at++;
  }

  /** Goes behind the next line feed. */
  #skipLine(): void {
    const feed = this.#bytes.indexOf(LINE_FEED, this.at);
    this.at = feed < 0 || feed >= this.#end ? this.#end : feed + 1;
  }

  #wrong(problem: string): false {
    this.problem = problem;
    return false;
  }

  #room(length: number): Uint8Array {
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length * 2);
    return this.#scratch;
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN;
}

/** Whether a backslash before this byte escapes it. */
function isEscape(byte: number, endsAtEquals: boolean): boolean {
  return byte === COMMA || byte === SPACE || (byte === EQUALS && endsAtEquals);
}
