import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeriesLabels } from '../../../../src/base/ports.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { CATALOG_VERSION, findDataSource } from '../../../../src/catalog/catalog.ts';
import { createDelivery, type Delivery } from '../../../../src/delivery/delivery.ts';
import type { ExporterListing } from '../../../../src/delivery/exporters-api.ts';
import type { RejectedListing } from '../../../../src/delivery/rejected-api.ts';
import { prometheusExporterSchema } from '../../../../src/exporters/prometheus/config.ts';
import { createPrometheusExporter } from '../../../../src/exporters/prometheus/exporter.ts';
import { compileSelector } from '../../../../src/exporters/select.ts';
import { openJournal } from '../../../../src/journal/journal.ts';
import type { Journal } from '../../../../src/journal/types.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../../src/telemetry/metrics.ts';
import { goldenNames } from '../../../unit/exporters/golden-names.ts';
import { batchOf, fieldsOf } from '../../../unit/exporters/prometheus/sample-batch.ts';

/** A journal, delivery, and one exporter as the hub has them, over a folder of its own. */
export class Sending implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly metrics: Metrics = createMetrics();
  readonly #folder: string;
  readonly #series = new Map<number, Uint8Array>();
  readonly #numbers = new Map<string, number>();
  #journal: Journal | undefined;
  #delivery: Delivery | undefined;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-sending-'));
  }

  /** `settings` as in the configuration; times that a test should not wait for are short. */
  static async start(settings: Readonly<Record<string, unknown>>): Promise<Sending> {
    const sending = new Sending();
    try {
      await sending.#open(settings);
      return sending;
    } catch (error) {
      await sending[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #open(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const config = prometheusExporterSchema.parse({
      protocol: 'prometheus',
      name: 'out',
      'data-sources': ['prometheus.samples'],
      'flush-timeout': 0.05,
      'queue-count': 1,
      retry: { initial: '10ms', max: '200ms' },
      'exclude-self-traffic': false,
      ...settings,
    });
    const log = createLog({ destination: { write: (line: string) => void this.lines.push(line) } });
    const { metrics } = this;
    const catalog = { version: CATALOG_VERSION, find: findDataSource };
    this.#journal = await openJournal({
      dataDir: this.#folder,
      sync: 'interval',
      syncIntervalMs: 1000,
      maxBytes: 2 ** 30,
      minFreeBytes: 0,
      catalog,
      metrics,
      log,
    });
    const selectors = new Map(
      config.dataSources.map((id) => [
        id,
        compileSelector({
          config,
          source: findDataSource(id)!,
          names: goldenNames,
          endpoints: () => [],
        }),
      ]),
    );
    const exporter = createPrometheusExporter(config, { selectors, series: this.#labels(), metrics, log });
    this.#delivery = createDelivery({ journal: this.#journal, dataDir: this.#folder, metrics, log });
    await this.#delivery.apply([exporter]);
  }

  async append(batch: Batch): Promise<void> {
    await this.#journal!.append([batch]);
  }

  /** Samples of series by their labels, in order. */
  async write(...samples: readonly SampleOf[]): Promise<void> {
    const rows = samples.map(({ labels, value = 1, time = Date.now() }) => ({
      series: this.#numberOf(labels),
      time: BigInt(time),
      bits: typeof value === 'bigint' ? value : new DataView(Float64Array.of(value).buffer).getBigUint64(0, true),
    }));
    const times = rows.map(({ time }) => Number(time));
    await this.append({ ...batchOf(rows), minTime: Math.min(...times), maxTime: Math.max(...times) });
  }

  /** A sample of a series without labels. */
  async writeUnknown(): Promise<void> {
    await this.append(batchOf([{ series: 999_999, time: 1n, bits: 0n }]));
  }

  async state(): Promise<ExporterListing> {
    return ((await this.#get('/api/v1/exporters')) as ExporterListing[])[0]!;
  }

  /** Sum of a counter over its labels. */
  async count(metric: string): Promise<number> {
    const found = await this.metrics.registry.getSingleMetric(metric)?.get();
    return found?.values.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN;
  }

  /** The first is the one that was set aside last. */
  async rejected(): Promise<RejectedListing[]> {
    return (await this.#get('/api/v1/rejected', 'limit=5000')) as RejectedListing[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal?.close();
    await this.#delivery?.stop(2000);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #get(path: string, query = ''): Promise<unknown> {
    const route = this.#delivery!.routes.find((one) => one.path === path && one.method === 'GET')!;
    const reply = await route.handle({
      method: 'GET',
      path,
      wildcards: [],
      query: new URLSearchParams(query),
      headers: {},
      body: Buffer.alloc(0),
      org: 1,
      signal: new AbortController().signal,
    });
    return (JSON.parse(reply.body as string) as { data: unknown }).data;
  }

  #numberOf(labels: Readonly<Record<string, string>>): number {
    const key = JSON.stringify(labels);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(key, number);
      this.#series.set(number, fieldsOf(labels));
    }
    return number;
  }

  #labels(): SeriesLabels {
    return {
      find: (_org, _metricLow, _metricHigh, _low, high) => this.#series.get(high),
      load: (_org, ids) => Promise.resolve(Array.from({ length: ids.length / 4 }, () => undefined)),
    };
  }
}

export interface SampleOf {
  readonly labels: Readonly<Record<string, string>>;
  /** Bits when it is a BigInt. */
  readonly value?: number | bigint;
  readonly time?: number;
}

/** Polls until `probe` gives something. */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  what: string,
  timeoutMs = 5000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await sleep(10);
  }
}
