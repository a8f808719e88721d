import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { deepflowCollector } from '../../../src/catalog/external-metrics.ts';
import { l4Packet } from '../../../src/catalog/l4-packet.ts';
import { exemplars, histograms, metadata, samples, series } from '../../../src/catalog/prometheus.ts';
import { applicationByDay, applicationByHour } from '../../../src/catalog/roll-ups.ts';
import { trafficPolicy1m } from '../../../src/catalog/traffic-policy.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import {
  addColumn,
  changeFsync,
  changeIndexes,
  changeRetention,
  createDatabase,
  createTables,
  type TableOptions,
} from '../../../src/storage/tables.ts';

const hourly: DataSource = {
  ...samples,
  id: 'flow_log.l7_flow_log',
  database: 'flow_log',
  table: 'l7_flow_log',
  partitionBy: 'hour',
  time: { column: 'time', unit: 's' },
  columns: [
    { name: 'time', type: 'DateTime', role: 'time', description: 'seconds' },
    { name: 'app service', type: 'LowCardinality(String)', role: 'tag', description: 'a name that needs quotes' },
  ],
  orderBy: ['app service', 'time'],
  retention: { days: 3, extraHours: 0 },
};

/** Each engine, cut and kind of column once. */
const shown: readonly DataSource[] = [
  series,
  samples,
  histograms,
  exemplars,
  metadata,
  hourly,
  trafficPolicy1m,
  l4Packet,
  deepflowCollector,
  applicationByHour.to,
  applicationByDay.to,
];

const forms: readonly (readonly [string, TableOptions])[] = [
  ['one server', { retention: 'default' }],
  ['one server, kept for ever', { retention: 'forever' }],
  ['one server, sync: always', { retention: new Map([['prometheus.samples', 5_400_000]]), fsync: true }],
  ['one server, all skip indexes', { retention: 'default', skipIndexes: 'all' }],
  [
    'a cluster, skip indexes of one table',
    {
      retention: 'default',
      cluster: 'my cluster',
      skipIndexes: new Set([l4Packet.id]),
    },
  ],
  ['a cluster', { retention: 'default', cluster: 'my cluster' }],
];

describe('tables', () => {
  for (const [name, options] of forms) {
    it(`statements for ${name}`, (t) => {
      const statements = [createDatabase('prometheus', options.cluster).text];
      for (const source of shown) {
        statements.push(...createTables(source, 1, options).map((statement) => statement.text));
      }
      t.assert.snapshot(statements);
    });
  }

  it('changes', (t) => {
    const column = { name: 'new', type: 'UInt32', role: 'tag', codec: 'ZSTD(1)', description: 'new' } as const;
    t.assert.snapshot(
      [
        ...createTables(series, 7, { retention: 'default' }),
        ...addColumn(samples, 1, column),
        ...addColumn(samples, 1, column, 'c'),
        changeRetention(samples, 1, { retention: new Map([['prometheus.samples', 90_000]]) }),
        changeRetention(samples, 1, { retention: 'forever', cluster: 'c' }),
        changeRetention(series, 7, { retention: new Map([['prometheus.series', 86_400_000]]) }),
        changeFsync(samples, 1, { retention: 'default', fsync: true }),
        changeFsync(samples, 1, { retention: 'default', cluster: 'c' }),
        changeIndexes(l4Packet, 1, { retention: 'default', skipIndexes: 'all', columns: l4Packet.columns.slice(0, 2) }),
        changeIndexes(l4Packet, 1, { retention: 'default', cluster: 'c', columns: l4Packet.columns.slice(0, 2) }),
      ].map((statement) => statement.text),
    );
  });

  it('asks for skip indexes of the tables named, or of all, or of none', () => {
    const indexed = (skipIndexes: NonNullable<TableOptions['skipIndexes']>) =>
      dataSources
        .filter((source) => /INDEX/.test(createTables(source, 1, { retention: 'default', skipIndexes })[0]!.text))
        .map(({ id }) => id);
    assert.deepEqual(indexed('none'), []);
    assert.deepEqual(indexed(new Set(['flow_log.l7_flow_log'])), ['flow_log.l7_flow_log']);
    // The tables of Prometheus and the dictionaries have no such indexes.
    assert.deepEqual(
      indexed('all'),
      dataSources.map(({ id }) => id).filter((id) => !/^(?:prometheus|flow_tag)\./.test(id)),
    );
  });
});
