import { errorText } from '../base/errors.ts';
import type { Clock } from '../journal/clock.ts';
import type { BatchReader, JournalBatch } from '../journal/types.ts';
import type { Log } from '../telemetry/log.ts';
import { backOffMs } from './back-off.ts';
import type { ExporterMeter } from './exporter-meter.ts';
import type { LaneGroup, PartitionWay } from './lane-group.ts';
import type { Outlet, UnfitRow } from './outlet.ts';
import type { Pauses } from './pauses.ts';
import type { NewRejected } from './rejected-format.ts';
import { StepSize } from './step-size.ts';
import type { Trouble } from './trouble.ts';
import type { EncodePass, Exporter } from './types.ts';

export interface ReadingOptions {
  readonly exporter: Exporter;
  readonly reader: BatchReader;
  readonly lanes: LaneGroup;
  readonly meter: ExporterMeter;
  readonly trouble: Trouble;
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly complain: (log: (suppressed: number) => void) => void;
  readonly keep: (rejected: readonly NewRejected[]) => Promise<boolean>;
  /** No more is to be read. */
  readonly signal: AbortSignal;
  readonly isStopping: () => boolean;
}

const WHO = 'reading';
/** Batches of which all rows were left out take no bytes, but time. */
const MOST_BATCHES_A_TURN = 16;

/** From the journal into the lanes, as far as their bounds allow. */
export class Reading {
  readonly #options: ReadingOptions;
  readonly #steps = new Map<string, StepSize>();
  #turnBytes = 0;
  #turnBatches = 0;
  #turnStartedMs = 0;

  constructor(options: ReadingOptions) {
    this.#options = options;
  }

  /** Resolves when the journal has ended, or reading is aborted. */
  async run(): Promise<void> {
    const { reader, lanes, signal } = this.#options;
    while (!signal.aborted) {
      await lanes.room(() => signal.aborted);
      const next = signal.aborted ? undefined : await reader.next(signal);
      if (next === undefined || !(await this.#take(next))) return;
    }
  }

  async #take({ partition, firstRow, batch }: JournalBatch): Promise<boolean> {
    const { exporter, lanes, meter, clock } = this.#options;
    meter.received(partition.table, batch.rows);
    if (!(await this.#prepare({ partition, firstRow, batch }))) return false;
    const way = lanes.way(partition, firstRow);
    let pass: EncodePass;
    try {
      pass = exporter.begin(batch, firstRow, clock.epochMs());
    } catch (error) {
      return this.#giveUpRows({ partition, firstRow, batch }, error, way);
    }
    meter.leftOut(partition.table, pass.left);
    return this.#encode(pass, { partition, firstRow, batch }, way);
  }

  async #encode(pass: EncodePass, { partition, firstRow, batch }: JournalBatch, way: PartitionWay): Promise<boolean> {
    const { lanes, meter, signal, clock, keep } = this.#options;
    const { rows } = pass;
    const { table } = partition;
    let step = this.#steps.get(table);
    if (step === undefined) this.#steps.set(table, (step = new StepSize()));
    let from = 0;
    for (;;) {
      // Rows before the next one to encode were left out.
      way.progress.advance(firstRow + (rows[from] ?? batch.rows));
      way.outlet.confirm();
      await this.#turn(from >= rows.length);
      if (from >= rows.length) return true;
      await lanes.room(() => signal.aborted);
      if (signal.aborted) return false;
      const to = Math.min(rows.length, from + step.rows);
      const startedMs = clock.monotonicMs();
      const done = this.#step(pass, { from, to, firstRow }, way.outlet);
      step.took(to - from, done.bytes, clock.monotonicMs() - startedMs);
      this.#turnBytes += done.bytes;
      meter.encoded(table, done.items);
      lanes.stepped();
      if (done.unfit.length > 0) {
        const unfit = done.unfit.map(({ row, why, text }) => ({
          partition,
          row,
          rowTimeMs: Number.NaN,
          reason: 'encode' as const,
          why,
          head: undefined,
          body: undefined,
          text,
        }));
        meter.rejected(table, 'encode', unfit.length);
        this.#options.trouble.note(unfit[0]!.why);
        if (!(await keep(unfit))) return false;
      }
      from = to;
    }
  }

  /** One step; when it fails, row by row, so that only the guilty one is left behind. */
  #step(
    pass: EncodePass,
    { from, to, firstRow }: { readonly from: number; readonly to: number; readonly firstRow: number },
    outlet: Outlet,
  ): { readonly items: number; readonly bytes: number; readonly unfit: readonly UnfitRow[] } {
    try {
      pass.encode(from, to, outlet);
      return { ...outlet.endStep(), unfit: outlet.takeUnfit() };
    } catch (error) {
      outlet.undoStep();
      const { log, exporter, complain } = this.#options;
      complain((suppressed) => {
        log.error({ exporter: exporter.name, err: error, suppressed }, 'BUG: an encoder failed; please report it');
      });
      if (to - from === 1) {
        const row = firstRow + pass.rows[from]!;
        return { items: 0, bytes: 0, unfit: [{ row, why: `BUG: ${errorText(error)}`, text: '' }] };
      }
    }
    let [items, bytes] = [0, 0];
    const unfit: UnfitRow[] = [];
    for (let at = from; at < to; at++) {
      const done = this.#step(pass, { from: at, to: at + 1, firstRow }, outlet);
      items += done.items;
      bytes += done.bytes;
      unfit.push(...done.unfit);
    }
    return { items, bytes, unfit };
  }

  async #prepare({ batch }: JournalBatch): Promise<boolean> {
    const { exporter, trouble, pauses, random, isStopping } = this.#options;
    for (let failures = 1; exporter.prepare !== undefined; failures++) {
      try {
        await exporter.prepare(batch);
        break;
      } catch (error) {
        trouble.failed(WHO, `cannot prepare rows: ${errorText(error)}`);
        if (isStopping()) return false;
        await pauses.wait(backOffMs({ retry: exporter.settings.retry, failures, random }));
        if (isStopping()) return false;
      }
    }
    trouble.recovered(WHO);
    return true;
  }

  /** The rows of a Batch that the exporter cannot even judge: one entry in rejected/ tells of them. */
  async #giveUpRows({ partition, firstRow, batch }: JournalBatch, error: unknown, way: PartitionWay): Promise<boolean> {
    const { exporter, log, meter, keep, trouble } = this.#options;
    const { table } = partition;
    const why = `BUG: ${errorText(error)}; rows ${firstRow} to ${firstRow + batch.rows - 1} were not exported`;
    log.error(
      { exporter: exporter.name, table, rows: batch.rows, err: error },
      'BUG: an exporter failed; please report it',
    );
    meter.dropped(table, 'bug', batch.rows);
    trouble.note(why);
    const note = { partition, row: firstRow, rowTimeMs: batch.minTime, reason: 'encode', why } as const;
    if (!(await keep([{ ...note, head: undefined, body: undefined, text: '' }]))) return false;
    way.progress.advance(firstRow + batch.rows);
    way.outlet.confirm();
    return true;
  }

  /** Lets others have their turn when enough was done. */
  async #turn(isBatchEnd: boolean): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (isBatchEnd) this.#turnBatches++;
    const isDue =
      StepSize.isDue(this.#turnBytes, now - this.#turnStartedMs) || this.#turnBatches >= MOST_BATCHES_A_TURN;
    if (!isDue) return;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    this.#turnBytes = 0;
    this.#turnBatches = 0;
    this.#turnStartedMs = this.#options.clock.monotonicMs();
  }
}
