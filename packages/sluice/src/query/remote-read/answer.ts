import { compress } from 'snappy';
import { ProtobufWriter } from 'promwrite/wire';
import { SluiceError } from '../../base/errors.ts';
import type { Store } from '../../storage/store.ts';
import type { ReadLimits } from '../config.ts';
import type { KnownSeries } from '../known-series.ts';
import type { LabelCache } from '../label-cache.ts';
import { METRIC_NAME, namedMetrics } from '../matchers.ts';
import type { MetricMemory } from '../metric-memory.ts';
import { findSeriesByIds, findTaggedSeries, type FoundIds, type FoundSeries } from '../series-lookup.ts';
import type { SeriesTagLabels } from '../series-tags.ts';
import { ChunkSink } from './chunk-sink.ts';
import { FloatTable } from './float-table.ts';
import { FrameWriter } from './frame-writer.ts';
import { fetchPoints, type FetchedPoints, type PointRange, type PointSources } from './point-streams.ts';
import { orderOfIds, readPoints, type PointSink } from './points.ts';
import type { ReadQuery } from './read-request.ts';
import type { HistogramPresence } from './histogram-presence.ts';
import { SampleSink } from './sample-sink.ts';
import { SeriesGroups } from './series-groups.ts';

export interface AnswerOptions {
  readonly store: Store;
  readonly org: number;
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
  /** What earlier answers left: labels, and where queries led. */
  readonly labels: LabelCache;
  readonly metricMemory: MetricMemory;
  readonly known: KnownSeries;
  readonly histograms: HistogramPresence;
  /** Tags that are shown as labels; absent: none are. */
  readonly tags?: SeriesTagLabels | undefined;
  /** Told how many samples and histograms go out. */
  readonly counted: (points: number) => void;
}

const QUERY_RESULT = (1 << 3) | 2;
/** Frames are sent in pieces of this size, so that a thousand small series are not a thousand small writes. */
const PIECE_BYTES = 256 * 1024;

/**
 * The queries' answers as frames of chunks, in their order, series sorted by label set.
 *
 * Answers that are expected to be small are fetched whole and sent as they are encoded. Of others the database gives series by id, so a group of series
 * is held back as chunks and then sent in order; what is held back stays below `limits.bufferBytes`. A group that turns out larger is asked for again in
 * parts; a single series is sent as it comes.
 */
export async function* streamedAnswer(
  queries: readonly ReadQuery[],
  options: AnswerOptions,
): AsyncGenerator<Uint8Array> {
  const { limits } = options;
  for (const [queryIndex, query] of queries.entries()) {
    const lookup = await lookUp(query, options);
    const fetched = await fetchedPoints(query, lookup, options);
    if (fetched?.kind === 'floats') {
      const frames = new FrameWriter(lookup.found, queryIndex, limits.frameBytes);
      const sink = new ChunkSink(frames);
      for (const _ of fetched.give(sink)) if (frames.length >= PIECE_BYTES) yield frames.takeFrames();
      if (frames.length > 0) yield frames.takeFrames();
      options.counted(sink.points);
      continue;
    }
    let sources = fetched?.sources;
    const groups = new SeriesGroups(lookup.found, query.end - query.start, limits.bufferBytes);
    for (let group = groups.next(); group.length > 0; group = groups.next()) {
      const frames = new FrameWriter(group, queryIndex, limits.frameBytes);
      const sink = new ChunkSink(frames);
      let fits = true;
      let sent = 0;
      const points = pointsOf({ query, found: lookup.found, group, sink, sources }, options);
      sources = undefined;
      for await (const _ of points) {
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
  const response = spareResponse ?? new ProtobufWriter();
  spareResponse = undefined;
  try {
    await writeResponse(response, queries, options);
    if (options.signal.aborted) throw new SluiceError('cancelled', 'cannot answer the query: it was cancelled');
    return await compress(response.written());
  } finally {
    // It gives up very large memory.
    response.reset();
    spareResponse = response;
  }
}

/** Memory of the last response: growing to some megabytes every time costs as much as writing them. */
let spareResponse: ProtobufWriter | undefined;

async function writeResponse(
  response: ProtobufWriter,
  queries: readonly ReadQuery[],
  options: AnswerOptions,
): Promise<void> {
  const { limits } = options;
  for (const query of queries) {
    const totals = { points: 0, bytes: response.position };
    const sinkLimits = { samples: limits.samples, bytes: limits.responseBytes };
    const lookup = await lookUp(query, options);
    response.varint32(QUERY_RESULT);
    const content = response.open(4);
    const fetched = await fetchedPoints(query, lookup, options);
    let sources = fetched?.kind === 'mixed' ? fetched.sources : undefined;
    if (fetched?.kind === 'floats') {
      const sink = new SampleSink(lookup.found, sinkLimits, totals, response);
      for (const _ of fetched.give(sink));
    } else {
      const groups = new SeriesGroups(lookup.found, query.end - query.start, Infinity);
      for (let group = groups.next(); group.length > 0; group = groups.next()) {
        const sink = new SampleSink(group, sinkLimits, totals);
        for await (const _ of pointsOf({ query, found: lookup.found, group, sink, sources }, options));
        sources = undefined;
        sink.appendTo(response);
        groups.done(0);
      }
    }
    response.close(content, 4);
    options.counted(totals.points);
  }
}

/** The series of a query, and perhaps all their points, asked for meanwhile. */
interface Lookup {
  readonly found: readonly FoundSeries[];
  readonly fetching: FetchedPoints | undefined;
  readonly expectedRows: number;
}

/**
 * Finds the series. As soon as it can be told (or guessed from the last time) which metrics they are of, the points are asked for, if they are few. A
 * wrong guess is not stopped in the database: it is bounded, and stopping costs more.
 */
async function lookUp(query: ReadQuery, options: AnswerOptions): Promise<Lookup> {
  const { start, end, matchers } = query;
  if (end < start) return { found: [], fetching: undefined, expectedRows: 0 };
  const { store, org, limits, signal, labels, metricMemory, known, tags } = options;
  const mostRows = Math.min(Math.floor(limits.bufferBytes / FETCHED_ROW_BYTES), MOST_FETCHED_ROWS);
  const rowsPerSeries = (end - start) / SAMPLE_INTERVAL_MS + 1;
  const remembered = metricMemory.get(org, matchers);
  const fits = (series: number) =>
    series * rowsPerSeries <= mostRows && series * rowsPerSeries < (remembered?.tooMany ?? Infinity);
  const asked = { start, end, names: tags?.version ?? 0 };
  const knownAlready = known.get(org, matchers, asked);
  const version = known.version(org);
  const guess = knownAlready === undefined ? (remembered?.metricIds ?? namedMetrics(matchers)) : undefined;
  let fetching: FetchedPoints | undefined;
  if (guess !== undefined && guess.length > 0 && fits(remembered?.series ?? 1)) {
    fetching = fetchPoints(pointRange(query, guess, options), mostRows);
  }
  let ids: FoundIds | undefined;
  const told = (toldIds: FoundIds) => {
    ids = toldIds;
    const { metricIds, seriesIds, most } = toldIds;
    const series = seriesIds.length;
    if (most && series > 0)
      metricMemory.set(org, matchers, { metricIds, series, tooMany: remembered?.tooMany ?? Infinity });
    else metricMemory.forget(org, matchers);
    if (series === 0 || !fits(series)) {
      fetching = undefined;
      return;
    }
    const fetched = new Set(fetching?.range.metricIds);
    if (metricIds.every((id) => fetched.has(id))) return;
    const range = pointRange(query, metricIds, options);
    if (most) fetching = fetchPoints(range, mostRows);
    else fetching = series <= MOST_NAMED ? fetchPoints({ ...range, seriesIds }, mostRows) : undefined;
  };
  const lookup = { store, org, matchers, start, limit: limits.series, timeoutMs: limits.timeMs, signal };
  if (knownAlready !== undefined) {
    told(knownAlready.ids);
    return { found: knownAlready.found, fetching, expectedRows: knownAlready.found.length * rowsPerSeries };
  }
  let found: readonly FoundSeries[];
  let tagsSince = -Infinity;
  if (tags === undefined) found = await findSeriesByIds(lookup, labels, told);
  else {
    ({ series: found, since: tagsSince } = await findTaggedSeries({ ...lookup, tags, end }));
    const most = matchers.every(({ name }) => name === METRIC_NAME);
    const metricIds = [...new Set(found.map(({ metricId }) => metricId))];
    told({ metricIds, seriesIds: found.map(({ seriesId }) => seriesId), most });
  }
  if (ids !== undefined) known.set(org, matchers, { ...asked, found, ids, tagsSince, version });
  return { found, fetching, expectedRows: found.length * rowsPerSeries };
}

const SAMPLE_INTERVAL_MS = 15_000;
/** A row takes 24 bytes in the answer; as much again for what becomes of it. */
const FETCHED_ROW_BYTES = 48;
const MOST_FETCHED_ROWS = 1_000_000;
/** Ids in one statement. */
const MOST_NAMED = 4096;

type Fetched =
  /** Only floats: `give` gives them in the order of the series, and steps once a series. */
  | { readonly kind: 'floats'; readonly give: (sink: PointSink) => Generator<void> }
  /** Histograms too, to be merged with them. */
  | { readonly kind: 'mixed'; readonly sources: PointSources };

/** The points that were fetched whole; undefined when that was not tried or they are too many. */
async function fetchedPoints(query: ReadQuery, lookup: Lookup, options: AnswerOptions): Promise<Fetched | undefined> {
  const { found, fetching } = lookup;
  if (fetching === undefined || found.length === 0) return undefined;
  const blocks = await fetching.floats;
  if (blocks === undefined) {
    options.metricMemory.tooMany(options.org, query.matchers, lookup.expectedRows);
    return undefined;
  }
  const seriesIds = found.map(({ seriesId }) => seriesId);
  const table = new FloatTable(blocks, seriesIds);
  const known = new Set(seriesIds);
  const withHistograms = (await fetching.withHistograms).filter((id) => known.has(id));
  if (withHistograms.length > 0) {
    const floats = table.inOrder(orderOfIds(found), seriesIds);
    return { kind: 'mixed', sources: { floats, withHistograms: Promise.resolve(withHistograms) } };
  }
  return { kind: 'floats', give: (sink) => giveFloats(table, found.length, sink) };
}

function* giveFloats(table: FloatTable, seriesCount: number, sink: PointSink): Generator<void> {
  try {
    for (let index = 0; index < seriesCount; index++) {
      const count = table.gather(index);
      if (count === 0) continue;
      sink.begin(index);
      sink.floats(table.times, table.values, count);
      sink.end();
      yield;
    }
  } finally {
    table.free();
  }
}

interface GroupOfPoints {
  readonly query: ReadQuery;
  readonly found: readonly FoundSeries[];
  readonly group: readonly FoundSeries[];
  readonly sink: PointSink;
  /** Points of all series found that are there already. */
  readonly sources: PointSources | undefined;
}

/** The points of a group of the series found. */
async function* pointsOf(points: GroupOfPoints, options: AnswerOptions): AsyncGenerator<void> {
  const { query, found, group, sink } = points;
  const all = group.length === found.length;
  const range = pointRange(query, [...new Set(group.map(({ metricId }) => metricId))], options);
  // Naming all series of a metric would only make the statement slower.
  const whole = all && query.matchers.every(({ name }) => name === METRIC_NAME);
  const seriesIds = group.map(({ seriesId }) => seriesId);
  yield* readPoints(whole ? range : { ...range, seriesIds }, group, sink, all ? points.sources : undefined);
}

function pointRange(query: ReadQuery, metricIds: readonly bigint[], options: AnswerOptions): PointRange {
  const { store, org, limits, signal } = options;
  const histograms = options.histograms.maybe(org);
  return { store, org, metricIds, start: query.start, end: query.end, histograms, timeoutMs: limits.timeMs, signal };
}
