import { BoundsList } from '../bounds-list.ts';
import { FieldScan } from '../field-scan.ts';

/** What stands where in a pprof message: samples come before the strings, functions and locations that they refer to. */
export interface PprofIndex {
  readonly sampleTypes: BoundsList;
  readonly samples: BoundsList;
  readonly locations: BoundsList;
  readonly functions: BoundsList;
  readonly strings: BoundsList;
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
  const sampleTypes = new BoundsList();
  const samples = new BoundsList();
  const locations = new BoundsList();
  const functions = new BoundsList();
  const strings = new BoundsList();
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
    const list = byField[scan.field];
    if (list === undefined) continue;
    if (scan.wireType !== 2) return 'malformed';
    if (++count > MOST) return 'too_large';
    list.add(scan.start, scan.end);
  }
  return scan.isMalformed ? 'malformed' : { sampleTypes, samples, locations, functions, strings, timeLow, timeHigh };
}
