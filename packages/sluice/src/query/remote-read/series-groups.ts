import type { FoundSeries } from '../series-lookup.ts';

/** Ids of a group stand in one statement, which must stay below the database's 256 KiB. */
const MOST_SERIES = 4096;
/** First guess at a series: its labels, and a sample every 15 s at 2 bytes. */
const LABEL_BYTES = 256;
const SAMPLE_INTERVAL_MS = 15_000;
const SAMPLE_BYTES = 2;

/** Cuts a sorted list of series into groups whose answers fit into a buffer, learning from each group how much a series takes. */
export class SeriesGroups {
  readonly #series: readonly FoundSeries[];
  readonly #bufferBytes: number;
  #bytesPerSeries: number;
  #at = 0;
  #size = 0;

  constructor(series: readonly FoundSeries[], rangeMs: number, bufferBytes: number) {
    this.#series = series;
    this.#bufferBytes = bufferBytes;
    this.#bytesPerSeries = LABEL_BYTES + (Math.max(rangeMs, 0) / SAMPLE_INTERVAL_MS) * SAMPLE_BYTES;
  }

  /** The next group; empty at the end. */
  next(): readonly FoundSeries[] {
    // Half the buffer: the guess may be low.
    const fitting = Math.floor(this.#bufferBytes / 2 / this.#bytesPerSeries);
    this.#size = Math.min(Math.max(fitting, 1), MOST_SERIES, this.#series.length - this.#at);
    return this.#series.slice(this.#at, this.#at + this.#size);
  }

  /** The group is answered and took so many bytes. */
  done(bytes: number): void {
    this.#at += this.#size;
    this.#bytesPerSeries = Math.max(bytes / this.#size, LABEL_BYTES);
  }

  /** The group did not fit: `next` gives its first quarter. */
  tooLarge(): void {
    this.#bytesPerSeries = (this.#bufferBytes / 2 / this.#size) * 4;
  }
}
