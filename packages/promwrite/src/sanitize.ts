/** `validation: 'sanitize'`: mends what can be mended and leaves out the rest, counted. Never changes its input. */
import type { NameValidationScheme } from './codec/label-set.ts';
import { isValidLabelName, isValidMetricName, METRIC_NAME } from './codec/label-set.ts';
import { toMilliseconds } from './codec/timestamp.ts';
import { reduceHistogram, validateHistogram } from './codec/validate-histogram.ts';
import type { PointCounts } from './codec/tally.ts';
import type { Exemplar, Label, Labels, NativeHistogram, Sample, TimeSeries, Timestamp } from './codec/time-series.ts';

/** Sorts out the series of one request; adds what is left out to `dropped`. */
export function sanitizeSeries(
  timeseries: readonly TimeSeries[],
  scheme: NameValidationScheme,
  now: number,
  dropped: PointCounts,
): TimeSeries[] {
  const result: TimeSeries[] = [];
  for (const series of timeseries) {
    const given = [...(series.sample === undefined ? [] : [series.sample]), ...(series.samples ?? [])];
    const labels = sanitizeLabels(series.labels, scheme);
    if (labels === undefined) {
      dropped.samples += given.length;
      dropped.histograms += series.histograms?.length ?? 0;
      dropped.exemplars += series.exemplars?.length ?? 0;
      continue;
    }
    const samples = inOrder(given.filter(isUsableSample), now);
    const histograms = inOrder(
      (series.histograms ?? []).flatMap((histogram) => usableHistogram(histogram) ?? []),
      now,
    );
    const exemplars = (series.exemplars ?? []).flatMap((exemplar) => usableExemplar(exemplar) ?? []);
    dropped.samples += given.length - samples.length;
    dropped.histograms += (series.histograms?.length ?? 0) - histograms.length;
    dropped.exemplars += (series.exemplars?.length ?? 0) - exemplars.length;
    if (samples.length + histograms.length + exemplars.length === 0) continue;
    result.push({ labels, samples, histograms, exemplars, metadata: series.metadata });
  }
  return result;
}

/** Valid labels, or `undefined` if no metric name is left. */
function sanitizeLabels(labels: Labels, scheme: NameValidationScheme): Label[] | undefined {
  const result = new Map<string, string>();
  for (const [name, value] of entries(labels)) {
    const cleanName = name === METRIC_NAME ? name : cleanLabelName(name, scheme);
    const text = toText(value).toWellFormed();
    // An empty value means that the label is absent; of repeated names the first one stays.
    if (cleanName === '' || text === '' || result.has(cleanName)) continue;
    result.set(cleanName, name === METRIC_NAME ? cleanMetricName(text, scheme) : text);
  }
  if (!result.get(METRIC_NAME)) return undefined;
  return Array.from(result, ([name, value]) => ({ name, value }));
}

function entries(labels: unknown): [string, unknown][] {
  if (Array.isArray(labels)) {
    return (labels as (Partial<Label> | undefined)[]).map((label) => [label?.name ?? '', label?.value]);
  }
  return typeof labels === 'object' && labels !== null ? Object.entries(labels) : [];
}

/** Text of a label value; what has no sensible one (objects, null) is empty. */
function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : '';
}

function cleanLabelName(name: string, scheme: NameValidationScheme): string {
  if (isValidLabelName(name, scheme)) return name;
  if (scheme === 'utf8') return name.toWellFormed();
  const clean = name.replace(/[^a-zA-Z0-9_]/gu, '_');
  return /^[0-9]/.test(clean) ? `_${clean}` : clean;
}

function cleanMetricName(name: string, scheme: NameValidationScheme): string {
  if (isValidMetricName(name, scheme)) return name;
  if (scheme === 'utf8') return name.toWellFormed();
  const clean = name.replace(/[^a-zA-Z0-9_:]/gu, '_');
  return /^[0-9]/.test(clean) ? `_${clean}` : clean;
}

function isUsableSample(sample: Sample): boolean {
  return (sample?.stale === true || typeof sample?.value === 'number') && hasUsableTimes(sample);
}

function hasUsableTimes(point: { timestamp?: Timestamp | undefined; startTimestamp?: Timestamp | undefined }): boolean {
  return isUsableTime(point.timestamp) && isUsableTime(point.startTimestamp);
}

function isUsableTime(timestamp: Timestamp | undefined): boolean {
  if (timestamp === undefined) return true;
  try {
    toMilliseconds(timestamp, () => '');
    return true;
  } catch {
    return false;
  }
}

function usableHistogram(histogram: NativeHistogram): NativeHistogram | undefined {
  try {
    if (!hasUsableTimes(histogram)) return undefined;
    const reduced = reduceHistogram(histogram);
    return validateHistogram(reduced) === undefined ? reduced : undefined;
  } catch {
    // Of a shape the rules cannot even be applied to.
    return undefined;
  }
}

function usableExemplar(exemplar: Exemplar): Exemplar | undefined {
  if (typeof exemplar?.value !== 'number' || !isUsableTime(exemplar.timestamp)) return undefined;
  const labels = entries(exemplar.labels).filter((entry) => entry[0] !== '');
  return {
    ...exemplar,
    labels: labels.map(([name, value]) => ({ name: name.toWellFormed(), value: toText(value).toWellFormed() })),
  };
}

/** Oldest first, keeping the order of equal times. */
function inOrder<Point extends { readonly timestamp?: Timestamp | undefined }>(points: Point[], now: number): Point[] {
  const timed = points.map((point) => ({
    point,
    time: point.timestamp === undefined ? now : toMilliseconds(point.timestamp, () => ''),
  }));
  timed.sort((left, right) => (left.time < right.time ? -1 : left.time > right.time ? 1 : 0));
  return timed.map(({ point }) => point);
}
