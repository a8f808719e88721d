import type { PointCounts } from './codec/tally.ts';

/** Why points were dropped without being refused by the receiver. */
export type DropReason =
  /** The queue was full (`drop-oldest`, `drop-newest`). */
  | 'queue_full'
  /** Older than `sampleAgeLimit`. */
  | 'too_old'
  /** Left out by `validation: 'sanitize'`. */
  | 'invalid'
  /** Custom-bucket histograms that 1.0 cannot carry. */
  | 'nhcb_in_rw1_not_supported'
  /** Still pending when `close` ran out of time. */
  | 'shutdown';

/** Counts by reason. */
export type DropCounts = Readonly<Record<DropReason, number>>;

/**
 * Counters of a queue, named after Prometheus' `prometheus_remote_storage_*` metrics. They only grow, except those
 * that end in `Pending`.
 */
export interface QueueCounters {
  /** Samples sent, whatever became of them; each once, however often it was retried. */
  readonly samplesTotal: number;
  readonly histogramsTotal: number;
  readonly exemplarsTotal: number;
  /** Samples that the receiver refused for good or, in 2.0, reported as not written. */
  readonly samplesFailedTotal: number;
  readonly histogramsFailedTotal: number;
  readonly exemplarsFailedTotal: number;
  /** Samples sent again after a recoverable error, once for every time. */
  readonly samplesRetriedTotal: number;
  readonly histogramsRetriedTotal: number;
  readonly exemplarsRetriedTotal: number;
  /** Samples dropped before they could be sent, by reason. */
  readonly samplesDroppedTotal: DropCounts;
  readonly histogramsDroppedTotal: DropCounts;
  readonly exemplarsDroppedTotal: DropCounts;
  /** Samples waiting or being sent now. */
  readonly samplesPending: number;
  readonly histogramsPending: number;
  readonly exemplarsPending: number;
  /** Bytes of accepted requests, compressed. */
  readonly bytesTotal: number;
  /** Batches finished, and the milliseconds from first attempt to end, waits included. */
  readonly sentBatchDuration: { readonly count: number; readonly sumMs: number };
  /** Highest timestamp accepted by the receiver, in milliseconds since 1970; -Infinity before the first. */
  readonly queueHighestSentTimestamp: number;
  /** Shards in use. */
  readonly shards: number;
}

const KINDS = ['samples', 'histograms', 'exemplars'] as const;

/** Keeps the counters of a queue. */
export class CounterStore {
  readonly #total = zero();
  readonly #failed = zero();
  readonly #retried = zero();
  readonly #pending = zero();
  readonly #dropped = {
    queue_full: zero(),
    too_old: zero(),
    invalid: zero(),
    nhcb_in_rw1_not_supported: zero(),
    shutdown: zero(),
  };
  #bytes = 0;
  #batches = 0;
  #batchMs = 0;
  #highest = Number.NEGATIVE_INFINITY;

  appended(counts: PointCounts): void {
    add(this.#pending, counts, 1);
  }

  /** Points have left the queue, for whatever reason. */
  left(counts: PointCounts): void {
    add(this.#pending, counts, -1);
  }

  dropped(reason: DropReason, counts: PointCounts): void {
    add(this.#dropped[reason], counts, 1);
  }

  sent(counts: PointCounts): void {
    add(this.#total, counts, 1);
  }

  failed(counts: PointCounts): void {
    add(this.#failed, counts, 1);
  }

  retried(counts: PointCounts): void {
    add(this.#retried, counts, 1);
  }

  accepted(bytes: number, highestTimestamp: number): void {
    this.#bytes += bytes;
    this.#highest = Math.max(this.#highest, highestTimestamp);
  }

  batchDone(milliseconds: number): void {
    this.#batches++;
    this.#batchMs += milliseconds;
  }

  snapshot(shards: number): QueueCounters {
    const dropped = (kind: keyof PointCounts): DropCounts => ({
      queue_full: this.#dropped.queue_full[kind],
      too_old: this.#dropped.too_old[kind],
      invalid: this.#dropped.invalid[kind],
      nhcb_in_rw1_not_supported: this.#dropped.nhcb_in_rw1_not_supported[kind],
      shutdown: this.#dropped.shutdown[kind],
    });
    return {
      samplesTotal: this.#total.samples,
      histogramsTotal: this.#total.histograms,
      exemplarsTotal: this.#total.exemplars,
      samplesFailedTotal: this.#failed.samples,
      histogramsFailedTotal: this.#failed.histograms,
      exemplarsFailedTotal: this.#failed.exemplars,
      samplesRetriedTotal: this.#retried.samples,
      histogramsRetriedTotal: this.#retried.histograms,
      exemplarsRetriedTotal: this.#retried.exemplars,
      samplesDroppedTotal: dropped('samples'),
      histogramsDroppedTotal: dropped('histograms'),
      exemplarsDroppedTotal: dropped('exemplars'),
      samplesPending: this.#pending.samples,
      histogramsPending: this.#pending.histograms,
      exemplarsPending: this.#pending.exemplars,
      bytesTotal: this.#bytes,
      sentBatchDuration: { count: this.#batches, sumMs: this.#batchMs },
      queueHighestSentTimestamp: this.#highest,
      shards,
    };
  }
}

function zero(): PointCounts {
  return { samples: 0, histograms: 0, exemplars: 0 };
}

function add(target: PointCounts, counts: PointCounts, factor: 1 | -1): void {
  for (const kind of KINDS) target[kind] += counts[kind] * factor;
}
