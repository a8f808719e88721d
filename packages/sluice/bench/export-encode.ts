/**
 * What encoding rows for exporters costs: rows per CPU-second, one thread, from a Batch as the journal hands it on (filters, translation of enums and
 * names on) to what is sent. Rows: golden cases, every field set.
 *
 *   npm run bench -- export-encode [CASE...]
 *
 * A round is one Batch of 4,096 rows, encoded in steps of 64; the best one says what the code can do, the median what the machine was busy with.
 */
import { cpus, loadavg } from 'node:os';
import { compressSync } from 'snappy';
import { findDataSource } from '../src/catalog/catalog.ts';
import { ItemBatch } from '../src/delivery/item-batch.ts';
import { ItemWriter } from '../src/delivery/item-writer.ts';
import type { ItemSink } from '../src/delivery/types.ts';
import { kafkaExporterSchema } from '../src/exporters/kafka/config.ts';
import { createKafkaExporter } from '../src/exporters/kafka/exporter.ts';
import { opentelemetryExporterSchema } from '../src/exporters/opentelemetry/config.ts';
import { createOpentelemetryExporter } from '../src/exporters/opentelemetry/exporter.ts';
import { prometheusExporterSchema } from '../src/exporters/prometheus/config.ts';
import { createPrometheusExporter } from '../src/exporters/prometheus/exporter.ts';
import type { SelectionConfig } from '../src/exporters/config-filters.ts';
import { compileSelector } from '../src/exporters/select.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { goldenBatch, goldenExports } from '../test/unit/exporters/golden-batch.ts';
import { goldenNames } from '../test/unit/exporters/golden-names.ts';

const ROWS = 4096;
const STEP = 64;
const ROUNDS = 60;
const names = goldenNames;
const log = createLog({ level: 'silent' });
const metrics = createMetrics();

interface Case {
  readonly name: string;
  readonly table: string;
  readonly protocol: 'kafka' | 'prometheus' | 'opentelemetry';
  /** The encoder of the original in Go, rows per CPU-second on a machine of the same kind. */
  readonly original: string;
}

const cases: readonly Case[] = [
  { name: 'l7-json', table: 'flow_log.l7_flow_log', protocol: 'kafka', original: '60-62 k' },
  { name: 'l4-json', table: 'flow_log.l4_flow_log', protocol: 'kafka', original: '42-49 k' },
  { name: 'network_map-json', table: 'flow_metrics.network_map.1m', protocol: 'kafka', original: '71 k' },
  { name: 'network_map-write', table: 'flow_metrics.network_map.1m', protocol: 'prometheus', original: '1.7-1.9 k' },
  { name: 'application_map-write', table: 'flow_metrics.application_map.1m', protocol: 'prometheus', original: '10 k' },
  { name: 'l7-spans', table: 'flow_log.l7_flow_log', protocol: 'opentelemetry', original: '64-66 k' },
];

function exporterOf({ table, protocol }: Case) {
  const source = findDataSource(table)!;
  const shared = { 'data-sources': [table], 'export-fields': ['$tag', '$metrics'], 'exclude-self-traffic': false };
  const selector = (config: SelectionConfig) =>
    new Map([[table, compileSelector({ config, source, names, endpoints: () => [] })]]);
  const series = { find: () => undefined, load: () => Promise.resolve([]) };
  switch (protocol) {
    case 'kafka': {
      const config = kafkaExporterSchema.parse({ ...shared, protocol, endpoints: ['127.0.0.1:9092'] });
      return createKafkaExporter(config, { selectors: selector(config), log });
    }
    case 'prometheus': {
      const config = prometheusExporterSchema.parse({
        ...shared,
        protocol,
        endpoints: ['http://127.0.0.1:9090/w'],
        'on-duplicate': 'keep',
      });
      return createPrometheusExporter(config, { selectors: selector(config), series, metrics, log });
    }
    case 'opentelemetry': {
      const config = opentelemetryExporterSchema.parse({ ...shared, protocol, endpoints: ['127.0.0.1:4317'] });
      return createOpentelemetryExporter(config, { selectors: selector(config), names, metrics, log });
    }
  }
}

function measure(one: Case): string {
  const golden = goldenExports(one.table).filter((found) => found.org_id === 1 && found.platform === 'inventory-1');
  const batch = goldenBatch(Array.from({ length: ROWS }, (_, row) => golden[row % golden.length]!));
  const exporter = exporterOf(one);
  const partition = { org: 1, table: one.table, writer: 'main' };
  const writer = new ItemWriter();
  const sink: ItemSink = { lanes: 1, lane: () => writer, spread: () => writer, reject: () => {} };
  const figures: number[] = [];
  let bytes = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    const pass = exporter.begin(batch, 0, Date.now());
    bytes = 0;
    for (let from = 0; from < pass.rows.length; from += STEP) {
      pass.encode(from, Math.min(from + STEP, pass.rows.length), sink);
      bytes += writer.at;
      if (one.protocol === 'prometheus') compressSync(new ItemBatch(partition, writer).bodies);
      writer.clear();
    }
    const { user, system } = process.cpuUsage(before);
    if (round > 0) figures.push((pass.rows.length / (user + system)) * 1000);
  }
  figures.sort((a, b) => a - b);
  const text = (thousands: number) => thousands.toFixed(thousands < 100 ? 1 : 0);
  return `${text(figures.at(-1)!)} (${text(figures[ROUNDS >> 1]!)}) k, ${Math.round(bytes / batch.rows)} B`;
}

const chosen = process.argv.slice(2);
console.log(
  `rows per CPU-second, ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}; best (median) of ${ROUNDS} rounds; load ${loadavg()[0]!.toFixed(1)}`,
);
for (const one of cases) {
  if (chosen.length > 0 && !chosen.includes(one.name)) continue;
  console.log(`${one.name.padEnd(24)}${measure(one).padEnd(32)}the original (Go): ${one.original}`);
}
