import { compress } from 'snappy';
import { ProtobufWriter } from 'promwrite/wire';
import { SluiceError } from '../../base/errors.ts';
import type { Store } from '../../storage/store.ts';
import type { ReadLimits } from '../config.ts';
import { METRIC_NAME, namedMetrics } from '../matchers.ts';
import { findSeries, type FoundSeries } from '../series-lookup.ts';
import { ChunkSink } from './chunk-sink.ts';
import { FrameWriter } from './frame-writer.ts';
import { startPoints, type PointRange, type StartedPoints } from './point-streams.ts';
import { readPoints, type PointSink } from './points.ts';
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
    const lookup = await lookUp(query, options);
    const groups = new SeriesGroups(lookup.found, query.end - query.start, limits.bufferBytes);
    for (let group = groups.next(); group.length > 0; group = groups.next()) {
      const frames = new FrameWriter(group, queryIndex, limits.frameBytes);
      const sink = new ChunkSink(frames);
      let fits = true;
      let sent = 0;
      for await (const _ of pointsOf(query, lookup, group, sink, options)) {
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
    const lookup = await lookUp(query, options);
    const groups = new SeriesGroups(lookup.found, query.end - query.start, Infinity);
    response.varint32(QUERY_RESULT);
    const content = response.open(4);
    for (let group = groups.next(); group.length > 0; group = groups.next()) {
      const sink = new SampleSink(group, { samples: limits.samples, bytes: limits.responseBytes }, totals);
      for await (const _ of pointsOf(query, lookup, group, sink, options));
      sink.appendTo(response);
      groups.done(0);
    }
    response.close(content, 4);
    options.counted(totals.points);
  }
  if (options.signal.aborted) throw new SluiceError('cancelled', 'cannot answer the query: it was cancelled');
  return compress(response.written());
}

/** The series of a query, and perhaps their points, asked for meanwhile. */
interface Lookup {
  readonly found: readonly FoundSeries[];
  started: StartedPoints | undefined;
}

/**
 * Finds the series. Where the query names metrics and nothing else, the database begins with their points at the same time; where it turns out that
 * there are none, or too many for one group, that is given up.
 */
async function lookUp(query: ReadQuery, options: AnswerOptions): Promise<Lookup> {
  const { start, end, matchers } = query;
  if (end < start) return { found: [], started: undefined };
  const { store, org, limits, signal } = options;
  const metricIds = namedMetrics(matchers);
  let started = metricIds === undefined ? undefined : startPoints(pointRange(query, metricIds, options));
  const giveUp = async () => {
    await started?.floats.return?.();
    started = undefined;
  };
  const limit = limits.series;
  try {
    const timeoutMs = limits.timeMs;
    const found = await findSeries({ store, org, matchers, start, limit, timeoutMs, signal, beforeStream: giveUp });
    if (found.length === 0) await giveUp();
    return { found, started };
  } catch (error) {
    await giveUp();
    throw error;
  }
}

/** The points of a group of the series found. */
async function* pointsOf(
  query: ReadQuery,
  lookup: Lookup,
  group: readonly FoundSeries[],
  sink: PointSink,
  options: AnswerOptions,
): AsyncGenerator<void> {
  const { started } = lookup;
  lookup.started = undefined;
  const all = group.length === lookup.found.length;
  if (!all) await started?.floats.return?.();
  const range = pointRange(query, [...new Set(group.map(({ metricId }) => metricId))], options);
  // Naming all series of a metric would only make the statement slower.
  const whole = all && query.matchers.every(({ name }) => name === METRIC_NAME);
  const seriesIds = group.map(({ seriesId }) => seriesId);
  yield* readPoints(whole ? range : { ...range, seriesIds }, group, sink, all ? started : undefined);
}

function pointRange(query: ReadQuery, metricIds: readonly bigint[], options: AnswerOptions): PointRange {
  const { store, org, limits, signal } = options;
  return { store, org, metricIds, start: query.start, end: query.end, timeoutMs: limits.timeMs, signal };
}
