import { SluiceError, isSluiceError } from '../../base/errors.ts';
import type { HttpReply, HttpRequest, HttpRoute } from '../../base/ports.ts';
import type { Store } from '../../storage/store.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ReadLimits } from '../config.ts';
import { Gate } from '../gate.ts';
import { startDeadline } from '../deadline.ts';
import { labelsOf } from '../label-set.ts';
import type { SeriesTagLabels } from '../series-tags.ts';
import { findActiveSeries } from './active-series.ts';
import { labelNames, labelValues, metadataOf, namesOf, valuesOfLabel } from './label-queries.ts';
import { countParameter, labelName, limitParameter, selectors, timeParameters } from './parameters.ts';
import { dataReply, errorReply, listReply } from './reply.ts';

export interface LabelsApiOptions {
  readonly store: Store;
  /** Tags that are shown as labels; absent: none are. */
  readonly tags?: SeriesTagLabels | undefined;
  readonly limits: ReadLimits;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** One request with what its answer needs. */
interface Context extends LabelsApiOptions {
  readonly request: HttpRequest;
  readonly signal: AbortSignal;
}

type Answer = (context: Context) => Promise<HttpReply>;

/** What series, label names, label values and metadata there are, in Prometheus' own format, failures included. */
export function createLabelsApi(options: LabelsApiOptions): HttpRoute[] {
  const gate = new Gate(options.limits.concurrent);
  const route = (method: 'GET' | 'POST', path: string, name: string, answer: Answer): HttpRoute => ({
    method,
    path,
    scope: 'read',
    handle: (request) => reply(options, gate, request, name, answer),
  });
  return [
    route('GET', '/api/v1/series', 'series', answerSeries),
    route('POST', '/api/v1/series', 'series', answerSeries),
    route('GET', '/api/v1/labels', 'labels', answerNames),
    route('POST', '/api/v1/labels', 'labels', answerNames),
    route('GET', '/api/v1/label/*/values', 'label_values', answerValues),
    route('GET', '/api/v1/metadata', 'metadata', answerMetadata),
  ];
}

async function reply(
  options: LabelsApiOptions,
  gate: Gate,
  request: HttpRequest,
  route: string,
  answer: Answer,
): Promise<HttpReply> {
  const { limits, metrics, log } = options;
  const deadline = startDeadline(request.signal, limits.timeMs);
  const { signal } = deadline;
  const stopTimer = metrics.readSeconds.startTimer({ route });
  let outcome = 'failed';
  let leave: (() => void) | undefined;
  try {
    leave = await gate.enter(signal);
    const answered = await answer({ ...options, request, signal });
    outcome = 'answered';
    return answered;
  } catch (error) {
    if (isSluiceError(error)) outcome = error.code;
    if (isSluiceError(error, 'storage_refused')) log.warn({ error, route }, 'the database refuses a query');
    return errorReply(error);
  } finally {
    deadline.end();
    leave?.();
    stopTimer();
    metrics.readQueries.inc({ route, outcome });
  }
}

async function answerSeries(context: Context): Promise<HttpReply> {
  const { query } = context.request;
  if (!query.has('match[]')) throw new SluiceError('bad_request', 'no match[] parameter provided');
  const limit = limitParameter(query);
  const found = await selected(context);
  const shown = limit > 0 ? found.slice(0, limit + 1) : found;
  return listReply(
    shown.map((series) => Object.fromEntries(labelsOf(series))),
    limit,
  );
}

async function answerNames(context: Context): Promise<HttpReply> {
  const { query } = context.request;
  const limit = limitParameter(query);
  const names = query.has('match[]') ? namesOf(await selected(context)) : await labelNames(labelQuery(context, limit));
  return listReply(names, limit);
}

async function answerValues(context: Context): Promise<HttpReply> {
  const { query, wildcards } = context.request;
  const name = labelName(wildcards[0] ?? '');
  const limit = limitParameter(query);
  const values = query.has('match[]')
    ? valuesOfLabel(await selected(context), name)
    : await labelValues(labelQuery(context, limit), name);
  return listReply(values, limit);
}

async function answerMetadata({ request, store, limits, signal }: Context): Promise<HttpReply> {
  const limit = countParameter(request.query, 'limit') ?? -1;
  const perMetric = countParameter(request.query, 'limit_per_metric') ?? -1;
  const metric = request.query.get('metric') ?? '';
  const options = { timeoutMs: limits.timeMs, signal };
  const families = [...(await metadataOf(store, request.org, metric === '' ? undefined : metric, options))];
  const shown = limit < 0 ? families : families.slice(0, limit);
  const cut = shown.map(([name, said]) => [name, perMetric > 0 ? said.slice(0, perMetric) : said] as const);
  return dataReply(Object.fromEntries(cut));
}

function selected({ request, store, limits, signal, tags }: Context) {
  const { start, end } = timeParameters(request.query);
  return findActiveSeries({
    store,
    org: request.org,
    limits,
    signal,
    tags,
    selectors: selectors(request.query, limits),
    start,
    end,
  });
}

function labelQuery({ request, store, limits, signal, tags }: Context, limit: number) {
  const { start } = timeParameters(request.query);
  return { store, org: request.org, start, limit, tags, options: { timeoutMs: limits.timeMs, signal } };
}
