import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** What common receivers take of labels, unless they are told otherwise. */
const MANY_LABELS = 40;
/** Labels that are left out are spoken of once in this time. */
const WARN_EVERY_MS = 3_600_000;

/** What the encoder of one exporter and data source has to tell, gathered over some rows. */
export class ExportCounters {
  readonly #labels: { readonly exporter: string; readonly data_source: string };
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #maxLabels: number;
  #hasSpoken = false;
  readonly #warn = rateLimited(WARN_EVERY_MS);
  droppedLabels = 0;
  merged = 0;
  /** Most labels that a series had. */
  mostLabels = 0;

  constructor(options: { exporter: string; dataSource: string; maxLabels: number; metrics: Metrics; log: Log }) {
    this.#labels = { exporter: options.exporter, data_source: options.dataSource };
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#maxLabels = options.maxLabels;
  }

  flush(): void {
    if (this.merged > 0) this.#metrics.exporterMerged.inc(this.#labels, this.merged);
    if (this.droppedLabels > 0) {
      this.#metrics.exporterDroppedLabels.inc(this.#labels, this.droppedLabels);
      this.#warn(() =>
        this.#log.warn(
          { ...this.#labels, maxLabels: this.#maxLabels },
          'series have more labels than max-labels: the last tags of the rows are left out; select fewer with export-fields',
        ),
      );
    }
    if (this.mostLabels > MANY_LABELS && !this.#hasSpoken) {
      this.#hasSpoken = true;
      this.#log.warn(
        { ...this.#labels, labels: this.mostLabels },
        'series have more labels than many receivers take (VictoriaMetrics 40, Mimir 30): select fewer with export-fields, or set max-labels',
      );
    }
    this.merged = 0;
    this.droppedLabels = 0;
  }
}
