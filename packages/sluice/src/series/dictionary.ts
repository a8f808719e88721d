import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LinearMemory } from '../base/linear-memory.ts';
import { DictionaryFile, DictionaryFrame } from './dictionary-file.ts';
import type { SeriesTable } from './series-table.ts';

export interface DictionaryOptions {
  readonly path: string;
  readonly table: SeriesTable;
  /** Age in milliseconds at which an announcement may be kept. */
  readonly settleMs: number;
  readonly now: () => number;
}

const FRAME_BYTES = 256 * 1024;
/** The file is rewritten when it is longer than twice what it should hold, and this. */
const OUTDATED_BYTES = 16 * 1024 * 1024;
const RECORD_HEAD_BYTES = 41;
/** So many records say how long one is on average. */
const SAMPLED_RECORDS = 1000;

/** Keeps announced series of a table on disk. All its work on the file is done one after the other. */
export class Dictionary {
  readonly #options: DictionaryOptions;
  readonly #frame: DictionaryFrame = new DictionaryFrame();
  #file: DictionaryFile | undefined;
  #storage = '';
  /** Announced series that are not in the file yet, and since when. */
  #waiting: { series: number; atMs: number }[] = [];
  /** Lower half of the id that the file has for a series number. */
  #kept: Uint32Array = new Uint32Array(1024);
  /** Series records written, and their bytes: how long one is on average. */
  #records = 0;
  #recordBytes = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(options: DictionaryOptions) {
    this.#options = options;
  }

  /** Since when the oldest announcement waits to be written, epoch milliseconds; undefined when none does. */
  get waitingSinceMs(): number | undefined {
    return this.#waiting[0]?.atMs;
  }

  /** Fills the table from the file. */
  async load(): Promise<{ readonly series: number; readonly refused: number; readonly cutBytes: number }> {
    const { table } = this.#options;
    const scratch = new Scratch(table.memory);
    let refused = 0;
    let size = 0;
    const { file, cut } = await DictionaryFile.load(this.#options.path, {
      size: (bytes) => {
        size = bytes;
      },
      series: (entry, bytes, start, end) => {
        if (this.#records === SAMPLED_RECORDS) table.expect((size / this.#recordBytes) * this.#records);
        const address = scratch.put(bytes, start, end);
        const series = address === 0 ? 0 : table.restore(entry, address, address + end - start);
        if (series === 0) refused++;
        else this.#keep(series, RECORD_HEAD_BYTES + end - start);
      },
      announced: (idLow, idHigh, seconds) => table.restoreAnnounced(idLow, idHigh, seconds),
      tags: (tags) => table.restoreTags(tags),
      storage: (identity) => {
        this.#storage = identity;
        table.reannounceAll();
      },
    });
    scratch.release();
    this.#file = file;
    table.onAnnounced = (series) => this.#announced(series);
    return { series: table.active, refused, cutBytes: cut };
  }

  /** See Series.useStorage. */
  async useStorage(identity: string): Promise<void> {
    return this.#queue(async () => {
      if (identity !== this.#storage) await this.#beginStorage(identity);
    });
  }

  /** See Series.reannounceAll. */
  async reannounceAll(): Promise<void> {
    return this.#queue(() => this.#beginStorage(this.#storage));
  }

  /** Who reads the file forgets all announcements before this record. */
  async #beginStorage(identity: string): Promise<void> {
    this.#options.table.reannounceAll();
    this.#waiting = [];
    this.#frame.clear();
    this.#frame.storage(identity);
    await this.#file?.append(this.#frame.finish());
    this.#storage = identity;
  }

  /** Writes announcements that are old enough, all of them with `everything`. */
  async flush(everything = false): Promise<void> {
    return this.#queue(() => this.#flush(everything));
  }

  /** Rewrites the file when most of it is outdated. */
  async compact(): Promise<void> {
    return this.#queue(async () => {
      const { table } = this.#options;
      const expected = this.#records === 0 ? 0 : (this.#recordBytes / this.#records) * table.active;
      if (this.#file === undefined || this.#file.length <= expected * 2 + OUTDATED_BYTES) return;
      await this.#file.replace(this.#allFrames());
    });
  }

  async close(): Promise<void> {
    await this.#queue(async () => {
      await this.#file?.close();
      this.#file = undefined;
    });
  }

  #announced(series: Iterable<number>): void {
    const atMs = this.#options.now();
    for (const number of series) this.#waiting.push({ series: number, atMs });
  }

  async #flush(everything: boolean): Promise<void> {
    const { table, settleMs, now } = this.#options;
    const latest = now() - settleMs;
    let done = 0;
    while (done < this.#waiting.length) {
      this.#frame.clear();
      const from = done;
      while (done < this.#waiting.length && this.#frame.length < FRAME_BYTES) {
        const { series, atMs } = this.#waiting[done]!;
        if (!everything && atMs > latest) break;
        if (table.isActive(series)) this.#put(series);
        done++;
      }
      if (done === from) break;
      try {
        await this.#file?.append(this.#frame.finish());
      } catch (error) {
        // Nothing of this frame is in the file.
        for (const { series } of this.#waiting.slice(from, done)) this.#kept[series] = 0;
        this.#waiting = this.#waiting.slice(from);
        throw error;
      }
      await nextTurn();
    }
    this.#waiting = this.#waiting.slice(done);
  }

  #put(series: number): void {
    const entry = this.#options.table.entry(series);
    if (entry.announcedSeconds === 0) return;
    if (this.#kept[series] === entry.ids[2]) this.#frame.announced(entry.ids[2], entry.ids[3], entry.announcedSeconds);
    else {
      this.#frame.series(entry);
      this.#keep(series, RECORD_HEAD_BYTES + entry.labels.length);
    }
    if (entry.signature !== 0 || entry.agent !== 0) this.#frame.tags(entry);
  }

  async *#allFrames(): AsyncGenerator<Buffer> {
    const { table } = this.#options;
    this.#records = 0;
    this.#recordBytes = 0;
    const kept = this.#kept;
    this.#kept = new Uint32Array(kept.length);
    this.#frame.clear();
    this.#frame.storage(this.#storage);
    for (let series = 1; series < Math.min(table.end, kept.length); series++) {
      if (table.isActive(series) && kept[series] !== 0 && kept[series] === table.ids[series * 4 + 2]) this.#put(series);
      if (this.#frame.length >= FRAME_BYTES) {
        yield this.#frame.finish();
        await nextTurn();
        this.#frame.clear();
      }
    }
    yield this.#frame.finish();
  }

  #keep(series: number, bytes: number): void {
    if (series >= this.#kept.length) {
      const grown = new Uint32Array(Math.ceil(series * 1.5));
      grown.set(this.#kept);
      this.#kept = grown;
    }
    this.#kept[series] = this.#options.table.ids[series * 4 + 2]!;
    this.#records++;
    this.#recordBytes += bytes;
  }

  async #queue(task: () => Promise<void>): Promise<void> {
    const result = this.#work.then(task);
    this.#work = result.catch(() => undefined);
    return result;
  }
}

/** A place in the memory for label bytes on their way into the table. */
class Scratch {
  readonly #memory: LinearMemory;
  readonly #address: number;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
    this.#address = memory.allocate();
  }

  put(bytes: Buffer, start: number, end: number): number {
    if (this.#address !== 0) bytes.copy(this.#memory.bytes, this.#address, start, end);
    return this.#address;
  }

  release(): void {
    if (this.#address !== 0) this.#memory.release(this.#address);
  }
}
