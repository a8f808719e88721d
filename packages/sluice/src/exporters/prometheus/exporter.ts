import type { SendOutcome, SeriesLabels } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { ItemBatch } from '../../delivery/item-batch.ts';
import type { EncodePass, Exporter, SendTarget } from '../../delivery/types.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { shownUrl } from '../answer-text.ts';
import { fingerprint, toDeliverySettings } from '../config.ts';
import { identityReader } from '../request-identity.ts';
import type { Selector } from '../selection.ts';
import type { PrometheusExporterConfig } from './config.ts';
import { ExportCounters } from './counters.ts';
import { metadataOf } from './metric-metadata.ts';
import type { SeriesOptions } from './options.ts';
import { RowEncoder } from './row-encoder.ts';
import { SampleEncoder } from './sample-encoder.ts';
import { Sender } from './send.ts';
import { showSeries } from './show.ts';

export interface PrometheusExporterOptions {
  /** For each of the configuration's data sources, by id. */
  readonly selectors: ReadonlyMap<string, Selector>;
  /** Label sets of `prometheus.samples`. */
  readonly series: SeriesLabels;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const SAMPLES = 'prometheus.samples';

/** An exporter that sends rows of flow_metrics.* and samples to remote-write receivers. */
export function createPrometheusExporter(
  config: PrometheusExporterConfig,
  options: PrometheusExporterOptions,
): Exporter {
  const { selectors, series, metrics, log } = options;
  const exporter = config.name;
  const settings = seriesOptions(config);
  const encoders = new Map<string, RowEncoder | SampleEncoder>();
  for (const [dataSource, selector] of selectors) {
    const counters = new ExportCounters({ exporter, dataSource, maxLabels: settings.maxLabels, metrics, log });
    const encoder =
      dataSource === SAMPLES
        ? new SampleEncoder({ selector, series, options: settings, counters })
        : new RowEncoder(selector, settings, counters);
    encoders.set(dataSource, encoder);
  }
  const urls = config.endpoints.map((endpoint) => new URL(endpoint));
  const { auth, extraHeaders } = config;
  const tls = urls.some(({ protocol }) => protocol === 'https:') ? config.tls : undefined;
  const sender = new Sender({
    exporter,
    urls,
    identity: identityReader({ exporter, extraHeaders, auth, tls, log }),
    message: config.protobufMessage,
    metadata: config.sendMetadata ? metadataOf(selectors.values(), config.metricPrefix) : new Map(),
    on429: config.retry.on429,
    metrics,
    log,
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  return {
    name: exporter,
    protocol: config.protocol,
    fingerprint: fingerprint(config),
    tables: config.dataSources,
    endpoints: urls.map(shownUrl),
    settings: toDeliverySettings(config),
    async prepare(batch: Batch): Promise<void> {
      const encoder = encoders.get(batch.source.id);
      if (encoder instanceof SampleEncoder) await encoder.prepare(batch);
    },
    begin: (batch: Batch, firstRow: number, nowMs: number): EncodePass =>
      encoders.get(batch.source.id)!.begin(batch, firstRow, nowMs),
    send: (items: ItemBatch, target: SendTarget): Promise<SendOutcome> => sender.send(items, target),
    show: (_table, _head, body) => showSeries(body),
    state: () => ({ protobufMessages: sender.messages }),
    close: () => {
      sender.close();
      return Promise.resolve();
    },
  };
}

function seriesOptions(config: PrometheusExporterConfig): SeriesOptions {
  return {
    externalLabels: config.externalLabels,
    metricPrefix: config.metricPrefix,
    emptyTags: config.exportEmptyTag,
    emptyMetrics: config.exportEmptyMetrics,
    onDuplicate: config.onDuplicate,
    maxLabels: config.maxLabels ?? Infinity,
  };
}
