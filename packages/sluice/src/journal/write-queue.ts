import { SluiceError, errorText } from '../base/errors.ts';
import type { AppendOptions } from '../base/ports.ts';
import { batchBytes, type Batch } from '../batch/batch.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import { writeFailure } from './files.ts';
import { encodeBlocks, groupBatches, type BlockLimits } from './group-batches.ts';
import type { Limits } from './limits.ts';
import type { MemoryTail } from './memory-tail.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Partitions } from './partitions.ts';

export interface WriteQueueOptions {
  readonly partitions: Partitions;
  readonly limits: Limits;
  readonly tail: MemoryTail;
  /** Tables that some open reader wants in memory. */
  readonly wanted: (table: string) => boolean;
  readonly block: BlockLimits;
  /** Acknowledge after an fsync. */
  readonly always: boolean;
  /** Bytes that storage has not taken. */
  readonly backlogBytes: () => number;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
}

interface Input {
  readonly batches: readonly Batch[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Inputs on their way into the segments. What comes within one turn of the event loop is written together: one block a table.
 *
 * When a block cannot be written, every input of the group is rejected. Blocks of the group that were written before stay: they reach storage, and
 * again when the sender repeats its input. Towards the sender the journal is at-least-once.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #appends: Record<'taken' | 'refused' | 'failed', { inc(count?: number): void }>;
  readonly #complain: (log: (suppressed: number) => void) => void;
  #inputs: Input[] = [];
  #bytes = 0;
  #scheduled = false;
  #stopping = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    const counter = options.metrics.journalAppends;
    this.#appends = {
      taken: counter.labels('taken'),
      refused: counter.labels('refused'),
      failed: counter.labels('failed'),
    };
    this.#complain = rateLimited(10_000, () => options.clock.monotonicMs());
  }

  refusal(bytes: number, { beyondLimit = false }: AppendOptions = {}): SluiceError | undefined {
    if (this.#stopping) {
      return new SluiceError('stopping', 'cannot take input: the hub is stopping; try again when it runs', {
        retryAfterMs: 5000,
      });
    }
    const backlog = beyondLimit ? -Infinity : this.#options.backlogBytes();
    return this.#options.limits.refusal(bytes, this.#bytes, backlog);
  }

  append(batches: readonly Batch[], options?: AppendOptions): Promise<void> {
    let bytes = 0;
    let rows = 0;
    for (const batch of batches) {
      if (batch.columns.length !== batch.source.columns.length) {
        const { id, columns } = batch.source;
        const found = `BUG: a Batch of ${id} has ${batch.columns.length} columns; expected ${columns.length}`;
        return Promise.reject(new Error(found));
      }
      rows += batch.rows;
      bytes += batchBytes(batch);
    }
    const refusal = this.refusal(bytes, options);
    if (refusal !== undefined) {
      this.#appends.refused.inc();
      return Promise.reject(refusal);
    }
    if (rows === 0) return Promise.resolve();
    this.#bytes += bytes;
    return new Promise((resolve, reject) => {
      this.#inputs.push({ batches, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.flush());
    });
  }

  /** Writes what is waiting, now. */
  flush(): void {
    this.#scheduled = false;
    const inputs = this.#inputs;
    if (inputs.length === 0) return;
    this.#inputs = [];
    this.#bytes = 0;
    const touched = new Set<PartitionLog>();
    try {
      this.#write(inputs, touched);
    } catch (error) {
      this.#rejectAll(inputs, writeFailure(error, 'the journal'));
      this.#publish(touched);
      return;
    }
    if (!this.#options.always) {
      this.#publish(touched);
      this.#acknowledge(inputs);
      return;
    }
    const ends = [...touched].map((log) => ({ log, row: log.nextRow }));
    this.#options.partitions.syncer.sync().then(
      () => {
        for (const { log, row } of ends) this.#options.partitions.publish(log, row);
        this.#acknowledge(inputs);
      },
      (error: unknown) => this.#rejectAll(inputs, writeFailure(error, 'the journal')),
    );
  }

  /** Further appends are refused. */
  stop(): void {
    this.#stopping = true;
  }

  #write(inputs: readonly Input[], touched: Set<PartitionLog>): void {
    const { partitions, limits, tail, wanted, block } = this.#options;
    for (const { batches } of groupBatches(inputs.map((input) => input.batches))) {
      const log = partitions.of(batches[0]!);
      const { source } = batches[0]!;
      for (const part of encodeBlocks(batches, block)) {
        const firstRow = log.nextRow;
        partitions.write(log, source, part.block, part);
        touched.add(log);
        limits.wrote(part.block.bytes);
        if (!wanted(source.id)) continue;
        let row = firstRow;
        for (const batch of part.batches) {
          tail.add(log, row, batch);
          row += batch.rows;
        }
      }
    }
  }

  /** Without `always`, written is as durable as it gets before the next fsync. */
  #publish(touched: Iterable<PartitionLog>): void {
    if (this.#options.always) return;
    for (const log of touched) this.#options.partitions.publish(log, log.nextRow);
  }

  #acknowledge(inputs: readonly Input[]): void {
    this.#appends.taken.inc(inputs.length);
    for (const input of inputs) input.resolve();
  }

  #rejectAll(inputs: readonly Input[], error: SluiceError): void {
    this.#options.limits.failed();
    this.#appends.failed.inc(inputs.length);
    this.#complain((suppressed) => {
      this.#options.log.error(
        { code: error.code, err: errorText(error), suppressed },
        'the journal cannot be written; inputs are refused',
      );
    });
    for (const input of inputs) input.reject(error);
  }
}
