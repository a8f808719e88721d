import { createHmac, randomBytes } from 'node:crypto';
import type { Metrics } from '../telemetry/metrics.ts';
import { endpointLabel } from './endpoints.ts';
import type { Exporter } from './types.ts';

/** What an exporter did since it was started, as its state shows it. */
export interface ExporterCounts {
  rowsReceived: number;
  readonly rowsLeftOut: Map<string, number>;
  itemsEncoded: number;
  itemsSent: number;
  readonly itemsRejected: Map<string, number>;
  readonly itemsDropped: Map<string, number>;
  readonly requests: Map<string, number>;
  retries: number;
  sentBytes: number;
}

export type RunState = 'running' | 'retrying' | 'misconfigured' | 'refused' | 'stopped';
const STATES: readonly RunState[] = ['running', 'retrying', 'misconfigured', 'refused', 'stopped'];

/** Settings may have secrets in them: the hash that is shown cannot be tried out with guesses. */
const hashKey = randomBytes(16);

/** Counts one exporter, per batch or step: in the hub's metrics and for its own state. */
export class ExporterMeter {
  readonly counts: ExporterCounts = {
    rowsReceived: 0,
    rowsLeftOut: new Map(),
    itemsEncoded: 0,
    itemsSent: 0,
    itemsRejected: new Map(),
    itemsDropped: new Map(),
    requests: new Map(),
    retries: 0,
    sentBytes: 0,
  };
  readonly #metrics: Metrics;
  readonly #names: { readonly exporter: string; readonly protocol: string };
  readonly #endpoints: readonly string[];
  readonly #hash: string;
  readonly #highest = new Map<string, number>();

  constructor(metrics: Metrics, { name, protocol, endpoints, fingerprint, settings }: Exporter) {
    this.#metrics = metrics;
    this.#names = { exporter: name, protocol };
    this.#endpoints = endpoints.map(endpointLabel);
    this.#hash = createHmac('sha256', hashKey).update(fingerprint).digest('hex').slice(0, 12);
    metrics.exporterConfigInfo.set({ ...this.#names, hash: this.#hash }, 1);
    metrics.exporterQueueCapacity.set(this.#names, settings.queueBytes);
    this.state('running');
    this.queue(0, 0);
  }

  received(table: string, rows: number): void {
    this.counts.rowsReceived += rows;
    this.#metrics.exporterRowsReceived.inc({ ...this.#names, data_source: table }, rows);
  }

  leftOut(table: string, left: ReadonlyMap<string, number>): void {
    for (const [reason, rows] of left) {
      add(this.counts.rowsLeftOut, reason, rows);
      this.#metrics.exporterRowsLeftOut.inc({ ...this.#names, data_source: table, reason }, rows);
    }
  }

  encoded(table: string, items: number): void {
    this.counts.itemsEncoded += items;
    this.#metrics.exporterItemsEncoded.inc({ ...this.#names, data_source: table }, items);
  }

  sent(table: string, what: { readonly items: number; readonly bytes: number; readonly highestMs: number }): void {
    const { items, bytes, highestMs } = what;
    if (items === 0) return;
    this.counts.itemsSent += items;
    this.counts.sentBytes += bytes;
    this.#metrics.exporterItemsSent.inc({ ...this.#names, data_source: table }, items);
    this.#metrics.exporterSentBytes.inc(this.#names, bytes);
    if (highestMs <= (this.#highest.get(table) ?? -Infinity)) return;
    this.#highest.set(table, highestMs);
    this.#metrics.exporterHighestSent.set({ ...this.#names, data_source: table }, highestMs / 1000);
  }

  rejected(table: string, reason: string, items: number): void {
    add(this.counts.itemsRejected, reason, items);
    this.#metrics.exporterItemsRejected.inc({ ...this.#names, data_source: table, reason }, items);
  }

  dropped(table: string, reason: string, items: number): void {
    if (items === 0) return;
    add(this.counts.itemsDropped, reason, items);
    this.#metrics.exporterItemsDropped.inc({ ...this.#names, data_source: table, reason }, items);
  }

  request(endpoint: number, what: { readonly outcome: string; readonly ms: number; readonly isRetry: boolean }): void {
    const { outcome, ms, isRetry } = what;
    const labels = { ...this.#names, endpoint: this.#endpoints[endpoint] ?? '' };
    add(this.counts.requests, outcome, 1);
    this.#metrics.exporterRequests.inc({ ...labels, outcome });
    this.#metrics.exporterRequestSeconds.observe(this.#names, ms / 1000);
    if (!isRetry) return;
    this.counts.retries++;
    this.#metrics.exporterRetries.inc(labels);
  }

  endpoint(endpoint: number, isUp: boolean): void {
    this.#metrics.exporterEndpointUp.set({ ...this.#names, endpoint: this.#endpoints[endpoint] ?? '' }, isUp ? 1 : 0);
  }

  queue(rows: number, bytes: number): void {
    this.#metrics.exporterQueueRows.set(this.#names, rows);
    this.#metrics.exporterQueueBytes.set(this.#names, bytes);
  }

  /** `epochMs`: when the oldest pending rows came; undefined when there are none. */
  oldestPending(epochMs: number | undefined): void {
    this.#metrics.exporterOldestPending.set(this.#names, epochMs === undefined ? 0 : epochMs / 1000);
  }

  state(now: RunState): void {
    for (const state of STATES) this.#metrics.exporterState.set({ ...this.#names, state }, state === now ? 1 : 0);
  }

  /** The exporter is gone, or another one takes its name: what tells of the present is removed, counters stay. */
  close(): void {
    const { exporterEndpointUp, exporterState, exporterConfigInfo } = this.#metrics;
    for (const endpoint of this.#endpoints) exporterEndpointUp.remove({ ...this.#names, endpoint });
    for (const state of STATES) exporterState.remove({ ...this.#names, state });
    exporterConfigInfo.remove({ ...this.#names, hash: this.#hash });
    const { exporterQueueRows, exporterQueueBytes, exporterQueueCapacity, exporterOldestPending } = this.#metrics;
    for (const gauge of [exporterQueueRows, exporterQueueBytes, exporterQueueCapacity, exporterOldestPending]) {
      gauge.remove(this.#names);
    }
  }
}

function add(counts: Map<string, number>, reason: string, more: number): void {
  counts.set(reason, (counts.get(reason) ?? 0) + more);
}
