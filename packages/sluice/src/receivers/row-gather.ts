import { errorText, isSluiceError } from '../base/errors.ts';
import type { Append, Tagger } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import type { RowBlock } from '../batch/row-block.ts';
import type { DataSource } from '../catalog/types.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type AcceptWindow, openWindow } from './accept-window.ts';
import { BlockPool } from './block-pool.ts';
import type { RowTarget } from './row-target.ts';

export interface RowGatherOptions {
  /** Label `input` of the metrics. */
  readonly input: string;
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  /** Organisations whose rows are taken; those of others are counted and dropped. */
  readonly organisations: readonly number[];
  /** How far before and after now rows of a table may lie. */
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly limits?: Partial<GatherLimits>;
}

export interface GatherLimits {
  /** Longest time that a row waits for others. */
  readonly gatherMs: number;
  /** A block is appended when it has so many rows ... */
  readonly blockRows: number;
  /** ... or bytes. */
  readonly blockBytes: number;
  /** Bytes of blocks waiting for the journal above which `pressure` begins; it ends below half of it. */
  readonly waitingBytes: number;
  /** First and longest pause between attempts while the journal refuses. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

/**
 * Blocks of a thousand rows stay in the processor's cache: decoding takes a tenth less time than in larger ones. One less than a power of two: the row
 * behind the last one has to fit as well, and blocks grow by doubling.
 */
const LIMITS: GatherLimits = {
  gatherMs: 200,
  blockRows: 1023,
  blockBytes: 4 * 1024 * 1024,
  waitingBytes: 64 * 1024 * 1024,
  retryMs: 100,
  maxRetryMs: 5000,
};

/** Wire bytes after which the sizes of all blocks are looked at. */
const CHECK_BYTES = 256 * 1024;
const TRIM_MS = 60_000;
/** In the place of organisations whose rows are not taken. */
const NOBODY = -1;

/** A block that takes no more rows. */
interface DueBlock {
  readonly block: RowBlock;
  readonly org: number;
  readonly bytes: number;
  batch: Batch | undefined;
}

/**
 * Gathers rows of one kind of input, whoever sent them, and appends them to the journal: a block per table and organisation, tagged, all blocks that
 * are due in one append, one append at a time. What the journal refuses is kept and tried again; meanwhile, and while too much waits, there is
 * `pressure`: nothing more should be decoded until `onRelief`.
 */
export class RowGather implements RowTarget {
  readonly #options: RowGatherOptions;
  readonly #limits: GatherLimits;
  readonly #pool = new BlockPool();
  readonly #organisations: ReadonlySet<number>;
  readonly #open = new Map<number, Map<DataSource, RowBlock>>();
  readonly #complain = rateLimited(10_000);
  readonly #listeners: (() => void)[] = [];
  readonly #trim: NodeJS.Timeout;
  #lastSource: DataSource | undefined;
  #lastOrg = -1;
  #last: RowBlock | undefined;
  #timer: NodeJS.Timeout | undefined;
  #due: DueBlock[] = [];
  #sending: Promise<void> | undefined;
  #scheduled = false;
  #waitingBytes = 0;
  #refused = false;
  #pressure = false;
  #wireBytes = 0;
  /** Blocks that became due, and those that are done with. */
  #retired = 0;
  #released = 0;
  #lostRows = 0;
  #settling: (() => void)[] = [];
  readonly #ended = new AbortController();
  /** Ends the pause between two attempts when the stop begins. */
  readonly #hurry = new AbortController();
  #stopping = false;

  constructor(options: RowGatherOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#organisations = new Set(options.organisations);
    this.#trim = setInterval(() => this.#pool.trim(), TRIM_MS);
    this.#trim.unref();
  }

  block(source: DataSource, org: number): RowBlock {
    const last = this.#last;
    if (last !== undefined && source === this.#lastSource && org === this.#lastOrg) {
      if (last.rows < this.#limits.blockRows) return last;
    }
    return this.#exchange(source, org);
  }

  /** The journal refuses, or too much waits for it. */
  get pressure(): boolean {
    return this.#pressure;
  }

  /** Bytes of rows that wait for the journal. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Calls back whenever `pressure` has ended. */
  onRelief(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** So many bytes of messages were decoded: blocks of large rows become due before they have many. */
  decoded(wireBytes: number): void {
    this.#wireBytes += wireBytes;
    if (this.#wireBytes < CHECK_BYTES) return;
    this.#wireBytes = 0;
    for (const [org, blocks] of this.#open) {
      for (const block of blocks.values()) if (block.bytes >= this.#limits.blockBytes) this.#retire(block, org);
    }
  }

  /** A decoder failed in the middle of a row: wipes out what it left behind. */
  abandon(): void {
    for (const blocks of this.#open.values()) for (const block of blocks.values()) block.abandon();
  }

  /** Resolves when the rows that have been committed by now are in the journal, or dropped because the hub stops. */
  async settled(): Promise<void> {
    this.#retireAll();
    this.#pump();
    const wanted = this.#retired;
    while (this.#released < wanted) await new Promise<void>((resolve) => this.#settling.push(resolve));
  }

  /** Appends what is there, within `deadlineMs`; what the journal has not taken by then is dropped and counted. */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#trim);
    this.#stopping = true;
    this.#hurry.abort();
    const late = setTimeout(() => this.#ended.abort(), deadlineMs);
    this.#retireAll();
    this.#pump();
    while (this.#sending !== undefined) await this.#sending;
    clearTimeout(late);
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lostRows === 0) return;
    this.#options.log.error(
      { input: this.#options.input, rows: this.#lostRows },
      'the journal took no more until the hub had stopped; these rows are lost',
    );
  }

  #exchange(source: DataSource, org: number): RowBlock {
    // All that are not known share their blocks: their number is in the hands of the sender.
    const owner = this.#organisations.has(org) ? org : NOBODY;
    let blocks = this.#open.get(owner);
    if (blocks === undefined) this.#open.set(owner, (blocks = new Map()));
    let block = blocks.get(source);
    if (block !== undefined && block.rows >= this.#limits.blockRows) {
      this.#retire(block, owner);
      block = undefined;
    }
    if (block === undefined) {
      block = this.#pool.take(source);
      openWindow(block, this.#options.accept(source), Date.now());
      blocks.set(source, block);
      this.#timer ??= setTimeout(() => this.#onTimer(), this.#limits.gatherMs);
    }
    this.#lastSource = source;
    this.#lastOrg = org;
    this.#last = block;
    return block;
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#retireAll();
    this.#pump();
  }

  #retireAll(): void {
    for (const [org, blocks] of this.#open) for (const block of blocks.values()) this.#retire(block, org);
  }

  #retire(block: RowBlock, org: number): void {
    const { source } = block;
    this.#open.get(org)?.delete(source);
    if (block === this.#last) this.#last = undefined;
    const { droppedRows } = this.#options.metrics;
    const { input } = this.#options;
    if (block.tooOld > 0) droppedRows.inc({ input, reason: 'too_old' }, block.tooOld);
    if (block.tooNew > 0) droppedRows.inc({ input, reason: 'too_new' }, block.tooNew);
    if (org === NOBODY) {
      droppedRows.inc({ input, reason: 'organisation' }, block.rows);
      this.#pool.give(block);
      return;
    }
    if (block.rows === 0) {
      this.#pool.give(block);
      return;
    }
    const { bytes } = block;
    this.#waitingBytes += bytes;
    this.#due.push({ block, org, bytes, batch: undefined });
    this.#retired++;
    this.#judge();
    if (this.#scheduled) return;
    // Later in this turn of the event loop: a message may make several blocks due.
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#sending !== undefined || this.#due.length === 0) return;
    const due = this.#due;
    this.#due = [];
    this.#sending = this.#send(due).then(() => {
      this.#sending = undefined;
      this.#refused = false;
      this.#judge();
      this.#pump();
    });
  }

  /** Ends when the blocks are in the journal, or dropped and counted. */
  async #send(due: readonly DueBlock[]): Promise<void> {
    let pauseMs = this.#limits.retryMs;
    for (;;) {
      try {
        // Agents do not send again: at the end the journal's limit counts less than their rows.
        const options = { beyondLimit: this.#stopping };
        await this.#options.append(
          due.map((one) => this.#batchOf(one)),
          options,
        );
        this.#release(due, undefined);
        return;
      } catch (error) {
        if (!isSluiceError(error)) return this.#sendAlone(due, error);
        if (error.code === 'too_large' && due.length === 1) return this.#drop(due, error);
        this.#refused = true;
        this.#judge();
        if ((error.code === 'journal_full' || error.code === 'too_large') && due.length > 1)
          return this.#sendHalves(due);
        this.#complain((suppressed) =>
          this.#options.log.warn(
            { input: this.#options.input, code: error.code, cause: errorText(error), suppressed },
            'the journal refuses rows; they are kept, and nothing more is read until it takes them',
          ),
        );
      }
      const wasStopping = this.#stopping;
      const stop = wasStopping ? this.#ended.signal : this.#hurry.signal;
      if (!(await pause(pauseMs, stop)) && wasStopping) {
        this.#release(due, 'stopping');
        return;
      }
      pauseMs = Math.min(pauseMs * 2, this.#limits.maxRetryMs);
    }
  }

  /** There may be room for a part; and what is more than the whole journal takes would wait forever. In order, as before. */
  async #sendHalves(due: readonly DueBlock[]): Promise<void> {
    const middle = due.length >> 1;
    await this.#send(due.slice(0, middle));
    await this.#send(due.slice(middle));
  }

  /** One block is more than the whole journal takes: it would wait forever, and everything behind it. */
  #drop(due: readonly DueBlock[], error: Error): void {
    for (const { block } of due) {
      this.#complain((suppressed) =>
        this.#options.log.error(
          { table: block.source.id, rows: block.rows, cause: errorText(error), suppressed },
          'rows are dropped: the journal will never take so many bytes at once',
        ),
      );
    }
    this.#release(due, 'too_large');
  }

  /** Something is wrong with the rows themselves: each block goes alone, so that the others get through. */
  async #sendAlone(due: readonly DueBlock[], error: unknown): Promise<void> {
    if (due.length > 1) {
      for (const one of due) await this.#send([one]);
      return;
    }
    const [one] = due;
    if (one === undefined) return;
    this.#options.log.error(
      { table: one.block.source.id, rows: one.block.rows, cause: errorText(error) },
      'BUG: rows cannot be appended; they are dropped',
    );
    this.#release(due, 'bug');
  }

  #batchOf(one: DueBlock): Batch {
    if (one.batch === undefined) {
      const { block, org } = one;
      this.#options.tagger(block, org);
      one.batch = block.finish(org);
    }
    return one.batch;
  }

  #release(due: readonly DueBlock[], dropped: string | undefined): void {
    const { input, metrics } = this.#options;
    for (const { block, bytes } of due) {
      if (dropped === undefined) metrics.receivedRows.inc({ input, table: block.source.id }, block.rows);
      else metrics.droppedRows.inc({ input, reason: dropped }, block.rows);
      // Nobody can read the metric any more.
      if (dropped === 'stopping') this.#lostRows += block.rows;
      this.#waitingBytes -= bytes;
      this.#pool.give(block);
    }
    this.#released += due.length;
    const settling = this.#settling;
    this.#settling = [];
    for (const resolve of settling) resolve();
  }

  #judge(): void {
    const { waitingBytes } = this.#limits;
    const isHigh = this.#waitingBytes > (this.#pressure ? waitingBytes / 2 : waitingBytes);
    const before = this.#pressure;
    this.#pressure = (this.#refused || isHigh) && !this.#ended.signal.aborted;
    const { agentPaused, agentWaiting } = this.#options.metrics;
    agentWaiting.set(this.#waitingBytes);
    agentPaused.set(this.#pressure ? 1 : 0);
    if (before && !this.#pressure) for (const listener of this.#listeners) listener();
  }
}

/** Waits; false when aborted before or meanwhile. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (isOver: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      resolve(isOver);
    };
    const aborted = () => end(false);
    const timer = setTimeout(end, ms, true);
    signal.addEventListener('abort', aborted);
  });
}
