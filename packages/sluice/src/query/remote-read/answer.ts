import { compress } from 'snappy';
import { ProtobufWriter } from 'promwrite/wire';
import { SluiceError } from '../../base/errors.ts';
import type { Store } from '../../storage/store.ts';
import type { ReadLimits } from '../config.ts';
import { METRIC_NAME } from '../matchers.ts';
import { findSeries, type FoundSeries } from '../series-lookup.ts';
import { ChunkSink } from './chunk-sink.ts';
import { FrameWriter } from './frame-writer.ts';
import { readPoints, type PointQuery } from './points.ts';
import type { ReadQuery } from './read-request.ts';
import { SampleSink } from './sample-sink.ts';
import { SeriesGroups } from './series-groups.ts';

export interface AnswerOptions {
  readonly store: Store;
  readonly org: number;
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
  /** Told how many samples and histograms go out. */
  readonly counted: (points: number) => void;
}

const QUERY_RESULT = (1 << 3) | 2;
/** Frames are sent in pieces of this size, so that a thousand small series are not a thousand small writes. */
const PIECE_BYTES = 256 * 1024;

/**
 * The queries' answers as frames of chunks, in their order, series sorted by label set.
 *
 * The database gives series by id, so a group of series is held back as chunks and then sent in order; what is held back stays below
 * `limits.bufferBytes`. A group that turns out larger is asked for again in parts; a single series is sent as it comes.
 */
export async function* streamedAnswer(
  queries: readonly ReadQuery[],
  options: AnswerOptions,
): AsyncGenerator<Uint8Array> {
  const { limits } = options;
  for (const [queryIndex, query] of queries.entries()) {
    const found = await lookUp(query, options);
    const groups = new SeriesGroups(found, query.end - query.start, limits.bufferBytes);
    for (let group = groups.next(); group.length > 0; group = groups.next()) {
      const frames = new FrameWriter(group, queryIndex, limits.frameBytes);
      const sink = new ChunkSink(frames);
      let fits = true;
      let sent = 0;
      for await (const _ of readPoints(pointQuery(query, found, group, options), sink)) {
        if (frames.length <= limits.bufferBytes) continue;
        fits = group.length === 1;
        if (!fits) break;
        const taken = frames.takeFrames();
        sent += taken.length;
        yield taken;
      }
      if (!fits) {
        groups.tooLarge();
        continue;
      }
      groups.done(sent + frames.length);
      yield* frames.inOrder(PIECE_BYTES);
      options.counted(sink.points);
    }
  }
}

/** The queries' answers as one ReadResponse, compressed. Throws `bad_request` when it is beyond the limits for that. */
export async function samplesAnswer(queries: readonly ReadQuery[], options: AnswerOptions): Promise<Uint8Array> {
  const { limits } = options;
  const response = new ProtobufWriter();
  for (const query of queries) {
    const totals = { points: 0, bytes: response.position };
    const found = await lookUp(query, options);
    const groups = new SeriesGroups(found, query.end - query.start, Infinity);
    response.varint32(QUERY_RESULT);
    const content = response.open(4);
    for (let group = groups.next(); group.length > 0; group = groups.next()) {
      const sink = new SampleSink(group, { samples: limits.samples, bytes: limits.responseBytes }, totals);
      for await (const _ of readPoints(pointQuery(query, found, group, options), sink));
      sink.appendTo(response);
      groups.done(0);
    }
    response.close(content, 4);
    options.counted(totals.points);
  }
  if (options.signal.aborted) throw new SluiceError('cancelled', 'cannot answer the query: it was cancelled');
  return compress(response.written());
}

function lookUp(query: ReadQuery, options: AnswerOptions): Promise<FoundSeries[]> {
  if (query.end < query.start) return Promise.resolve([]);
  return findSeries({
    store: options.store,
    org: options.org,
    matchers: query.matchers,
    start: query.start,
    limit: options.limits.series,
    timeoutMs: options.limits.timeMs,
    signal: options.signal,
  });
}

function pointQuery(
  query: ReadQuery,
  found: readonly FoundSeries[],
  series: readonly FoundSeries[],
  options: AnswerOptions,
): PointQuery {
  const { store, org, limits, signal } = options;
  const wholeMetrics = series.length === found.length && query.matchers.every(({ name }) => name === METRIC_NAME);
  return { store, org, series, wholeMetrics, start: query.start, end: query.end, timeoutMs: limits.timeMs, signal };
}
