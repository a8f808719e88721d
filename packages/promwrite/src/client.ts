/// <reference lib="esnext.disposable" preserve="true" />
/** The client: encodes, negotiates the version, retries. One attempt is made in send.ts. */
import { encodeRequestV2 } from './codec/request-v2-encode.ts';
import { encodeWriteRequest } from './codec/write-request-encode.ts';
import { normalizeSeries, type NormalSeries } from './normal-series.ts';
import { emptyTally, type EncodeTally, type PointCounts } from './codec/tally.ts';
import type { Labels, TimeSeries, WriteRequest } from './codec/time-series.ts';
import { WriteAbortedError, WriteError, type WriteStats } from './errors.ts';
import { checkNumber, checkOptions, type CheckedOptions, type ClientOptions, type RequestEvent } from './options.ts';
import { customHeaders } from './request-headers.ts';
import { isRetried, retryDelay, retryPolicy, sleep, type RetryOptions, type RetryPolicy } from './retry.ts';
import { sanitizeSeries } from './sanitize.ts';
import { displayUrl, sendOnce, type Accepted, type Attempt } from './send.ts';
import { REQUEST_V2, WRITE_REQUEST, type ProtobufMessage } from './wire/headers.ts';
import { compressBlock } from './wire/snappy-encode.ts';
import type { SendOutcome } from './send-outcome.ts';

/** Options of one write; they win over those of the client. */
export interface WriteOptions {
  /** Aborts the write, waiting for a retry included, with a WriteAbortedError. */
  readonly signal?: AbortSignal | undefined;
  /** Headers for this write. Reserved names are refused. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Tenant for this write, sent as `X-Scope-OrgID`. */
  readonly tenant?: string | undefined;
  /** Milliseconds per attempt. */
  readonly timeout?: number | undefined;
  /** Retry rules; what is absent comes from the client. `false` = one attempt only. */
  readonly retry?: RetryOptions | false | undefined;
  /** How often this data was sent before, for callers that retry themselves; becomes the `Retry-Attempt` header. */
  readonly earlierAttempts?: number | undefined;
}

/** What was left out of a write, in numbers of points. */
export interface DroppedCounts {
  /** Left out by `validation: 'sanitize'`. */
  readonly samples: number;
  /** Left out by `sanitize`, and custom-bucket histograms that 1.0 cannot carry. */
  readonly histograms: number;
  /** Left out by `sanitize`. */
  readonly exemplars: number;
  /** Metadata of families without a series in the request, which 2.0 cannot carry. */
  readonly metadata: number;
}

/** The result of a write that the receiver accepted. */
export interface WriteResult {
  /** HTTP status, 2xx. */
  readonly status: number;
  /** Requests made. */
  readonly attempts: number;
  /** The message that was accepted. */
  readonly protobufMessage: ProtobufMessage;
  /** What was written. In 2.0 the receiver's own counts; they may be lower than what was sent. */
  readonly stats: WriteStats;
  /** What was not even sent. */
  readonly dropped: DroppedCounts;
  /** Size of the compressed body in bytes. */
  readonly requestBytes: number;
  /** Duration in milliseconds, retries included. */
  readonly durationMs: number;
}

/** A body ready to be sent, and what it holds. */
interface Encoded {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly message: ProtobufMessage;
  /** `undefined` for bodies encoded by the caller. */
  readonly sent: EncodeTally | undefined;
  readonly dropped: DroppedCounts;
}

const NOTHING_DROPPED: DroppedCounts = Object.freeze({ samples: 0, histograms: 0, exemplars: 0, metadata: 0 });

/**
 * A client for one remote write receiver.
 *
 * Safe for concurrent use. It does not order concurrent writes: samples of one series must be written oldest first
 * (section 1.5), so await each write or use {@link createQueue}.
 */
export class Client {
  readonly #options: CheckedOptions;
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #abort = new AbortController();
  /** What `'auto'` has settled on. */
  #fallenBack = false;
  #closed = false;

  /**
   * @param options the address, or all options. Nothing is sent yet.
   * @throws TypeError or RangeError if an option is invalid.
   */
  constructor(options: string | URL | ClientOptions) {
    this.#options = checkOptions(typeof options === 'string' || options instanceof URL ? { url: options } : options);
  }

  /** The message that the next write uses. */
  get protobufMessage(): ProtobufMessage {
    const { protobufMessage } = this.#options;
    if (protobufMessage !== 'auto') return protobufMessage;
    return this.#fallenBack ? WRITE_REQUEST : REQUEST_V2;
  }

  /** The retry rules, with defaults filled in. */
  get retry(): RetryPolicy {
    return this.#options.retry;
  }

  /**
   * Writes series in one request.
   *
   * @param data one series, several, or `{ timeseries, metadata }`. Points without a timestamp get the current time.
   * @returns when the receiver has accepted.
   * @throws WriteValidationError if the data is invalid (nothing is sent), WriteError if the receiver refuses or
   *   cannot be reached, WriteTimeoutError, WriteAbortedError.
   */
  write(data: TimeSeries | readonly TimeSeries[] | WriteRequest, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#track(async () => {
      const request = asRequest(data);
      const now = Date.now();
      return this.#deliver(
        (message) => this.#encode(request, message, now),
        options,
        this.#options.protobufMessage === 'auto',
      );
    });
  }

  /**
   * Checks data as {@link write} would and brings it into one form, without sending it: labels as sorted lists with
   * the external ones, every point with its time in milliseconds, metadata at its series.
   *
   * @throws WriteValidationError unless `validation` is `sanitize`.
   */
  prepare(data: TimeSeries | readonly TimeSeries[] | WriteRequest): {
    readonly timeseries: readonly NormalSeries[];
    readonly dropped: DroppedCounts;
  } {
    const request = asRequest(data);
    const { validation, externalLabels } = this.#options;
    const now = Date.now();
    const dropped = { samples: 0, histograms: 0, exemplars: 0, metadata: 0 };
    const message = this.protobufMessage;
    const scheme = this.#options.nameValidationScheme ?? (message === REQUEST_V2 ? 'utf8' : 'legacy');
    const timeseries = request.timeseries ?? [];
    if (validation === 'sanitize') {
      const clean = sanitizeSeries(timeseries, scheme, now, dropped);
      return { timeseries: normalizeSeries(clean, request.metadata, externalLabels, now), dropped };
    }
    // Encoding is the check: there is no second set of rules that could differ from it.
    this.#encodeBytes(request, message, now, dropped, undefined);
    return { timeseries: normalizeSeries(timeseries, request.metadata, externalLabels, now), dropped };
  }

  /**
   * Writes one sample of one series, now.
   *
   * @param name the metric name.
   * @param labels further labels.
   */
  push(
    name: string,
    value: number,
    labels: Readonly<Record<string, string>> = {},
    options?: WriteOptions,
  ): Promise<WriteResult> {
    const all: Labels = [
      { name: '__name__', value: name },
      ...Object.entries(labels).map(([key, text]) => ({ name: key, value: text })),
    ];
    return this.write({ labels: all, sample: { value } }, options);
  }

  /**
   * Writes a message that is already encoded, uncompressed, as it is: no validation, no fallback to 1.0.
   *
   * @param bytes the protobuf bytes; they are compressed here.
   * @param message which message they are, default `prometheus.WriteRequest`.
   * @throws WriteError and its kin as {@link write}.
   */
  writeProto(
    bytes: Uint8Array,
    message: ProtobufMessage = WRITE_REQUEST,
    options: WriteOptions = {},
  ): Promise<WriteResult> {
    return this.#track(() => this.#deliver(() => encodedByCaller(bytes, message), options, false, message));
  }

  /**
   * Makes exactly one attempt at sending a message that is already encoded, for programs with their own queue and
   * retries. Never throws for what the receiver does; says instead whether to keep the data.
   */
  async sendProto(
    bytes: Uint8Array,
    message: ProtobufMessage = WRITE_REQUEST,
    options: WriteOptions = {},
  ): Promise<SendOutcome> {
    try {
      await this.writeProto(bytes, message, { ...options, retry: false });
      return { kind: 'sent' };
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      if (!error.retryable && !(error instanceof WriteAbortedError)) {
        return { kind: 'rejected', items: 'unknown', cause: error };
      }
      return error.retryAfter === undefined
        ? { kind: 'retry', cause: error }
        : { kind: 'retry', cause: error, afterMs: error.retryAfter };
    }
  }

  /**
   * Refuses further writes and waits for those under way.
   *
   * @param options `abort: true` aborts them instead; they fail with WriteAbortedError.
   */
  async close(options: { readonly abort?: boolean } = {}): Promise<void> {
    this.#closed = true;
    if (options.abort === true) this.#abort.abort(new Error('the client was closed'));
    await Promise.allSettled(this.#inFlight);
  }

  /** Same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #track<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) {
      throw new WriteAbortedError(`cannot write to ${displayUrl(this.#options.endpoint.url)}: the client is closed`);
    }
    const running = work();
    this.#inFlight.add(running);
    try {
      return await running;
    } finally {
      this.#inFlight.delete(running);
    }
  }

  #encode(request: WriteRequest, message: ProtobufMessage, now: number): Encoded {
    const dropped = { samples: 0, histograms: 0, exemplars: 0, metadata: 0 };
    const tally = emptyTally();
    const bytes = this.#encodeBytes(request, message, now, dropped, tally);
    dropped.histograms += tally.customBucketHistograms;
    dropped.metadata += tally.metadata;
    return { body: compressBlock(bytes), message, sent: tally, dropped };
  }

  #encodeBytes(
    request: WriteRequest,
    message: ProtobufMessage,
    now: number,
    dropped: PointCounts,
    tally: EncodeTally | undefined,
  ): Uint8Array {
    const { validation, externalLabels, nameValidationScheme, protobufMessage } = this.#options;
    const scheme = nameValidationScheme ?? (message === REQUEST_V2 ? 'utf8' : 'legacy');
    const checked =
      validation === 'sanitize'
        ? { ...request, timeseries: sanitizeSeries(request.timeseries ?? [], scheme, now, dropped) }
        : request;
    const encode = message === REQUEST_V2 ? encodeRequestV2 : encodeWriteRequest;
    return encode(checked, {
      validation: validation === 'off' ? 'off' : 'strict',
      nameValidationScheme: scheme,
      externalLabels,
      defaultTimestamp: now,
      customBuckets: validation === 'sanitize' || protobufMessage === 'auto' ? 'drop' : 'refuse',
      tally,
    });
  }

  async #deliver(
    encode: (message: ProtobufMessage) => Encoded,
    options: WriteOptions,
    mayFallBack: boolean,
    fixedMessage?: ProtobufMessage,
  ): Promise<WriteResult> {
    const policy = retryPolicy(options.retry, this.#options.retry);
    const headers = { ...this.#options.headers, ...customHeaders(options.headers, options.tenant) };
    const timeout = checkNumber('timeout', options.timeout ?? this.#options.timeout, 1);
    const earlier = options.earlierAttempts ?? 0;
    const started = performance.now();
    let encoded = encode(fixedMessage ?? this.protobufMessage);
    let attempts = 0;
    let retries = 0;
    const joined = joinSignals(options.signal, this.#abort.signal);
    try {
      for (;;) {
        const attempt: Attempt = {
          body: encoded.body,
          message: encoded.message,
          headers,
          timeout,
          signal: joined.signal,
          earlierAttempts: earlier + attempts,
        };
        attempts++;
        try {
          const accepted = confirm(await this.#attempt(attempt), encoded, earlier + attempts);
          return {
            status: accepted.status,
            attempts,
            protobufMessage: encoded.message,
            stats: accepted.stats,
            dropped: encoded.dropped,
            requestBytes: encoded.body.length,
            durationMs: performance.now() - started,
          };
        } catch (error) {
          if (!(error instanceof WriteError)) throw error;
          if (mayFallBack && encoded.message === REQUEST_V2 && this.#showsOldReceiver(error)) {
            if (!this.#fallenBack) this.#warn('receiver does not know remote write 2.0; using 1.0 from here on');
            this.#fallenBack = true;
            encoded = encode(WRITE_REQUEST);
            continue;
          }
          const elapsed = performance.now() - started;
          const delayMs = retryDelay(policy, retries, error.retryAfter);
          if (!isRetried(error, policy) || retries >= policy.maxRetries || elapsed + delayMs > policy.maxElapsed)
            throw error;
          retries++;
          this.#notify('onRetry', { url: displayUrl(this.#options.endpoint.url), attempt: attempts, delayMs, error });
          await sleep(delayMs, joined.signal);
        }
      }
    } finally {
      joined.release();
    }
  }

  async #attempt(attempt: Attempt): Promise<Accepted> {
    const event: RequestEvent = {
      url: displayUrl(this.#options.endpoint.url),
      protobufMessage: attempt.message,
      attempt: attempt.earlierAttempts + 1,
      requestBytes: attempt.body.length,
    };
    this.#notify('onRequest', event);
    const started = performance.now();
    try {
      const accepted = await sendOnce(this.#options.endpoint, attempt);
      this.#notify('onResponse', {
        ...event,
        status: accepted.status,
        durationMs: performance.now() - started,
        error: undefined,
      });
      return accepted;
    } catch (error) {
      if (error instanceof WriteError) {
        this.#notify('onResponse', {
          ...event,
          status: error.statusCode,
          durationMs: performance.now() - started,
          error,
        });
      }
      throw error;
    }
  }

  #showsOldReceiver(error: WriteError): boolean {
    if (error.statusCode === 415 || error instanceof UnconfirmedError) return true;
    return this.#options.fallbackOn400 && error.statusCode === 400 && !error.stats.confirmed;
  }

  #notify<Hook extends 'onRetry' | 'onRequest' | 'onResponse'>(
    hook: Hook,
    event: Parameters<NonNullable<CheckedOptions[Hook]>>[0],
  ): void {
    try {
      (this.#options[hook] as ((argument: typeof event) => void) | undefined)?.(event);
    } catch (error) {
      this.#warn(`hook ${hook} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #warn(message: string): void {
    try {
      this.#options.logger?.warn(`promwrite: ${message}`);
    } catch {
      // A logger that fails must not fail a write.
    }
  }
}

/**
 * Makes a client. Same as `new Client(options)`.
 *
 * @example
 * const client = createClient('http://localhost:9090/api/v1/write');
 * await client.push('room_temperature_celsius', 21.5, { room: 'kitchen' });
 */
export function createClient(options: string | URL | ClientOptions): Client {
  return new Client(options);
}

/** A 2xx to a 2.0 request without any `*-Written` header: the receiver decoded it as an empty 1.0 request. */
class UnconfirmedError extends WriteError {}

/** Judges a 2xx: what was written, or the error it hides (sections 2.1 and 2.6). */
function confirm(accepted: Accepted, encoded: Encoded, attempts: number): { status: number; stats: WriteStats } {
  const { status, stats } = accepted;
  const { sent } = encoded;
  if (encoded.message === WRITE_REQUEST) {
    return {
      status,
      stats: {
        samples: sent?.samples ?? 0,
        histograms: sent?.histograms ?? 0,
        exemplars: sent?.exemplars ?? 0,
        confirmed: false,
      },
    };
  }
  if (stats === undefined) {
    throw new UnconfirmedError(
      `cannot write: the receiver answered ${status} but without X-Prometheus-Remote-Write-*-Written headers, so it does not know remote write 2.0 and has lost the data; use protobufMessage 'auto' or 'prometheus.WriteRequest'`,
      { statusCode: status, attempts },
    );
  }
  const points = (sent?.samples ?? 0) + (sent?.histograms ?? 0) + (sent?.exemplars ?? 0);
  if (points > 0 && stats.samples + stats.histograms + stats.exemplars === 0) {
    throw new WriteError(
      `cannot write: the receiver answered ${status} but reports that none of ${points} samples, histograms and exemplars was written`,
      { statusCode: status, attempts, stats },
    );
  }
  return { status, stats };
}

function encodedByCaller(bytes: Uint8Array, message: ProtobufMessage): Encoded {
  if (message !== WRITE_REQUEST && message !== REQUEST_V2) {
    throw new TypeError(
      'cannot write: expected message prometheus.WriteRequest or io.prometheus.write.v2.Request; got another',
    );
  }
  return { body: compressBlock(bytes), message, sent: undefined, dropped: NOTHING_DROPPED };
}

/** Brings the forms that `write` accepts into one. */
function asRequest(data: TimeSeries | readonly TimeSeries[] | WriteRequest): WriteRequest {
  if (Array.isArray(data)) return { timeseries: data as readonly TimeSeries[] };
  if (typeof data !== 'object' || data === null) {
    throw new TypeError('cannot write: expected a series, a list of series, or { timeseries, metadata }; got neither');
  }
  if ('labels' in data) return { timeseries: [data] };
  const request = data as WriteRequest;
  if (request.timeseries === undefined && request.metadata === undefined) {
    throw new TypeError('cannot write: expected a series with labels, or { timeseries, metadata }; got neither key');
  }
  return request;
}

/** One signal that aborts with either; `release` removes the listeners. */
function joinSignals(
  one: AbortSignal | undefined,
  other: AbortSignal,
): { readonly signal: AbortSignal; readonly release: () => void } {
  if (one === undefined) return { signal: other, release: () => undefined };
  const controller = new AbortController();
  const abortOne = (): void => controller.abort(one.reason);
  const abortOther = (): void => controller.abort(other.reason);
  if (one.aborted) abortOne();
  if (other.aborted) abortOther();
  one.addEventListener('abort', abortOne);
  other.addEventListener('abort', abortOther);
  return {
    signal: controller.signal,
    release: () => {
      one.removeEventListener('abort', abortOne);
      other.removeEventListener('abort', abortOther);
    },
  };
}
