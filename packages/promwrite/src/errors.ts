/** What a receiver reported, or the sender counted, as written. */
export interface WriteStats {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /**
   * True if the receiver itself reported the counts (2.0, `X-Prometheus-Remote-Write-*-Written`). False for 1.0, whose
   * answers carry none: after a success the counts are then what was sent.
   */
  readonly confirmed: boolean;
}

/** The facts of a {@link WriteError}. */
export interface WriteErrorDetails {
  readonly statusCode?: number | undefined;
  readonly body?: string | undefined;
  readonly retryable?: boolean | undefined;
  readonly attempts?: number | undefined;
  readonly stats?: WriteStats | undefined;
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

const NOTHING_WRITTEN: WriteStats = Object.freeze({ samples: 0, histograms: 0, exemplars: 0, confirmed: false });

/**
 * A write failed: the receiver answered with anything but a 2xx, or could not be reached. Messages name the endpoint
 * without its user, password and query, and never contain headers.
 */
export class WriteError extends Error {
  override name = 'WriteError';
  /** HTTP status; `undefined` if there was no answer. */
  readonly statusCode: number | undefined;
  /** Beginning of the receiver's answer, verbatim, at most `maxErrorBodyBytes`; '' if there was none. */
  readonly body: string;
  /** True if the same request may succeed later: no answer, 5xx, 429. Section 1.4. */
  readonly retryable: boolean;
  /** Number of requests made, the failed one included. */
  readonly attempts: number;
  /** What was written nonetheless: a 2.0 receiver may take part of a request (section 2.5). */
  readonly stats: WriteStats;
  /** The receiver's wish, in milliseconds from its answer on; `undefined` if it had none or one in the past. */
  readonly retryAfter: number | undefined;

  constructor(message: string, details: WriteErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.statusCode = details.statusCode;
    this.body = details.body ?? '';
    this.retryable = details.retryable ?? false;
    this.attempts = details.attempts ?? 0;
    this.stats = details.stats ?? NOTHING_WRITTEN;
    this.retryAfter = details.retryAfter;
  }
}

/** No complete answer within `timeout` milliseconds, in any attempt. The receiver may have taken the data. */
export class WriteTimeoutError extends WriteError {
  override name = 'WriteTimeoutError';
}

/** The caller's signal aborted the write, or the client was closed. `cause` is the signal's reason. */
export class WriteAbortedError extends WriteError {
  override name = 'WriteAbortedError';
}

/** A queue with `overflow: 'error'` has no room; nothing of the appended series was taken. */
export class WriteQueueFullError extends Error {
  override name = 'WriteQueueFullError';
  /** Capacity of a shard, in samples. */
  readonly capacity: number;

  constructor(capacity: number) {
    super(
      `cannot append to the queue: a shard is full with ${capacity} samples; the receiver is slower than the program: append less, raise capacity or maxShards, or choose another overflow mode`,
    );
    this.capacity = capacity;
  }
}
