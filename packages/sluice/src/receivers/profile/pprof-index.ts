import { FieldScan } from '../field-scan.ts';

/** Bounds of repeated messages, in the order they came: start, end, start, end ... */
export class Spans {
  #bounds = new Uint32Array(64);
  count = 0;

  add(start: number, end: number): void {
    if (this.count * 2 === this.#bounds.length) {
      const larger = new Uint32Array(this.#bounds.length * 2);
      larger.set(this.#bounds);
      this.#bounds = larger;
    }
    this.#bounds[this.count * 2] = start;
    this.#bounds[this.count++ * 2 + 1] = end;
  }

  start(index: number): number {
    return this.#bounds[index * 2]!;
  }

  end(index: number): number {
    return this.#bounds[index * 2 + 1]!;
  }
}

/** What stands where in a pprof message: samples come before the strings, functions and locations that they refer to. */
export interface PprofIndex {
  readonly sampleTypes: Spans;
  readonly samples: Spans;
  readonly locations: Spans;
  readonly functions: Spans;
  readonly strings: Spans;
  /** Nanoseconds since 1970, as halves; 0 = the profile does not say. */
  readonly timeLow: number;
  readonly timeHigh: number;
}

/** Messages and strings of one profile. */
const MOST = 2_000_000;

const TIME = 9;

/**
 * Profile (perftools.profiles): 1 sample_type | 2 sample | 4 location | 5 function | 6 string_table | 9 time_nanos
 */
export function indexPprof(bytes: Uint8Array): PprofIndex | 'malformed' | 'too_large' {
  const [sampleTypes, samples, locations, functions, strings] = Array.from({ length: 5 }, () => new Spans()) as [
    Spans,
    Spans,
    Spans,
    Spans,
    Spans,
  ];
  const byField = [undefined, sampleTypes, samples, undefined, locations, functions, strings];
  const scan = new FieldScan();
  let [timeLow, timeHigh, count] = [0, 0, 0];
  scan.begin(bytes, 0, bytes.length);
  while (scan.next()) {
    if (scan.field === TIME) {
      if (scan.wireType !== 0) return 'malformed';
      timeLow = scan.low;
      timeHigh = scan.high;
    }
    const spans = byField[scan.field];
    if (spans === undefined) continue;
    if (scan.wireType !== 2) return 'malformed';
    if (++count > MOST) return 'too_large';
    spans.add(scan.start, scan.end);
  }
  return scan.isMalformed ? 'malformed' : { sampleTypes, samples, locations, functions, strings, timeLow, timeHigh };
}
