import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { textAt } from '../../../src/batch/read.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { databaseOf, dataSources } from '../../../src/catalog/catalog.ts';
import { l7FlowLog } from '../../../src/catalog/l7-flow-log.ts';
import { network1m, networkMap1m } from '../../../src/catalog/network.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import { createChdbTarget } from '../../../src/storage/chdb-target.ts';
import { openChdb, type ChdbStore } from '../../../src/storage/chdb.ts';
import type { SkipIndexes } from '../../../src/storage/config.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { startLoader } from '../../../src/storage/loader.ts';
import { nextPartitionStart, partitionIdAt, partitionStart } from '../../../src/storage/partition-calendar.ts';
import { identifier, sql, type Sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { SegmentFiles } from './segment-files.ts';
import { tempFolder } from './temp-folder.ts';

const log = createLog({ level: 'silent' });
/** A second in the middle of a week and a month. */
const NOON = Date.UTC(2024, 10, 20, 12, 34, 56);

let store: ChdbStore;
let folder: Awaited<ReturnType<typeof tempFolder>>;

before(async () => {
  folder = await tempFolder('every-table');
  store = await openChdb({ path: join(folder.path, 'chdb'), maxMemory: 400e6 });
});
after(async () => {
  await store.close();
  await folder.remove();
});

interface Ensured {
  readonly skipIndexes?: SkipIndexes;
  readonly organisations?: readonly number[];
  readonly sources?: readonly DataSource[];
}

async function ensure({ skipIndexes = 'none', organisations = [1], sources = dataSources }: Ensured = {}) {
  const statements: string[] = [];
  const noting = {
    engine: store.engine,
    select: store.select.bind(store),
    stream: store.stream.bind(store),
    close: () => Promise.resolve(),
    command: async (statement: Sql) => {
      statements.push(statement.text);
      await store.command(statement);
    },
  };
  await ensureTables({ store: noting, sources, organisations, retention: 'forever', skipIndexes, log });
  return statements;
}

async function texts(statement: Sql): Promise<string[][]> {
  const blocks = await store.select(statement);
  return blocks.flatMap((block) =>
    Array.from({ length: block.rows }, (_, row) => block.columns.map((column) => textAt(column.data, row))),
  );
}

/** Rows that say nothing but when they happened; of how many rows they are made, in tables that drop rows without any sum. */
function rowsAt(source: DataSource, times: readonly number[], org: number) {
  const block = new RowBlock(source);
  const time = block.fixed[block.column(source.time.column)];
  assert(time !== undefined);
  for (const ms of times) {
    time.u32[block.rows] = ms / 1000;
    if (source.engine.kind === 'SummingMergeTree') block.setInteger(block.column(source.engine.sums.at(-1)!), 1);
    block.commit(ms);
  }
  return block.finish(org);
}

describe('the tables of every data source', () => {
  it('are made once, with the columns, codecs and keys of the catalog', async () => {
    const databases = new Set(dataSources.map(({ database }) => database));
    assert.equal((await ensure()).length, databases.size + dataSources.length);
    assert.deepEqual(await ensure(), []);
    for (const source of dataSources) {
      const columns = await texts(
        sql`SELECT name, type, compression_codec FROM system.columns WHERE database = ${source.database} AND table = ${source.table} ORDER BY position`,
      );
      assert.deepEqual(
        columns.map(([name, type]) => [name, type]),
        source.columns.map(({ name, type }) => [name, type]),
        source.id,
      );
      for (const [index, { codec }] of source.columns.entries()) {
        if (codec === undefined) assert.equal(columns[index]![2], '');
        // It adds widths: Delta(8).
        else assert.equal(columns[index]![2]!.replaceAll(/(Delta|Gorilla|T64)\([^)]*\)/g, '$1'), `CODEC(${codec})`);
      }
      const [keys] = await texts(
        sql`SELECT sorting_key, engine FROM system.tables WHERE database = ${source.database} AND name = ${source.table}`,
      );
      assert.deepEqual(keys, [source.orderBy.join(', '), source.engine.kind]);
    }
  });

  it('take segments that span partitions, each row into the partition that was foreseen', async () => {
    await ensure({ organisations: [1, 7], sources: [networkMap1m] });
    const journal = new SegmentFiles(join(folder.path, 'journal'));
    const target = await createChdbTarget(store, join(folder.path, 'ingest'));
    const foreseen = new Map<string, Set<string | undefined>>();
    const noting: typeof target = {
      ...target,
      insert: (piece, marker, signal) => {
        const key = `${databaseOf(piece.source, piece.org)}.${piece.source.table}`;
        const ids = foreseen.get(key) ?? new Set();
        foreseen.set(key, ids.add(piece.partitionId));
        return target.insert(piece, marker, signal);
      },
    };
    const expected = new Map<string, readonly string[]>();
    for (const source of dataSources.filter(
      ({ database, partitionBy }) => database !== 'prometheus' && partitionBy !== 'none',
    )) {
      const cut = source.partitionBy;
      assert(cut !== 'none');
      const start = partitionStart(cut, NOON);
      const next = nextPartitionStart(cut, start);
      const times = [NOON, start, next - 1000, next];
      const org = source.id === networkMap1m.id ? 7 : 1;
      journal.add(source.id, [rowsAt(source, times.slice(0, 2), org), rowsAt(source, times.slice(2), org)]);
      const ids = [start, next].map((begin) => partitionIdAt(cut, begin)!);
      expected.set(`${databaseOf(source, org)}.${source.table}`, ids);
    }
    const loader = startLoader({
      journal,
      journalUuid: 'u',
      target: noting,
      organisations: [1, 7],
      log,
      metrics: createMetrics(),
      backoff: { minMs: 5, maxMs: 20 },
    });
    await journal.drained(60_000);
    await loader.stop(1000);
    assert.deepEqual(journal.quarantined, []);
    const parts = await texts(
      sql`SELECT concat(database, '.', table), partition_id, toString(sum(rows)) FROM system.parts WHERE active AND database != 'system' GROUP BY 1, 2 ORDER BY 1, 2`,
    );
    for (const [table, ids] of expected) {
      const own = parts.filter(([name]) => name === table);
      assert.deepEqual(
        own.map(([, id]) => id),
        ids.toSorted(),
        table,
      );
      assert.deepEqual(foreseen.get(table), new Set(ids), table);
    }
    const rows = parts.filter(([name]) => name === '0007_flow_metrics.network_map.1m').map(([, , count]) => count);
    assert.deepEqual(rows, ['3', '1']);
  });

  it('get and lose skip indexes as they are asked for', async () => {
    const sources = [samples, network1m, l7FlowLog];
    const l7 = sql`SELECT name, type_full, expr, toString(granularity) FROM system.data_skipping_indices WHERE database = 'flow_log' AND table = 'l7_flow_log' ORDER BY name`;
    const tables = sql`SELECT DISTINCT concat(database, '.', table) FROM system.data_skipping_indices ORDER BY 1`;
    assert.deepEqual(await texts(tables), []);
    const some = { sources, skipIndexes: new Set([l7FlowLog.id]) };
    assert.equal((await ensure(some)).length, 1);
    assert.deepEqual(await ensure(some), []);
    assert.deepEqual(await texts(tables), [[l7FlowLog.id]]);
    const found = new Map((await texts(l7)).map(([name, ...rest]) => [name, rest]));
    assert.equal(found.size, l7FlowLog.columns.filter(({ index }) => index !== undefined).length);
    assert.deepEqual(found.get('trace_id_idx'), ['bloom_filter', 'trace_id', '2']);
    assert.deepEqual(found.get('server_port_idx'), ['set(300)', 'server_port', '2']);
    await ensure({ sources, skipIndexes: 'all' });
    assert.deepEqual(await texts(tables), [[l7FlowLog.id], [network1m.id]]);
    // One that somebody else added stays.
    const table = identifier('flow_metrics', 'network.1m');
    await store.command(sql`ALTER TABLE ${table} ADD INDEX own ip4 TYPE minmax GRANULARITY 1`);
    await ensure({ sources });
    assert.deepEqual(await texts(tables), [[network1m.id]]);
    assert.deepEqual(await ensure({ sources }), []);
  });
});
