import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Batch } from '../../src/batch/batch.ts';
import { RowBlock } from '../../src/batch/row-block.ts';
import { findDataSource } from '../../src/catalog/catalog.ts';
import { EXPORTER_SCHEMAS, type ExporterConfig } from '../../src/config/exporter-schema.ts';
import type { Exporter } from '../../src/delivery/types.ts';
import { createExporters, createSeriesLabels, type OutputsOptions } from '../../src/outputs.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { goldenNames } from './exporters/golden-names.ts';
import { writeRow } from './tags/tagged-rows.ts';

const SPANS = 'flow_log.l7_flow_log';
const MAP = 'flow_metrics.application_map.1m';

function configOf(
  protocol: ExporterConfig['protocol'],
  endpoints: readonly string[],
  keys: Readonly<Record<string, unknown>> = {},
): ExporterConfig {
  const sources = protocol === 'prometheus' ? [MAP] : [SPANS];
  return EXPORTER_SCHEMAS.get(protocol)!.parse({ protocol, endpoints, 'data-sources': sources, ...keys });
}

interface Made {
  readonly exporters: readonly Exporter[];
  /** Names that were looked up since the last look. */
  readonly takeAsked: () => string[];
  readonly addresses: Map<string, string>;
}

/** Exporters over names that stand for these addresses; the first look-up is done. */
async function make(t: TestContext, configs: readonly ExporterConfig[], asked: string[] = []): Promise<Made> {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const addresses = new Map([
    ['a.example', '10.0.0.9'],
    ['b.example', '10.0.0.8'],
  ]);
  const options: OutputsOptions = {
    names: goldenNames,
    series: { find: () => undefined, load: () => Promise.resolve([]) },
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
    lookup: (host) => {
      asked.push(host);
      const address = addresses.get(host);
      return address === undefined ? Promise.reject(new Error('no such name')) : Promise.resolve([address]);
    },
  };
  const exporters = createExporters(configs, options);
  t.after(() => Promise.all(exporters.map((exporter) => exporter.close())));
  await turn();
  return { exporters, takeAsked: () => asked.splice(0).toSorted(), addresses };
}

/** Rows about connections to servers, `address:port` each. */
function batchOf(table: string, servers: readonly string[]): Batch {
  const block = new RowBlock(findDataSource(table)!, 1);
  for (const server of servers) {
    const [address, port] = server.split(':');
    writeRow(block, { time: 1_700_000_000, is_ipv4: 1, ip4_1: address!, server_port: Number(port) });
  }
  return block.finish(1);
}

const SERVERS = ['10.0.0.9:9092', '10.0.0.9:443', '10.0.0.9:80', '10.0.0.8:4317', '10.0.0.8:8080', '10.0.0.7:443'];

/** Servers whose rows are left out as the exporter's own traffic. */
function leftOut(exporter: Exporter): string[] {
  const pass = exporter.begin(batchOf(exporter.tables[0]!, SERVERS), 0, 1_700_000_000_000);
  const left = SERVERS.filter((_, row) => !pass.rows.includes(row));
  assert.equal(pass.left.get('self_traffic') ?? 0, left.length);
  return left;
}

describe('rows about what an exporter itself sends are left out', () => {
  test('by the endpoints of each protocol', async (t) => {
    const { exporters, takeAsked } = await make(t, [
      configOf('kafka', ['a.example:9092', '10.0.0.8:4317']),
      configOf('prometheus', ['https://a.example/w', 'http://a.example/w', 'http://b.example:8080/w']),
      configOf('opentelemetry', ['b.example:4317']),
      configOf('opentelemetry', ['https://a.example/v1/traces'], { name: 'by-http', otlp: { transport: 'http' } }),
    ]);
    assert.deepEqual(
      exporters.map(({ name }) => name),
      ['kafka', 'prometheus', 'opentelemetry', 'by-http'],
    );
    assert.deepEqual(takeAsked(), ['a.example', 'a.example', 'a.example', 'b.example', 'b.example']);
    assert.deepEqual(exporters.map(leftOut), [
      ['10.0.0.9:9092', '10.0.0.8:4317'],
      ['10.0.0.9:443', '10.0.0.9:80', '10.0.0.8:8080'],
      ['10.0.0.8:4317'],
      ['10.0.0.9:443'],
    ]);
  });

  test('unless that is switched off: then nothing is looked up', async (t) => {
    const { exporters, takeAsked } = await make(t, [
      configOf('kafka', ['a.example:9092'], { 'exclude-self-traffic': false }),
    ]);
    t.mock.timers.tick(120_000);
    assert.deepEqual(takeAsked(), []);
    assert.deepEqual(leftOut(exporters[0]!), []);
  });

  test('by their addresses of now, until it is closed', async (t) => {
    const { exporters, takeAsked, addresses } = await make(t, [
      configOf('opentelemetry', ['a.example:443'], { name: 'stays' }),
      configOf('opentelemetry', ['b.example:443'], { name: 'goes' }),
    ]);
    const [stays, goes] = exporters;
    assert.deepEqual(leftOut(stays!), ['10.0.0.9:443']);
    takeAsked();
    await goes!.close();
    addresses.set('a.example', '10.0.0.7');
    t.mock.timers.tick(60_000);
    await turn();
    assert.deepEqual(takeAsked(), ['a.example']);
    assert.deepEqual(leftOut(stays!), ['10.0.0.7:443']);
  });
});

test('when one exporter cannot be made, no name is looked up', async (t) => {
  const good = configOf('kafka', ['a.example:9092']);
  const bad: ExporterConfig = { ...configOf('kafka', ['b.example:9092']), dataSources: ['flow_log.none'] };
  const asked: string[] = [];
  await assert.rejects(make(t, [good, bad], asked), /BUG: no data source flow_log\.none/);
  t.mock.timers.tick(120_000);
  assert.deepEqual(asked, []);
});

test('without a database, series that are in memory no more are known to nobody, which holds no exporter up', async () => {
  const text = Buffer.from('labels');
  const active = { labelsOf: (low: number) => (low === 1 ? text : undefined) };
  const labels = createSeriesLabels({ series: new Map([[1, active]]), store: undefined });
  assert.equal(labels.find(1, 0, 0, 1, 0), text);
  assert.equal(labels.find(1, 0, 0, 2, 0), undefined);
  assert.equal(labels.find(2, 0, 0, 1, 0), undefined);
  assert.deepEqual(await labels.load(1, Uint32Array.of(0, 0, 1, 0, 0, 0, 2, 0)), [undefined, undefined]);
});
