import type { LinearMemory } from '../../base/linear-memory.ts';
import { WireReader } from './wire-reader.ts';

/**
 * Reads Sample messages, which 1.0 and 2.0 share: 1 value, double | 2 timestamp, int64 ms | 3 start timestamp (2.0, not kept). Time and value are
 * left as unsigned halves: a double that went through a number could lose the bits of a stale marker.
 */
export class SampleReader {
  timeLow = 0;
  timeHigh = 0;
  valueLow = 0;
  valueHigh = 0;
  readonly #reader: WireReader;

  constructor(memory: LinearMemory) {
    this.#reader = new WireReader(memory);
  }

  refresh(): void {
    this.#reader.refresh();
  }

  /** Reads the message [start, end). Throws `bad_request` when it is malformed. */
  read(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    this.timeLow = 0;
    this.timeHigh = 0;
    this.valueLow = 0;
    this.valueHigh = 0;
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x09) {
        reader.fixed64(end);
        this.valueLow = reader.low;
        this.valueHigh = reader.high;
      } else if (tag === 0x10) {
        reader.varint(end);
        this.timeLow = reader.low;
        this.timeHigh = reader.high;
      } else reader.skipUnknown(tag, end, tag >>> 3 <= 2);
    }
  }
}
