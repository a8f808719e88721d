import { describe, it } from 'node:test';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { samples, series } from '../../../src/catalog/prometheus.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import {
  addColumn,
  changeFsync,
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

const forms: readonly (readonly [string, TableOptions])[] = [
  ['one server', { retention: 'default' }],
  ['one server, kept for ever', { retention: 'forever' }],
  ['one server, sync: always', { retention: new Map([['prometheus.samples', 5_400_000]]), fsync: true }],
  ['a cluster', { retention: 'default', cluster: 'my cluster' }],
];

describe('tables', () => {
  for (const [name, options] of forms) {
    it(`statements for ${name}`, (t) => {
      const statements = [createDatabase('prometheus', options.cluster).text];
      for (const source of [...dataSources, hourly]) {
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
      ].map((statement) => statement.text),
    );
  });
});
