import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { textAt, valuesOf } from '../../../src/batch/read.ts';
import { dataSources } from '../../../src/catalog/catalog.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import { openChdb } from '../../../src/storage/chdb.ts';
import { storageConfig, type Retention } from '../../../src/storage/config.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { openStorage, type Storage } from '../../../src/storage/open.ts';
import { sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { tempFolder } from './temp-folder.ts';

const log = createLog({ level: 'silent' });
const holder = fileURLToPath(new URL('hold-child.ts', import.meta.url));
let folder: Awaited<ReturnType<typeof tempFolder>>;
let storage: Storage | undefined;

beforeEach(async () => {
  folder = await tempFolder('open');
});
afterEach(async () => {
  await storage?.close();
  storage = undefined;
  await folder.remove();
});

function open(section: unknown = {}, fsync = false): Storage {
  const config = storageConfig.parse(section);
  const backoff = { minMs: 20, maxMs: 100 };
  storage = openStorage({
    config,
    dataDir: folder.path,
    organisations: [1, 7],
    fsync,
    log,
    metrics: createMetrics(),
    backoff,
  });
  return storage;
}

async function opened(target: Storage): Promise<void> {
  await new Promise<void>((resolve) => target.onOpen(resolve));
}

async function ask(target: Storage, statement: ReturnType<typeof sql>): Promise<string> {
  const blocks = await target.store.select(statement);
  return blocks
    .flatMap((block) => Array.from({ length: block.rows }, (_, row) => textAt(block.columns[0]!.data, row)))
    .join('\n');
}

describe('openStorage', () => {
  it('opens behind the back, makes the tables of all organisations, and keeps their identity over a restart', async () => {
    let first = open();
    assert.equal(first.ready().ready, false);
    await assert.rejects(first.store.select(sql`SELECT 1`), { code: 'storage_unavailable' });
    await opened(first);
    assert.deepEqual(first.ready(), { part: 'storage', ready: true });
    const tables = sql`SELECT concat(database, '.', name) AS t FROM system.tables WHERE database LIKE '%prometheus' ORDER BY t`;
    const names = ['exemplars', 'histograms', 'metadata', 'samples', 'series'];
    const expected = [...names.map((name) => `0007_prometheus.${name}`), ...names.map((name) => `prometheus.${name}`)];
    assert.equal(await ask(first, tables), expected.join('\n'));
    const identity = await first.identity(1);
    assert.match(identity, /^[0-9a-f-]{36}$/);
    assert.notEqual(identity, await first.identity(7));
    await first.close();
    first = open();
    assert.equal(await first.identity(1), identity);
  });

  it('waits while another process holds the folder, says who, and opens when it is free', async () => {
    await mkdir(folder.path, { recursive: true });
    const child = spawn(process.execPath, ['--conditions=@sluice/source', holder, join(folder.path, 'chdb')], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    const waiting = open();
    await failed(waiting);
    assert.match(waiting.ready().detail ?? '', new RegExp(`process ${child.pid} holds it`));
    await assert.rejects(waiting.store.select(sql`SELECT 1`), { code: 'storage_unavailable', message: /holds it/ });
    child.stdin.end();
    await opened(waiting);
    assert.equal(waiting.ready().ready, true);
  });

  const damages: readonly (readonly [string, (chdb: string) => Promise<void>])[] = [
    [
      'a table description is garbage',
      async (chdb) => writeFile(await find(join(chdb, 'store'), 'samples.sql'), 'garbage'),
    ],
    ['a database description is garbage', (chdb) => writeFile(join(chdb, 'metadata', 'prometheus.sql'), 'garbage')],
    [
      'the store is a file',
      async (chdb) => {
        await rm(join(chdb, 'store'), { recursive: true });
        await writeFile(join(chdb, 'store'), 'x');
      },
    ],
    [
      'the folder is a file',
      async (chdb) => {
        await rm(chdb, { recursive: true });
        await writeFile(chdb, 'x');
      },
    ],
  ];
  for (const [name, damage] of damages) {
    it(`lives on when ${name}, and opens once that is mended`, async () => {
      const whole = open();
      await opened(whole);
      await whole.close();
      const chdb = join(folder.path, 'chdb');
      await damage(chdb);
      const broken = open();
      await failed(broken);
      assert.match(broken.ready().detail ?? '', /^cannot .*chdb/);
      await rename(chdb, `${chdb}-damaged`);
      await opened(broken);
      assert.equal(await ask(broken, sql`SELECT toString(count()) AS n FROM prometheus.samples`), '0');
    });
  }

  it('says that a path with pattern characters cannot be used', async () => {
    await assert.rejects(openChdb({ path: join(folder.path, 'a{b}'), maxMemory: 3e8 }), {
      code: 'storage_unavailable',
      message: /without \* \? \{ \}/,
    });
  });

  it('closes while it is still trying', async () => {
    await writeFile(join(folder.path, 'chdb'), 'x');
    const never = open();
    await failed(never);
    await never.close();
    await assert.rejects(never.identity(1), { code: 'storage_unavailable' });
  });

  it('tries a server that is not there again and again', async () => {
    const away = open({ engine: 'clickhouse', urls: ['http://127.0.0.1:1'] });
    await failed(away);
    assert.match(away.ready().detail ?? '', /ECONNREFUSED/);
  });

  it('keeps nothing with engine none', async () => {
    const none = open({ engine: 'none' });
    await opened(none);
    await assert.rejects(none.store.select(sql`SELECT 1`), { code: 'storage_refused' });
  });
});

describe('ensureTables over the embedded database', () => {
  const fiveTables = dataSources.filter(({ database }) => database === 'prometheus');
  let store: Awaited<ReturnType<typeof openChdb>>;
  let own: Awaited<ReturnType<typeof tempFolder>>;
  before(async () => {
    own = await tempFolder('tables');
  });
  after(() => own.remove());
  beforeEach(async () => {
    store = await openChdb({ path: join(own.path, 'chdb'), maxMemory: 400e6 });
  });
  afterEach(() => store.close());

  async function ensure(
    retention: Retention,
    fsync = false,
    sources: readonly DataSource[] = fiveTables,
  ): Promise<string[]> {
    const statements: string[] = [];
    const counting = {
      ...passThrough(store),
      command: async (statement: ReturnType<typeof sql>) => {
        statements.push(statement.text);
        await store.command(statement);
      },
    };
    await ensureTables({ store: counting, sources, organisations: [1], retention, fsync, log });
    return statements;
  }

  it('changes nothing where everything fits', async () => {
    assert.equal((await ensure('default')).length, 6);
    assert.deepEqual(await ensure('default'), []);
    assert.deepEqual(await ensure(new Map([['prometheus.samples', 15 * 86_400_000]])), []);
  });

  it('follows a changed retention, takes it away and gives it back', async () => {
    const engine = sql`SELECT engine_full FROM system.tables WHERE database = 'prometheus' AND name = 'samples'`;
    const text = async () => textAt((await store.select(engine))[0]!.columns[0]!.data, 0);
    assert.equal((await ensure(new Map([['prometheus.samples', 36 * 3_600_000]]))).length, 1);
    assert.match(await text(), /TTL toDateTime\(time\) \+ toIntervalHour\(36\) SETTINGS/);
    assert.equal((await ensure('forever')).length, 5);
    assert.doesNotMatch(await text(), /TTL /);
    assert.deepEqual(await ensure('forever'), []);
    assert.equal((await ensure('default')).length, 5);
    assert.match(await text(), /TTL toDateTime\(time\) \+ toIntervalDay\(15\) SETTINGS/);
    assert.deepEqual(await ensure('default'), []);
  });

  it('switches writing through to the disk on and off', async () => {
    // The two dictionary tables, series and metadata, are always synced.
    assert.equal((await ensure('default', true)).length, 3);
    assert.deepEqual(await ensure('default', true), []);
    assert.equal((await ensure('default', false)).length, 3);
    assert.deepEqual(await ensure('default', false), []);
  });

  it('adds columns that an earlier version did not have', async () => {
    await store.command(
      sql`INSERT INTO prometheus.samples SELECT 1, 2, toDateTime64('2030-01-01 00:00:00', 3, 'UTC'), 3`,
    );
    const wider: DataSource = {
      ...samples,
      columns: [
        ...samples.columns,
        { name: 'new one', type: 'UInt32', role: 'tag', codec: 'ZSTD(1)', description: 'new' },
      ],
    };
    assert.equal((await ensure('default', false, [wider])).length, 1);
    assert.deepEqual(await ensure('default', false, [wider]), []);
    const blocks = await store.select(sql`SELECT value, \`new one\` FROM prometheus.samples`);
    assert.equal(valuesOf(blocks[0]!.columns[1]!.data, Uint32Array)[0], 0);
  });

  it('deletes what is older than its retention by itself', async () => {
    await store.command(
      sql`INSERT INTO prometheus.samples (metric_id, time) SELECT 77, toDateTime64('2020-01-01 00:00:00', 3, 'UTC')`,
    );
    const query = sql`SELECT toUInt32(count()) AS n FROM prometheus.samples WHERE metric_id = 77`;
    const end = performance.now() + 20_000;
    while (valuesOf((await store.select(query))[0]!.columns[0]!.data, Uint32Array)[0] !== 0) {
      assert.ok(performance.now() < end, 'the row is still there');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});

function passThrough(store: Awaited<ReturnType<typeof openChdb>>) {
  return {
    engine: store.engine,
    select: store.select.bind(store),
    stream: store.stream.bind(store),
    close: () => Promise.resolve(),
  };
}

async function failed(target: Storage): Promise<void> {
  const end = performance.now() + 20_000;
  while (!/attempts/.test(target.ready().detail ?? '')) {
    assert.ok(performance.now() < end, 'it did not fail');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function find(root: string, name: string): Promise<string> {
  for (const entry of await readdir(root, { recursive: true }))
    if (entry.endsWith(`/${name}`)) return join(root, entry);
  throw new Error(`no ${name} below ${root}`);
}
