/** Reading a prom-client registry. Typed structurally: prom-client is not a dependency. */
import type {
  Exemplar,
  FamilyMetadata,
  Label,
  Labels,
  MetricType,
  TimeSeries,
  Timestamp,
} from './codec/time-series.ts';
import { toMilliseconds } from './codec/timestamp.ts';

/** What is used of a prom-client `Registry`. */
export interface MetricsRegistry {
  getMetricsAsJSON(): PromiseLike<readonly RegistryMetric[]>;
  readonly contentType?: string;
}

/** A metric as prom-client gives it. */
export interface RegistryMetric {
  readonly name: string;
  readonly help?: string;
  readonly type?: unknown;
  readonly values?: readonly RegistryValue[];
}

/** A value as prom-client gives it: `metricName` is set for the parts of histograms and summaries. */
export interface RegistryValue {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

/** Options of {@link fromRegistry}. */
export interface RegistryOptions {
  /** Time of all samples (milliseconds or Date), default now. */
  readonly timestamp?: Timestamp | undefined;
  /** Labels added to every series that lacks them, such as `{ job: 'mail', instance: 'mail-1' }`. */
  readonly labels?: Labels | undefined;
}

/** What a registry holds, in the form of a write request. */
export interface RegistryContents {
  readonly timeseries: readonly TimeSeries[];
  readonly metadata: readonly FamilyMetadata[];
}

const TYPES: ReadonlySet<string> = new Set<MetricType>(['counter', 'gauge', 'histogram', 'summary']);

/**
 * Collects a prom-client registry into what `write` and `append` take: counters, gauges, summaries with `quantile`,
 * classic histograms with cumulative `le` buckets, `_sum` and `_count`, exemplars, and the metadata of all families.
 *
 * Names and label values are those of the registry's own text format; with the OpenMetrics content type counters end
 * in `_total`. Labels without a value are left out.
 *
 * @example
 * await client.write(await fromRegistry(register, { labels: { job: 'mail', instance: 'mail-1' } }));
 */
export async function fromRegistry(
  registry: MetricsRegistry,
  options: RegistryOptions = {},
): Promise<RegistryContents> {
  const metrics = await registry.getMetricsAsJSON();
  const timestamp = toMilliseconds(options.timestamp ?? Date.now(), () => 'fromRegistry options.timestamp');
  const extra = labelEntries(options.labels ?? {});
  const openMetrics = registry.contentType?.startsWith('application/openmetrics-text') ?? false;
  const timeseries: TimeSeries[] = [];
  const metadata: FamilyMetadata[] = [];
  for (const metric of metrics) {
    const type = metricType(metric.type);
    const suffix = openMetrics && type === 'counter' ? '_total' : '';
    metadata.push({ name: `${metric.name}${suffix}`, type, help: metric.help ?? '', unit: '' });
    for (const value of metric.values ?? []) {
      timeseries.push({
        labels: seriesLabels(value.metricName ?? `${metric.name}${suffix}`, value.labels ?? {}, extra),
        samples: [{ value: value.value, timestamp }],
        exemplars: exemplarsOf(value, timestamp),
      });
    }
  }
  return { timeseries, metadata };
}

function metricType(type: unknown): MetricType {
  return typeof type === 'string' && TYPES.has(type) ? (type as MetricType) : 'unknown';
}

function seriesLabels(
  metricName: string,
  labels: Readonly<Record<string, string | number | undefined>>,
  extra: readonly Label[],
): Label[] {
  const result: Label[] = [{ name: '__name__', value: metricName }];
  for (const [name, value] of Object.entries(labels)) {
    if (value === undefined || value === null || value === '') continue;
    // The bound of the last bucket is '+Inf' or the number Infinity, depending on how it was configured.
    result.push({ name, value: value === Number.POSITIVE_INFINITY ? '+Inf' : String(value) });
  }
  for (const label of extra) {
    if (!result.some(({ name }) => name === label.name)) result.push(label);
  }
  return result;
}

/** prom-client keeps an exemplar beside the value, with its time in seconds; its typings leave it out. */
function exemplarsOf(value: RegistryValue, timestamp: number | bigint): Exemplar[] {
  const { exemplar } = value as {
    readonly exemplar?: {
      readonly labelSet?: Readonly<Record<string, string | number>>;
      readonly value?: number | null;
      readonly timestamp?: number;
    } | null;
  };
  if (typeof exemplar?.value !== 'number') return [];
  const labels = Object.entries(exemplar.labelSet ?? {}).map(([name, text]) => ({ name, value: String(text) }));
  return [
    {
      labels,
      value: exemplar.value,
      timestamp: exemplar.timestamp === undefined ? timestamp : Math.round(exemplar.timestamp * 1000),
    },
  ];
}

function labelEntries(labels: Labels): readonly Label[] {
  return Array.isArray(labels)
    ? (labels as readonly Label[])
    : Object.entries(labels as Readonly<Record<string, string>>).map(([name, value]) => ({ name, value }));
}
