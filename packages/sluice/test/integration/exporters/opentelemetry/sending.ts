import type { TestContext } from 'node:test';
import type { SendOutcome } from '../../../../src/base/ports.ts';
import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';
import { ItemBatch } from '../../../../src/delivery/item-batch.ts';
import type { Exporter } from '../../../../src/delivery/types.ts';
import { opentelemetryExporterSchema } from '../../../../src/exporters/opentelemetry/config.ts';
import { createOpentelemetryExporter } from '../../../../src/exporters/opentelemetry/exporter.ts';
import { compileSelector } from '../../../../src/exporters/select.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../../src/telemetry/metrics.ts';
import { goldenNames } from '../../../unit/exporters/golden-names.ts';
import { batchOf, type MadeRow } from '../../../unit/exporters/opentelemetry/made-row.ts';
import { encodeBatch } from '../../../unit/exporters/opentelemetry/spans-of.ts';

/** An exporter as configured, and batches for it. */

export interface MadeExporter {
  readonly exporter: Exporter;
  readonly metrics: Metrics;
  /** Lines of its log. */
  readonly lines: string[];
}

export function exporterOf(
  t: TestContext,
  endpoints: readonly string[],
  keys: Readonly<Record<string, unknown>> = {},
): MadeExporter {
  const config = opentelemetryExporterSchema.parse({
    protocol: 'opentelemetry',
    'data-sources': ['flow_log.l7_flow_log'],
    endpoints,
    ...keys,
  });
  const metrics = createMetrics();
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line: string) => void lines.push(line) } });
  const selector = compileSelector({
    config,
    source: l7FlowLog,
    names: goldenNames,
    endpoints: () => [],
  });
  const selectors = new Map([[l7FlowLog.id, selector]]);
  const exporter = createOpentelemetryExporter(config, { selectors, names: goldenNames, metrics, log });
  t.after(() => exporter.close());
  return { exporter, metrics, lines };
}

const agent: MadeRow = { end_time: 1_700_000_000_000_000n, signal_source: 3, l7_protocol: 20, request_type: 'GET' };

/** So many rows with the ids 1, 2, ... */
export function rows(count: number): MadeRow[] {
  return Array.from({ length: count }, (_, index) => ({ ...agent, _id: BigInt(index + 1), endpoint: `/${index + 1}` }));
}

/** Items of rows, of which only what `exportFields` names is exported. */
export function itemsOf(made: readonly MadeRow[], exportFields: readonly string[] = []): ItemBatch {
  const partition = { org: 1, table: l7FlowLog.id, writer: '0' };
  return new ItemBatch(partition, encodeBatch(batchOf(made), goldenNames, { exportFields }));
}

export interface SendOptions {
  readonly endpoint?: number;
  readonly attempt?: number;
  readonly timeoutMs?: number;
}

export function send(exporter: Exporter, items: ItemBatch, options: SendOptions = {}): Promise<SendOutcome> {
  const { endpoint = 0, attempt = 0, timeoutMs = 20_000 } = options;
  return exporter.send(items, { endpoint, lane: 0, attempt, signal: AbortSignal.timeout(timeoutMs) });
}
