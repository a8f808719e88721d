import { SluiceError, isSluiceError } from '../../base/errors.ts';
import type { HttpReply, HttpRequest, HttpRoute } from '../../base/ports.ts';
import type { Store } from '../../storage/store.ts';
import type { TableVersions } from '../../storage/table-versions.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ReadLimits } from '../config.ts';
import { startDeadline } from '../deadline.ts';
import { Gate } from '../gate.ts';
import { KnownSeries } from '../known-series.ts';
import { LabelCache } from '../label-cache.ts';
import { MetricMemory } from '../metric-memory.ts';
import type { SeriesTagLabels } from '../series-tags.ts';
import { samplesAnswer, streamedAnswer, type AnswerOptions } from './answer.ts';
import { HistogramPresence } from './histogram-presence.ts';
import { decodeReadRequest, negotiate } from './read-request.ts';

export interface RemoteReadOptions {
  readonly store: Store;
  /** Of a database that this hub alone writes to; absent = others may, and nothing is kept that they could outdate. */
  readonly versions?: TableVersions | undefined;
  /** Tags that are shown as labels; absent: none are. */
  readonly tags?: SeriesTagLabels | undefined;
  readonly limits: ReadLimits;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** What reads leave for each other. */
interface Shared {
  readonly gate: Gate;
  readonly labels: LabelCache;
  readonly metricMemory: MetricMemory;
  readonly known: KnownSeries;
  readonly histograms: HistogramPresence;
}

/** Some 15,000 series of 15 labels. */
const LABEL_CACHE_BYTES = 16 << 20;
const KNOWN_SERIES_BYTES = 16 << 20;
const ROUTE = 'remote_read';
const STREAMED_TYPE = 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse';

/**
 * Prometheus remote read, on its own path and on DeepFlow's: a snappy block with a ReadRequest, answered as SAMPLES or STREAMED_XOR_CHUNKS,
 * whichever the request names first. Failures before the first byte are SluiceErrors (`bad_request`, `storage_limit`, `storage_unavailable`,
 * `cancelled`); later ones end the iteration of the body with an error.
 */
export function createRemoteRead(options: RemoteReadOptions): HttpRoute[] {
  const { store, limits, versions } = options;
  const shared: Shared = {
    gate: new Gate(limits.concurrent),
    labels: new LabelCache(LABEL_CACHE_BYTES),
    metricMemory: new MetricMemory(),
    known: new KnownSeries(versions, KNOWN_SERIES_BYTES),
    histograms: new HistogramPresence(store, versions),
  };
  return ['/api/v1/read', '/api/v1/prom/read'].map((path) => ({
    method: 'POST',
    path,
    scope: 'read',
    bodyLimit: limits.bodyBytes,
    memory: limits.bufferBytes,
    check: checkEncoding,
    handle: (request) => read(request, options, shared),
  }));
}

function checkEncoding(headers: HttpRequest['headers']): HttpReply | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'snappy') return undefined;
  return {
    status: 415,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: 'expected Content-Encoding: snappy\n',
  };
}

async function read(request: HttpRequest, options: RemoteReadOptions, shared: Shared): Promise<HttpReply> {
  const { store, limits, metrics, log } = options;
  const deadline = startDeadline(request.signal, limits.timeMs);
  const { signal } = deadline;
  const stopTimer = metrics.readSeconds.startTimer({ route: ROUTE });
  let leave: (() => void) | undefined;
  let finished = false;
  let queries = 1;
  const finish = (error?: unknown) => {
    if (finished) return;
    finished = true;
    deadline.end();
    leave?.();
    stopTimer();
    const outcome = error === undefined ? 'answered' : isSluiceError(error) ? error.code : 'failed';
    metrics.readQueries.inc({ route: ROUTE, outcome }, queries);
  };
  const asTimeout = (error: unknown): unknown =>
    deadline.isOver && !request.signal.aborted
      ? new SluiceError('storage_limit', `cannot answer the query within ${limits.timeMs} ms; narrow it`, {
          cause: error,
        })
      : error;
  try {
    const decoded = decodeReadRequest(request.body, limits);
    const type = negotiate(decoded.acceptedResponseTypes);
    queries = decoded.queries.length;
    leave = await shared.gate.enter(signal);
    const answer: AnswerOptions = {
      store,
      org: request.org,
      limits,
      signal,
      labels: shared.labels,
      metricMemory: shared.metricMemory,
      known: shared.known,
      histograms: shared.histograms,
      tags: options.tags,
      counted: (points) => metrics.readSamples.inc({ route: ROUTE }, points),
    };
    if (type === 'SAMPLES') {
      const body = await samplesAnswer(decoded.queries, answer);
      finish();
      return { status: 200, headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }, body };
    }
    const frames = streamedAnswer(decoded.queries, answer);
    // What fails before there is anything to send gets a status of its own.
    const first = await frames.next();
    const abandon = () => {
      finish(asTimeout(new SluiceError('cancelled', 'cannot finish the answer: the client went away')));
      frames.return(undefined).catch(() => {});
    };
    // Nobody may come to read the body then.
    if (signal.aborted) abandon();
    else signal.addEventListener('abort', abandon, { once: true });
    const ended = (error?: unknown) => {
      signal.removeEventListener('abort', abandon);
      finish(error);
    };
    return { status: 200, headers: { 'content-type': STREAMED_TYPE }, body: continued(first, frames, ended) };
  } catch (error) {
    const known = asTimeout(error);
    finish(known);
    throw known;
  }

  async function* continued(
    first: IteratorResult<Uint8Array>,
    frames: AsyncGenerator<Uint8Array>,
    ended: (error?: unknown) => void,
  ): AsyncGenerator<Uint8Array> {
    try {
      if (first.done !== true) {
        yield first.value;
        yield* frames;
      }
      // A generator that was told to return ends without an error: the reader must not take that for the answer's end.
      if (signal.aborted) throw new SluiceError('cancelled', 'cannot finish the answer: it was cancelled');
      ended();
    } catch (error) {
      const known = asTimeout(error);
      ended(known);
      if (!isSluiceError(known, 'cancelled')) log.warn({ error: known }, 'a remote-read answer broke off');
      throw known;
    } finally {
      ended(new SluiceError('cancelled', 'cannot finish the answer: its reader left'));
    }
  }
}
