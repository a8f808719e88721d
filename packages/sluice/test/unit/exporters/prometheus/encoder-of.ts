import type { Names } from '../../../../src/base/ports.ts';
import type { DataSource } from '../../../../src/catalog/types.ts';
import { ExportCounters } from '../../../../src/exporters/prometheus/counters.ts';
import type { SeriesOptions } from '../../../../src/exporters/prometheus/options.ts';
import { RowEncoder } from '../../../../src/exporters/prometheus/row-encoder.ts';
import { compileSelector } from '../../../../src/exporters/select.ts';
import type { SelectionConfig } from '../../../../src/exporters/config-filters.ts';
import type { Selector } from '../../../../src/exporters/selection.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { goldenNames } from '../golden-names.ts';
import { selection } from '../selection-config.ts';

export function seriesOptions(own: Partial<SeriesOptions> = {}): SeriesOptions {
  return {
    externalLabels: new Map(),
    metricPrefix: '',
    emptyTags: false,
    emptyMetrics: true,
    onDuplicate: 'merge',
    maxLabels: Infinity,
    ...own,
  };
}

export function countersOf(dataSource: string, maxLabels = Infinity) {
  const lines: string[] = [];
  const metrics = createMetrics();
  const log = createLog({ destination: { write: (line: string) => void lines.push(line) } });
  return { metrics, lines, counters: new ExportCounters({ exporter: 'out', dataSource, maxLabels, metrics, log }) };
}

export function selectorOf(
  source: DataSource,
  own: Partial<SelectionConfig> = {},
  names: Names = goldenNames,
): Selector {
  return compileSelector({ config: selection(own), source, names, endpoints: () => [] });
}

/** Encoder of one data source, with settings that send everything. */
export function rowEncoder(selector: Selector, own: Partial<SeriesOptions> = {}): RowEncoder {
  const options = seriesOptions(own);
  return new RowEncoder(selector, options, countersOf(selector.source.id, options.maxLabels).counters);
}
