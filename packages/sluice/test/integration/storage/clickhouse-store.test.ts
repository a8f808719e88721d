import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createServer } from 'node:net';
import { valuesOf } from '../../../src/batch/read.ts';
import { createClickHouse, type ClickHouseStore } from '../../../src/storage/clickhouse.ts';
import { sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { startChdbFront, type ChdbFront } from './chdb-front.ts';
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

describe('ClickHouse 18.16', () => {
  const url = process.env['SLUICE_TEST_CLICKHOUSE_18'];
  if (url === undefined) it('store contract', { skip: 'SLUICE_TEST_CLICKHOUSE_18 (its URL) is not set' });
  else {
    const old = createClickHouse({ urls: [url], log });
    after(() => old.close());
    storeContract({ name: `ClickHouse 18.16 at ${url}`, store: () => old, old: true });
  }
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
