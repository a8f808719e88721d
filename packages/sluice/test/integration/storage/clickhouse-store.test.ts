import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Batch } from '../../../src/batch/batch.ts';
import { BatchBuilder, StringBuilder } from '../../../src/batch/builder.ts';
import { encodeNative } from '../../../src/batch/native.ts';
import { textAt, valuesOf } from '../../../src/batch/read.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import { createClickHouse, type ClickHouseStore } from '../../../src/storage/clickhouse.ts';
import { sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { needs } from '../../e2e/processes.ts';
import { startChdbFront, type ChdbFront } from './chdb-front.ts';
import { startOldClickHouse } from './old-clickhouse.ts';
import { storeContract } from './store-contract.ts';
import { tempFolder } from './temp-folder.ts';

const log = createLog({ level: 'silent' });
let front: ChdbFront;
let store: ClickHouseStore;
let remove: () => Promise<void>;

before(async () => {
  const folder = await tempFolder('front');
  ({ remove } = folder);
  front = await startChdbFront(folder.path);
  store = createClickHouse({ urls: [front.url], log });
});
after(async () => {
  await store.close();
  await front.close();
  await remove();
});

storeContract({ name: 'HTTP, with the embedded engine behind it', store: () => store });

describe('HTTP store', () => {
  it('goes on with the next server when one cannot be reached', async () => {
    const dead = await freePort();
    const two = createClickHouse({ urls: [`http://127.0.0.1:${dead}`, front.url, `http://127.0.0.1:${dead}`], log });
    try {
      for (let i = 0; i < 5; i++) assert.equal((await two.select(sql`SELECT 1 AS one`)).length, 1);
      let rows = 0;
      for await (const block of two.stream(sql`SELECT number FROM numbers(10)`)) rows += block.rows;
      assert.equal(rows, 10);
    } finally {
      await two.close();
    }
  });

  it('does not ask another server after a refusal', async () => {
    const two = createClickHouse({ urls: [front.url, front.url], log });
    try {
      const from = front.statements.length;
      await assert.rejects(two.select(sql`SELECT wrong_name_here`), { code: 'storage_refused' });
      assert.equal(front.statements.length - from, 1);
    } finally {
      await two.close();
    }
  });

  it('says that no server can be reached, and recovers', async () => {
    await front.stopListening();
    await assert.rejects(store.select(sql`SELECT 1`), { code: 'storage_unavailable', message: /ECONNREFUSED/ });
    await assert.rejects(store.command(sql`SELECT 1`), { code: 'storage_unavailable' });
    await front.listen();
    assert.equal((await store.select(sql`SELECT 1 AS one`)).length, 1);
  });

  it('gives up on a server that does not answer', async () => {
    front.mishaps.hang = true;
    const hasty = createClickHouse({ urls: [front.url], log, graceMs: 100 });
    try {
      const expected = { code: 'storage_unavailable', message: /no answer within 0\.3 s/ };
      await assert.rejects(hasty.select(sql`SELECT 1`, { timeoutMs: 300 }), expected);
    } finally {
      front.mishaps.hang = false;
      await hasty.close();
    }
  });

  it('finds the words of a server that fails in the middle of an answer', async () => {
    front.mishaps.failAnswersAfterBytes = 100_000;
    try {
      const read = async () => {
        let rows = 0;
        for await (const block of store.stream(sql`SELECT number FROM numbers(10000000)`)) rows += block.rows;
        return rows;
      };
      await assert.rejects(read(), { code: 'storage_limit', message: /too much memory/ });
    } finally {
      front.mishaps.failAnswersAfterBytes = undefined;
    }
  });

  it('sends a name and a password, never in the address', async () => {
    const { url, headers, close } = await recordingServer();
    const login = createClickHouse({ urls: [url], username: 'sluice', password: 'p"ss', log });
    try {
      await login.command(sql`SELECT 1`).catch(() => {});
      assert.equal(headers['authorization'], `Basic ${Buffer.from('sluice:p"ss').toString('base64')}`);
    } finally {
      await login.close();
      await close();
    }
  });
});

describe('ClickHouse 18.16', needs('clickhouse-server'), () => {
  let old: ClickHouseStore;
  let close: () => Promise<void>;
  before(async () => {
    const folder = await tempFolder('clickhouse');
    const server = await startOldClickHouse(folder.path);
    // It does not look at its time limit while it adds up: our own patience ends such a statement.
    old = createClickHouse({ urls: [server.url], log, graceMs: 500 });
    close = async () => {
      await old.close();
      await server.stop();
      await folder.remove();
    };
  });
  after(() => close());

  storeContract({ name: 'HTTP, with a server of 2018 behind it', store: () => old, old: true });

  it('takes a Native block out of the middle of a file', async () => {
    await using folder = await disposableFolder();
    const path = join(folder.path, 'segment');
    const bytes = Buffer.concat(encodeNative([threeRows()]).chunks);
    await writeFile(path, Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]));
    await old.command(sql`CREATE DATABASE IF NOT EXISTS sluice_insert`);
    await old.command(sql`CREATE TABLE sluice_insert.r (n UInt64, v Float64, l Array(String)) ENGINE = Memory`);
    try {
      const insert = {
        statement: sql`INSERT INTO sluice_insert.r (n, v, l) FORMAT Native`,
        path,
        start: 6,
        end: 6 + bytes.length,
        queryId: 'sluice-insert-1',
        timeoutMs: 10_000,
        settings: {},
      };
      await old.insertFile(old.nodes.first(), insert, new AbortController().signal);
      const [block] = await old.select(
        sql`SELECT n, v, arrayStringConcat(l, '|') AS l FROM sluice_insert.r ORDER BY n`,
      );
      const [n, v, l] = block!.columns.map(({ data }) => data);
      assert.deepEqual([...valuesOf(n!, BigUint64Array)], [1n, 2n, 2n ** 64n - 1n]);
      // A stale marker is a NaN with a payload.
      assert.deepEqual([...valuesOf(v!, BigUint64Array)], [0x3ff8000000000000n, 0x7ff0000000000002n, 0n]);
      assert.deepEqual(
        [0, 1, 2].map((row) => textAt(l!, row)),
        ['a|', '', 'ü'],
      );
    } finally {
      await old.command(sql`DROP DATABASE sluice_insert`);
    }
  });
});

describe('a real ClickHouse server', () => {
  const url = process.env['SLUICE_TEST_CLICKHOUSE_URL'];
  if (url === undefined) it('store contract', { skip: 'SLUICE_TEST_CLICKHOUSE_URL is not set' });
  else {
    const real = createClickHouse({ urls: [url], log });
    after(() => real.close());
    storeContract({ name: `ClickHouse at ${url}`, store: () => real });
    it('answers', async () => {
      assert.equal(valuesOf((await real.select(sql`SELECT toUInt8(7) AS n`))[0]!.columns[0]!.data, Uint8Array)[0], 7);
    });
  }
});

async function disposableFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const { path, remove: removeFolder } = await tempFolder('segment');
  return { path, [Symbol.asyncDispose]: removeFolder };
}

/** Of types that a server of 2018 knows. */
function threeRows(): Batch {
  const column = (name: string, type: string) => ({ name, type, role: 'metric', description: '' }) as const;
  const columns = [column('n', 'UInt64'), column('v', 'Float64'), column('l', 'Array(String)')];
  const builder = new BatchBuilder({ ...samples, columns, time: { column: 'n', unit: 'ms' } });
  const [n, v, l] = [builder.fixed('n'), builder.fixed('v'), builder.array('l')];
  const texts = l.element;
  assert.ok(texts instanceof StringBuilder);
  for (const fixed of [n, v]) fixed.reserve(3);
  const add = (low: number, high: number, valueLow: number, valueHigh: number, list: readonly string[]) => {
    n.appendHalves(low, high);
    v.appendHalves(valueLow, valueHigh);
    for (const text of list) texts.appendText(text);
    l.close();
  };
  add(1, 0, 0, 0x3ff80000, ['a', '']);
  add(2, 0, 2, 0x7ff00000, []);
  add(0xffffffff, 0xffffffff, 0, 0, ['ü']);
  return builder.finish(1, 0, 0);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function recordingServer() {
  const { createServer: createHttp } = await import('node:http');
  const headers: Record<string, string | undefined> = {};
  const server = createHttp((request, response) => {
    headers['authorization'] = request.headers.authorization;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { url: `http://127.0.0.1:${port}`, headers, close };
}
