/** Every way out: the exporters of a configuration, each with what it sends of its data sources. */
import type { Names, SeriesLabels } from './base/ports.ts';
import { bug } from './base/errors.ts';
import { findDataSource } from './catalog/catalog.ts';
import type { ExporterConfig } from './config/exporter-schema.ts';
import type { Exporter } from './delivery/types.ts';
import { EndpointAddresses, type NamedEndpoint } from './exporters/endpoint-addresses.ts';
import { createKafkaExporter } from './exporters/kafka/exporter.ts';
import { createOpentelemetryExporter } from './exporters/opentelemetry/exporter.ts';
import { createPrometheusExporter } from './exporters/prometheus/exporter.ts';
import { findHubProcess } from './exporters/hub-process.ts';
import { compileSelector } from './exporters/select.ts';
import type { Selector } from './exporters/selection.ts';
import type { HubProcess } from './exporters/self-traffic.ts';
import { loadSeriesLabels } from './query/series-labels.ts';
import type { SeriesStore } from './series/open-series.ts';
import type { Store } from './storage/store.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface OutputsOptions {
  readonly names: Names;
  readonly series: SeriesLabels;
  readonly metrics: Metrics;
  readonly log: Log;
  /** All addresses of a host name. Absent: the system's own. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
}

export interface SeriesLabelsOptions {
  /** The active series, by organisation. */
  readonly series: ReadonlyMap<number, Pick<SeriesStore, 'labelsOf'>>;
  /** Where those are looked for that are not active any more; undefined = nobody else knows any. */
  readonly store: (() => Store) | undefined;
}

/** Labels of series for exporters of samples. */
export function createSeriesLabels({ series, store }: SeriesLabelsOptions): SeriesLabels {
  return {
    find: (org, _metricLow, _metricHigh, seriesLow, seriesHigh) => series.get(org)?.labelsOf(seriesLow, seriesHigh),
    load: (org, ids) =>
      store === undefined
        ? Promise.resolve(Array.from({ length: ids.length / 4 }, () => undefined))
        : loadSeriesLabels(store(), org, ids),
  };
}

/** Makes the exporters; nothing connects yet, only names of endpoints are looked up. Throws SluiceError `config_invalid`; then nothing runs. */
export function createExporters(configs: readonly ExporterConfig[], options: OutputsOptions): Exporter[] {
  const { lookup } = options;
  const hub = findHubProcess();
  const made = configs.map((config) => {
    const endpoints = () => endpointsOf(config);
    const addresses = new EndpointAddresses({ endpoints, ...(lookup !== undefined && { lookup }) });
    const exporter = createExporter(config, {
      ...options,
      selectors: selectorsOf(config, { addresses, hub, names: options.names }),
    });
    const close = async () => {
      addresses.stop();
      await exporter.close();
    };
    return { config, addresses, exporter: { ...exporter, close } };
  });
  for (const { config, addresses } of made) if (config.excludeSelfTraffic) void addresses.start();
  return made.map(({ exporter }) => exporter);
}

interface Surroundings {
  readonly addresses: EndpointAddresses;
  readonly hub: HubProcess | undefined;
  readonly names: Names;
}

/** What is sent of each data source, by id. */
function selectorsOf(config: ExporterConfig, around: Surroundings): Map<string, Selector> {
  const { addresses, hub, names } = around;
  const selectors = new Map<string, Selector>();
  for (const id of config.dataSources) {
    const source = findDataSource(id) ?? bug(`no data source ${id}`);
    const endpoints = () => addresses.current;
    selectors.set(id, compileSelector({ config, source, names, endpoints, hub }));
  }
  return selectors;
}

function createExporter(
  config: ExporterConfig,
  options: OutputsOptions & { readonly selectors: ReadonlyMap<string, Selector> },
): Exporter {
  switch (config.protocol) {
    case 'kafka':
      return createKafkaExporter(config, options);
    case 'prometheus':
      return createPrometheusExporter(config, options);
    case 'opentelemetry':
      return createOpentelemetryExporter(config, options);
  }
}

function endpointsOf(config: ExporterConfig): readonly NamedEndpoint[] {
  switch (config.protocol) {
    case 'kafka':
      return config.brokers;
    case 'opentelemetry':
      return config.targets;
    case 'prometheus':
      return config.endpoints.map((endpoint) => {
        const { hostname, port, protocol } = new URL(endpoint);
        return { host: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
      });
  }
}
