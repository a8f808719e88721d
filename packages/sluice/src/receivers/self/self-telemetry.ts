import { fromRegistry, type TimeSeries } from 'promwrite';
import { encodeWriteRequest } from 'promwrite/wire';
import { errorText } from '../../base/errors.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export interface SelfTelemetryOptions {
  readonly metrics: Metrics;
  /** Takes an encoded, uncompressed 1.0 WriteRequest as if a sender had brought it; resolves when it is durable. */
  readonly write: (message: Uint8Array) => Promise<void>;
  /** Value of the label `instance`: where /metrics of this hub can be scraped. */
  readonly instance: string;
  readonly intervalMs: number;
  readonly log: Log;
}

export interface SelfTelemetry {
  /** Ends the series with stale markers, as the end of a scrape target would. */
  stop(): Promise<void>;
}

/** Writes the hub's own metrics through its own front door, at once and then every `intervalMs`, as `job="sluice"`. */
export function startSelfTelemetry(options: SelfTelemetryOptions): SelfTelemetry {
  const { metrics, log } = options;
  const labels = { job: 'sluice', instance: options.instance };
  const mayLog = rateLimited(60_000);
  let running: Promise<void> | undefined;
  let lastSeries: readonly TimeSeries[] = [];

  const collect = async (): Promise<void> => {
    const timestamp = Date.now();
    const { timeseries, metadata } = await fromRegistry(metrics.registry, { timestamp, labels });
    // What a scrape would add: Prometheus users look for `up` first.
    lastSeries = [...timeseries, { labels: { __name__: 'up', ...labels }, sample: { value: 1, timestamp } }];
    await options.write(encodeWriteRequest({ timeseries: lastSeries, metadata }));
  };
  const report = (work: Promise<void>): Promise<void> =>
    work.then(
      () => metrics.selfWrites.inc({ outcome: 'written' }),
      (error: unknown) => {
        metrics.selfWrites.inc({ outcome: 'refused' });
        mayLog((suppressed) =>
          log.warn({ cause: errorText(error), suppressed }, "cannot write the hub's own telemetry"),
        );
      },
    );
  const tick = (): void => {
    running ??= report(collect()).finally(() => (running = undefined));
  };
  const timer = setInterval(tick, options.intervalMs);
  timer.unref();
  tick();

  return {
    async stop() {
      clearInterval(timer);
      await running;
      if (lastSeries.length === 0) return;
      const timestamp = Date.now();
      const timeseries = lastSeries.map((one) => ({ labels: one.labels, sample: { stale: true, timestamp } as const }));
      await report(options.write(encodeWriteRequest({ timeseries })));
    },
  };
}
