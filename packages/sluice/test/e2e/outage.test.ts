import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { compressBlock, encodeWriteRequest } from 'promwrite/wire';
import { startChdbFront } from '../integration/storage/chdb-front.ts';
import { Hub, Scratch, until } from './processes.ts';

/** The database away, slow, damaged or gone, while a sender goes on. */

const timeout = 90_000;

describe('storage outage', () => {
  it(
    'a server that is not there: acknowledged until the journal is full, then 503 with Retry-After, all there after it came back',
    { timeout },
    async () => {
      using scratch = new Scratch();
      const front = await startChdbFront(scratch.path);
      await front.stopListening();
      try {
        await using hub = await Hub.start(`${scratch.path}/hub`, {
          args: [
            '--set',
            'storage.engine=clickhouse',
            '--set',
            `storage.urls=[${front.url}]`,
            '--set',
            'journal.max-bytes=1MiB',
          ],
        });
        const ready = await fetch(`${hub.http}/-/ready`);
        assert.equal(ready.status, 503);
        assert.match(await ready.text(), /storage: not ready/);
        assert.equal((await fetch(`${hub.http}/api/v1/series?match[]=up`)).status, 503);

        let acknowledged = 0;
        let refusal: Response | undefined;
        for (let round = 0; round < 200 && refusal === undefined; round++) {
          const answer = await write(hub, numbered(acknowledged, 1000));
          if (answer.status === 204) acknowledged += 1000;
          else refusal = answer;
        }
        assert.ok(acknowledged >= 10_000, `only ${acknowledged} rows fitted into the journal`);
        assert.equal(refusal?.status, 503);
        assert.ok(Number(refusal.headers.get('retry-after')) > 0);

        await front.listen();
        await hub.ready(60_000);
        await until(
          async () => ((await hub.metric('sluice_journal_backlog_bytes')) === 0 ? true : undefined),
          30_000,
          () => `the journal to drain:\n${hub.output()}`,
        );
        assert.equal((await write(hub, numbered(acknowledged, 1000))).status, 204);
        assert.equal(await hub.end(), 0, hub.output());
        const [count, distinct] = (
          await front.ask('SELECT count(), uniqExact(time) FROM prometheus.samples WHERE value = 42')
        )
          .trim()
          .split('\t');
        // What was written last may have been loaded during the stop, or wait in the journal.
        assert.equal(count, distinct);
        assert.ok(Number(count) >= acknowledged, `${count} of ${acknowledged} rows are stored`);
      } finally {
        await front.close();
      }
    },
  );

  it(
    'an embedded database that cannot be opened: the hub starts, journals, says so, and recovers by itself',
    { timeout },
    async () => {
      using scratch = new Scratch();
      const dataDir = `${scratch.path}/hub`;
      // A file where the engine wants a folder is one way of being damaged that the hub can see being mended.
      mkdirSync(`${dataDir}/chdb`, { recursive: true });
      writeFileSync(`${dataDir}/chdb/metadata`, 'not a folder');
      await using hub = await Hub.start(dataDir);
      await until(
        async () => ((await (await fetch(`${hub.http}/-/ready`)).text()).includes('attempts') ? true : undefined),
        20_000,
        () => hub.output(),
      );
      assert.equal((await write(hub, numbered(0, 100))).status, 204);
      assert.ok(
        hub.lines.some((line) => line.includes('the database cannot be opened')),
        hub.output(),
      );

      rmSync(`${dataDir}/chdb/metadata`);
      await hub.ready(60_000);
      await until(
        async () => {
          const answer = await fetch(`${hub.http}/api/v1/series?match[]=numbered_rows`);
          return (await answer.text()).includes('numbered_rows') ? true : undefined;
        },
        20_000,
        () => `the rows written meanwhile:\n${hub.output()}`,
      );
      assert.equal(await hub.end(), 0, hub.output());
    },
  );

  it(
    'an embedded database that was deleted while the hub was stopped is made anew, with the series of a known sender',
    { timeout },
    async () => {
      using scratch = new Scratch();
      const dataDir = `${scratch.path}/hub`;
      {
        await using hub = await Hub.start(dataDir);
        await hub.ready();
        assert.equal((await write(hub, numbered(0, 100))).status, 204);
        assert.equal(await hub.end(), 0, hub.output());
      }
      rmSync(`${dataDir}/chdb`, { recursive: true });
      await using hub = await Hub.start(dataDir);
      await hub.ready();
      await until(
        async () => {
          assert.equal((await write(hub, numbered(Math.floor(Math.random() * 1e6), 1))).status, 204);
          const answer = await fetch(`${hub.http}/api/v1/series?match[]=numbered_rows`);
          return (await answer.text()).includes('numbered_rows') ? true : undefined;
        },
        30_000,
        () => `the series:\n${hub.output()}`,
      );
      assert.equal(await hub.end(), 0, hub.output());
    },
  );
});

const base = Date.now() - 3_600_000;

function numbered(first: number, count: number): Uint8Array<ArrayBuffer> {
  const samples = Array.from({ length: count }, (_, i) => ({ value: 42, timestamp: base + first + i }));
  return compressBlock(encodeWriteRequest({ timeseries: [{ labels: { __name__: 'numbered_rows' }, samples }] }));
}

function write(hub: Hub, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(`${hub.http}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
    body,
  });
}
