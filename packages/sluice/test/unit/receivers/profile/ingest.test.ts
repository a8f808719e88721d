import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bug, SluiceError } from '../../../../src/base/errors.ts';
import type { HttpReply } from '../../../../src/base/ports.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { inProcessProfile } from '../../../../src/catalog/profile.ts';
import { createProfileIngest } from '../../../../src/receivers/profile/ingest.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { emptyRow, rowId } from '../empty-row.ts';
import { type Row, rowsOf } from '../row-values.ts';
import { pprofMessage } from './pprof-message.ts';

const NOW = 1_795_224_500_000;
const FROM = 1_795_224_435;

function fixture(window = { behindMs: Infinity, aheadMs: Infinity }) {
  const metrics = createMetrics();
  const appends: { readonly org: number; readonly rows: readonly Row[] }[] = [];
  const tagged: number[] = [];
  const state = { failure: undefined as Error | undefined };
  const [route] = createProfileIngest({
    append: async (batches: readonly Batch[]) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      for (const batch of batches) appends.push({ org: batch.org, rows: rowsOf(batch) });
    },
    tagger: (block, org) => void tagged.push(org, block.rows),
    rowIds: new RowIds({ hubId: 3 }),
    accept: () => window,
    limits: { bodyBytes: 1 << 20, decodedBytes: 1 << 20, rowBytes: 1 << 20, samples: 1000 },
    metrics,
    now: () => NOW,
  });
  const post = async (
    query: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<HttpReply> =>
    route?.check?.(headers) ??
    (await route?.handle({
      method: 'POST',
      path: route.path,
      wildcards: [],
      query: new URLSearchParams(query),
      headers,
      body: Buffer.from(body),
      org: 2,
      peer: '192.0.2.7',
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
  return { post, appends, tagged, state, outcomes, route, metrics };
}

const profile = pprofMessage({ types: [['samples', 'count']], samples: [{ stack: ['main', 'work'], values: [7] }] });
const QUERY = `name=shop.cpu%7Benv%3Dprod%7D&from=${FROM}&until=${FROM + 10}&spyName=gospy&format=pprof&units=samples`;

const row: Row = {
  ...emptyRow(inProcessProfile),
  time: FROM,
  _id: rowId(FROM, 1),
  app_service: 'shop',
  app_instance: 'shop',
  profile_language_type: 'Golang',
  profile_event_type: 'samples',
  profile_value_unit: 'count',
  profile_value: '7',
  profile_location_str: 'main;work',
  profile_create_timestamp: `${FROM}000000`,
  tag_names: ['env'],
  tag_values: ['prod'],
  is_ipv4: 1,
  ip4: '192.0.2.7',
  team_id: 1,
};

test('a profile is in the journal when 200 is answered', async () => {
  const { post, appends, tagged, outcomes, route, metrics } = fixture();
  assert.equal(route?.path, '/api/v1/profile/ingest');
  assert.equal(route.scope, 'write');
  assert.deepEqual(await post(QUERY, profile), { status: 200 });
  assert.deepEqual(appends, [{ org: 2, rows: [row] }]);
  assert.deepEqual(tagged, [2, 1]);
  assert.deepEqual(await outcomes(), { 'profile accepted': 1 });
  assert.equal((await metrics.receivedRows.get()).values[0]?.value, 1);
});

test('bodies may be compressed, forms, or text', async () => {
  const { post, appends } = fixture();
  assert.equal((await post(QUERY, gzipSync(profile))).status, 200);
  assert.equal((await post(QUERY, gzipSync(profile), { 'content-encoding': 'gzip' })).status, 200);
  assert.equal((await post(QUERY, gzipSync(gzipSync(profile)), { 'content-encoding': 'gzip' })).status, 200);
  const data = new FormData();
  data.append('profile', new Blob([profile]), 'profile.pprof');
  const request = new Request('http://localhost/', { method: 'POST', body: data });
  const contentType = request.headers.get('content-type')!;
  const body = new Uint8Array(await request.arrayBuffer());
  assert.equal((await post(QUERY.replace('&format=pprof', ''), body, { 'content-type': contentType })).status, 200);
  assert.equal((await post(QUERY.replace('&format=pprof', ''), 'main;work 7')).status, 200);
  const rows = appends.flatMap((append) => append.rows.map((one) => ({ ...one, _id: row['_id'] })));
  assert.deepEqual(rows, [row, row, row, row, { ...row, profile_event_type: 'cpu', profile_value_unit: 'samples' }]);
});

describe('times', () => {
  for (const [from, seconds] of [
    ['1795224435', FROM],
    ['1795224435999', FROM],
    ['1795224435999999', FROM],
    ['1795224435999999999', FROM],
    ['12', 12],
    ['', FROM + 10],
    ['now', FROM + 10],
    ['-1', FROM + 10],
  ] as const) {
    test(`from ${from}`, async () => {
      const { post, appends } = fixture();
      const query = new URLSearchParams(QUERY);
      query.set('from', from);
      assert.equal((await post(query.toString(), profile)).status, 200);
      assert.equal(appends[0]?.rows[0]?.['time'], seconds);
    });
  }

  test('without any', async () => {
    const { post, appends } = fixture();
    assert.equal((await post('name=a&format=lines', 'main')).status, 200);
    assert.equal(appends[0]?.rows[0]?.['time'], NOW / 1000);
  });
});

test('what cannot be taken is refused, with the reason', async () => {
  const { post, appends, outcomes, metrics } = fixture({ behindMs: 60_000, aheadMs: 60_000 });
  const answers: (readonly [HttpReply, number, RegExp])[] = [
    [await post('format=pprof', profile), 400, /a name of 1 to 1024 characters; got 0/],
    [await post(`name=${'x'.repeat(1025)}`, profile), 400, /got 1025/],
    [await post(`name=a&format=pprof&from=${NOW / 1000}`, 'x'), 400, /none of the format \\"pprof\\"/],
    [await post(`name=a&format=jfr&from=${NOW / 1000}`, 'x'), 415, /pprof, folded or lines; got \\"jfr\\"/],
    [await post(`name=a&format=tree`, 'x'), 415, /got \\"tree\\"/],
    [await post(QUERY, profile, { 'content-encoding': 'br' }), 415, /expected Content-Encoding gzip/],
    [await post(QUERY, profile, { 'content-encoding': 'gzip' }), 400, /a whole gzip stream/],
    [await post(QUERY, Buffer.alloc((1 << 20) + 1)), 413, /at most 1048576 bytes/],
    [await post(QUERY, gzipSync(Buffer.alloc((1 << 20) + 1))), 413, /1000 rows and 1048576 bytes of rows/],
    [await post('name=a&format=lines', 'x\n'.repeat(1001)), 413, /1000 rows/],
    [await post(QUERY, profile), 400, /it began before what the hub keeps/],
    [await post(`name=a&format=lines&from=${NOW / 1000 + 61}`, 'x'), 400, /it began after/],
  ];
  for (const [reply, status, text] of answers) {
    assert.equal(reply.status, status, String(reply.body));
    assert.match(String(reply.body), text);
  }
  assert.deepEqual(appends, []);
  assert.deepEqual(await outcomes(), { 'profile malformed': 6, 'profile unsupported': 3, 'profile too_large': 3 });
  const dropped = (await metrics.droppedRows.get()).values.map(({ labels, value }) => [labels.reason, value]);
  assert.deepEqual(dropped, [
    ['too_old', 1],
    ['too_new', 1],
  ]);
});

test('broken samples are counted and told, the others taken', async () => {
  const { post, appends, outcomes } = fixture();
  const { status, body } = await post('name=a&format=folded', 'a 1\nb\nc 2');
  assert.deepEqual([status, body], [200, '{"taken":2,"dropped":{"malformed":1}}\n']);
  assert.equal(appends[0]?.rows.length, 2);
  assert.deepEqual(await outcomes(), { 'profile partial': 1 });
});

test('a journal that takes nothing is told, and nothing is left of the request', async () => {
  const { post, appends, state, outcomes } = fixture();
  state.failure = new SluiceError('journal_full', 'cannot take it', { retryAfterMs: 100 });
  const reply = await post(QUERY, profile);
  assert.equal(reply.status, 503);
  assert.equal(reply.headers?.['Retry-After'], '1');
  state.failure = undefined;
  assert.equal((await post(QUERY, profile)).status, 200);
  assert.equal(appends.length, 1);
  assert.equal(appends[0]?.rows.length, 1);
  assert.deepEqual(await outcomes(), { 'profile journal_full': 1, 'profile accepted': 1 });
});
