import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bug, SluiceError } from '../../../../src/base/errors.ts';
import type { HttpReply } from '../../../../src/base/ports.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { createLogWrite } from '../../../../src/receivers/log/write.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { type Row, rowsOf } from '../row-values.ts';

const NOW = 1_700_000_000_000;
const TIME = new Date(NOW).toISOString();

function fixture(window = { behindMs: Infinity, aheadMs: Infinity }) {
  const metrics = createMetrics();
  const appends: (readonly { readonly org: number; readonly rows: readonly Row[] }[])[] = [];
  const tagged: number[] = [];
  const state = { failure: undefined as Error | undefined };
  const [route] = createLogWrite({
    append: async (batches: readonly Batch[]) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      appends.push(batches.map((batch) => ({ org: batch.org, rows: batch.rows > 1000 ? [] : rowsOf(batch) })));
    },
    tagger: (block, org) => void tagged.push(org, block.rows),
    rowIds: new RowIds({ hubId: 1 }),
    accept: () => window,
    organisations: [1, 2, 3],
    limits: { bodyBytes: 1 << 20, decodedBytes: 8 << 20, entryBytes: 1 << 20 },
    metrics,
    now: () => NOW,
  });
  const post = async (
    body: string | Uint8Array,
    { headers = {}, org = 1 }: { readonly headers?: Record<string, string>; readonly org?: number } = {},
  ): Promise<HttpReply> =>
    route?.check?.(headers) ??
    (await route?.handle({
      method: 'POST',
      path: route.path,
      wildcards: [],
      query: new URLSearchParams(),
      headers,
      body: Buffer.from(body),
      org,
      signal: new AbortController().signal,
    })) ??
    bug('no route');
  const outcomes = async () =>
    Object.fromEntries(
      (await metrics.receivedRequests.get()).values.map(({ labels, value }) => [
        `${labels.input} ${labels.outcome}`,
        value,
      ]),
    );
  return { post, appends, tagged, state, metrics, outcomes, route };
}

const entry = { message: 'x', timestamp: TIME };
const gzip = { 'content-encoding': 'gzip' };

test('entries are in the journal when 200 is answered', async () => {
  const { post, appends, tagged, outcomes, route, metrics } = fixture();
  assert.equal(route?.path, '/api/v1/log');
  assert.equal(route.scope, 'write');
  const text = JSON.stringify([entry, { ...entry, _df_log_type: 'audit', org_id: 3 }, { ...entry, message: 'y' }]);
  assert.deepEqual(await post(text, { org: 2 }), { status: 200 });
  assert.deepEqual(
    appends.map((batches) => batches.map(({ org, rows }) => [org, rows.map((row) => row['body'])])),
    [
      [
        [2, ['x', 'y']],
        [3, ['x']],
      ],
    ],
  );
  assert.deepEqual(
    appends[0]?.[0]?.rows.map((row) => [row['agent_id'], row['team_id'], row['time']]),
    [
      [0, 1, 1_700_000_000],
      [0, 1, 1_700_000_000],
    ],
  );
  assert.deepEqual(tagged, [2, 2, 3, 1]);
  assert.deepEqual(await outcomes(), { 'log accepted': 1 });
  assert.equal((await metrics.receivedRows.get()).values[0]?.value, 3);
});

test('bodies may be compressed, and nothing', async () => {
  const { post, appends } = fixture();
  assert.deepEqual(await post(gzipSync(JSON.stringify([entry])), { headers: gzip }), { status: 200 });
  assert.deepEqual(await post(`${JSON.stringify(entry)}\n${JSON.stringify(entry)}\n`), { status: 200 });
  assert.deepEqual(await post(''), { status: 200 });
  assert.deepEqual(await post('[]'), { status: 200 });
  assert.deepEqual(
    appends.flatMap((batches) => batches.map(({ rows }) => rows.length)),
    [1, 2],
  );
});

test('what cannot be taken is told, and nobody sends it again', async () => {
  const { post, appends, outcomes } = fixture({ behindMs: 60_000, aheadMs: 60_000 });
  const old = { ...entry, timestamp: '2020-01-01T00:00:00Z' };
  const partial = await post(JSON.stringify([entry, old, { message: 'y' }, old]));
  assert.equal(partial.status, 200);
  assert.deepEqual(JSON.parse(String(partial.body)), { taken: 1, dropped: { too_old: 2, bad_timestamp: 1 } });
  const none = await post('nonsense');
  assert.equal(none.status, 400);
  assert.deepEqual(JSON.parse(String(none.body)), { taken: 0, dropped: { malformed: 1 } });
  assert.equal(appends.length, 1);
  assert.deepEqual(await outcomes(), { 'log partial': 1, 'log malformed': 1 });
});

test('bodies that cannot be read are refused', async () => {
  const { post, appends, outcomes } = fixture();
  assert.equal((await post('x', { headers: { 'content-encoding': 'br' } })).status, 415);
  assert.equal((await post('x', { headers: gzip })).status, 400);
  assert.equal((await post(gzipSync(Buffer.alloc(9 << 20, ' ')), { headers: gzip })).status, 413);
  assert.equal((await post(Buffer.alloc(9 << 20, ' '))).status, 413);
  assert.deepEqual(appends, []);
  assert.deepEqual(await outcomes(), { 'log unsupported': 1, 'log malformed': 1, 'log too_large': 2 });
});

test('a journal that takes nothing is told, and nothing is left of the request', async () => {
  const { post, appends, state, outcomes } = fixture();
  state.failure = new SluiceError('journal_full', 'cannot take it', { retryAfterMs: 1500 });
  const reply = await post(JSON.stringify([entry]));
  assert.equal(reply.status, 503);
  assert.equal(reply.headers?.['Retry-After'], '2');
  assert.match(String(reply.body), /cannot take it/);
  state.failure = undefined;
  assert.equal((await post(JSON.stringify([{ ...entry, message: 'again' }]))).status, 200);
  assert.deepEqual(
    appends.flatMap((batches) => batches.flatMap(({ rows }) => rows.map((row) => row['body']))),
    ['again'],
  );
  assert.deepEqual(await outcomes(), { 'log journal_full': 1, 'log accepted': 1 });
});

test('a long body is appended in pieces', async () => {
  const { post, appends, metrics } = fixture();
  const entries = `[${`${JSON.stringify(entry)},`.repeat(40_000)}${JSON.stringify(entry)}]`;
  assert.deepEqual(await post(entries), { status: 200 });
  assert.equal(appends.length, 2);
  assert.equal((await metrics.receivedRows.get()).values[0]?.value, 40_001);
});
