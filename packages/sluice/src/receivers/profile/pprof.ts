import { FieldScan } from '../field-scan.ts';
import { PprofFrames } from './pprof-frames.ts';
import { indexPprof, type PprofIndex } from './pprof-index.ts';

export interface SampleType {
  readonly type: string;
  readonly unit: string;
}

export interface PprofTag {
  readonly name: string;
  readonly value: string;
}

/** Locations of a stack, and bytes of its text, that are kept: the outermost ones. */
const MOST_LOCATIONS = 1024;
const MOST_TEXT = 64 * 1024;
const MOST_TAGS = 32;
const MOST_TYPES = 64;
/** Bytes of a name of a type, a tag or its value. */
const MOST_WORD = 256;
const SEMICOLON = 0x3b;

/**
 * A profile in the format of pprof (perftools.profiles.Profile), sample by sample:
 *
 *   Sample: 1 location ids, leaf first (packed) | 2 values, one for each sample type (packed, signed) | 3 labels
 *   Label: 1 key | 2 str (numbers of strings); labels with numbers are not read        ValueType: 1 type | 2 unit (numbers of strings)
 */
export class Pprof {
  readonly sampleTypes: readonly SampleType[];
  readonly samples: number;
  /** Nanoseconds since 1970, as halves; 0 = the profile does not say. */
  readonly timeLow: number;
  readonly timeHigh: number;
  /** Of the sample read last: its stack, outermost frame first, as the first `textLength` bytes of `text`. */
  readonly text = new Uint8Array(MOST_TEXT);
  textLength = 0;
  /** Its values, by sample type, as halves of signed numbers. */
  readonly valueLow: Uint32Array;
  readonly valueHigh: Uint32Array;
  readonly tags: PprofTag[] = [];
  /** Stacks of which frames were cut off. */
  cut = 0;

  readonly #bytes: Uint8Array;
  readonly #index: PprofIndex;
  readonly #frames: PprofFrames;
  readonly #scan = new FieldScan();
  readonly #label = new FieldScan();
  readonly #packed = new FieldScan();
  #locations = new Int32Array(256);
  #depth = 0;
  #values = 0;

  private constructor(bytes: Uint8Array, index: PprofIndex, frames: PprofFrames) {
    this.#bytes = bytes;
    this.#index = index;
    this.#frames = frames;
    this.samples = index.samples.count;
    this.timeLow = index.timeLow;
    this.timeHigh = index.timeHigh;
    this.sampleTypes = Array.from({ length: index.sampleTypes.count }, (_, i) => this.#sampleType(i));
    this.valueLow = new Uint32Array(this.sampleTypes.length);
    this.valueHigh = new Uint32Array(this.sampleTypes.length);
  }

  /** Opens an uncompressed profile. What has no sample type is none. */
  static open(bytes: Uint8Array): Pprof | 'malformed' | 'too_large' {
    const index = indexPprof(bytes);
    if (typeof index === 'string') return index;
    if (index.sampleTypes.count === 0 || index.sampleTypes.count > MOST_TYPES) return 'malformed';
    const frames = new PprofFrames(bytes, index);
    return frames.open() ? new Pprof(bytes, index, frames) : 'malformed';
  }

  /** Whether its functions' names take too much memory: it cannot be read as a whole. */
  get isTooLarge(): boolean {
    return this.#frames.fault === 'too_large';
  }

  /** Reads a sample by its number; false when it is malformed, has no location or one that there is not, and when the profile is too large. */
  read(sample: number): boolean {
    const scan = this.#scan;
    this.#depth = 0;
    this.#values = 0;
    this.tags.length = 0;
    this.valueLow.fill(0);
    this.valueHigh.fill(0);
    scan.begin(this.#bytes, this.#index.samples.start(sample), this.#index.samples.end(sample));
    while (scan.next()) {
      const isSound =
        scan.field === 1 || scan.field === 2
          ? this.#readNumbers(scan)
          : scan.field !== 3 || (scan.wireType === 2 && this.#readLabel(scan.start, scan.end));
      if (!isSound) return false;
    }
    return !scan.isMalformed && this.#values === this.sampleTypes.length && this.#depth > 0 && this.#writeText();
  }

  #readNumbers({ field, wireType, low, high, start, end }: FieldScan): boolean {
    if (wireType === 0) return this.#take(field, low, high);
    if (wireType !== 2) return false;
    const packed = this.#packed;
    packed.begin(this.#bytes, start, end);
    while (packed.nextPacked()) if (!this.#take(field, packed.low, packed.high)) return false;
    return !packed.isMalformed;
  }

  #take(field: number, low: number, high: number): boolean {
    if (field === 2) {
      if (this.#values === this.sampleTypes.length) return false;
      this.valueLow[this.#values] = low;
      this.valueHigh[this.#values++] = high;
      return true;
    }
    const location = this.#frames.location(low, high);
    if (location < 0) return false;
    if (this.#depth === this.#locations.length) {
      const larger = new Int32Array(this.#depth * 2);
      larger.set(this.#locations);
      this.#locations = larger;
    }
    this.#locations[this.#depth++] = location;
    return true;
  }

  #readLabel(start: number, end: number): boolean {
    const scan = this.#label;
    let [key, value] = [0, 0];
    scan.begin(this.#bytes, start, end);
    while (scan.next()) {
      if (scan.wireType !== 0 || scan.high !== 0) continue;
      if (scan.field === 1) key = scan.low;
      else if (scan.field === 2) value = scan.low;
    }
    if (scan.isMalformed) return false;
    if (value !== 0 && this.tags.length < MOST_TAGS)
      this.tags.push({ name: this.#string(key), value: this.#string(value) });
    return true;
  }

  #writeText(): boolean {
    let length = 0;
    let left = this.#depth;
    const last = Math.max(0, this.#depth - MOST_LOCATIONS);
    while (left > last) {
      const frame = this.#frames.text(this.#locations[left - 1]!);
      if (frame === undefined) return false;
      if (length + 1 + frame.length > MOST_TEXT) break;
      if (length > 0) this.text[length++] = SEMICOLON;
      this.text.set(frame, length);
      length += frame.length;
      left--;
    }
    if (left > 0) this.cut++;
    this.textLength = length;
    return true;
  }

  #sampleType(number: number): SampleType {
    const { sampleTypes } = this.#index;
    const scan = this.#label;
    let [type, unit] = [0, 0];
    scan.begin(this.#bytes, sampleTypes.start(number), sampleTypes.end(number));
    while (scan.next()) {
      if (scan.wireType !== 0 || scan.high !== 0) continue;
      if (scan.field === 1) type = scan.low;
      else if (scan.field === 2) unit = scan.low;
    }
    return { type: this.#string(type), unit: this.#string(unit) };
  }

  #string(number: number): string {
    const { buffer, byteOffset, byteLength } = this.#frames.string(number);
    return Buffer.from(buffer, byteOffset, Math.min(byteLength, MOST_WORD)).toString();
  }
}
