import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bug, SluiceError } from '../../../../src/base/errors.ts';
import type { HttpReply } from '../../../../src/base/ports.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { valuesOf } from '../../../../src/batch/read.ts';
import { externalMetrics } from '../../../../src/catalog/external-metrics.ts';
import { createTelegrafWrite } from '../../../../src/receivers/telegraf/write.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { type Row, rowsOf } from '../row-values.ts';

const NOW = 1_700_000_000_000;

function fixture(
  window = { behindMs: Infinity, aheadMs: Infinity },
  rowsIn: (batch: Batch) => readonly Row[] = rowsOf,
) {
  const metrics = createMetrics();
  const appends: { readonly org: number; readonly rows: readonly Row[] }[] = [];
  const tagged: number[] = [];
  const state = { failure: undefined as Error | undefined, appended: () => {} };
  const [route] = createTelegrafWrite({
    append: async (batches: readonly Batch[]) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      for (const batch of batches) appends.push({ org: batch.org, rows: rowsIn(batch) });
      state.appended();
    },
    tagger: (block, org) => {
      tagged.push(org, block.rows);
    },
    accept: () => window,
    limits: { bodyBytes: 1 << 20, decodedBytes: 8 << 20 },
    metrics,
    now: () => NOW,
  });
  const post = async (
    body: string | Uint8Array,
    options: { readonly query?: string; readonly headers?: Record<string, string>; readonly org?: number } = {},
  ): Promise<{ readonly status: number; readonly error: string; readonly headers: HttpReply['headers'] }> => {
    const { query = '', headers = {}, org = 1 } = options;
    const reply =
      route?.check?.(headers) ??
      (await route?.handle({
        method: 'POST',
        path: route.path,
        wildcards: [],
        query: new URLSearchParams(query),
        headers,
        body: Buffer.from(body),
        org,
        signal: new AbortController().signal,
      })) ??
      bug('no route');
    const error = reply.body === undefined ? '' : (JSON.parse(String(reply.body)) as { error: string }).error;
    return { status: reply.status, error, headers: reply.headers };
  };
  const outcomes = async () =>
    Object.fromEntries(
      (await metrics.receivedRequests.get()).values.map(({ labels, value }) => [
        `${labels.input} ${labels.outcome}`,
        value,
      ]),
    );
  return { post, appends, tagged, state, metrics, outcomes, route };
}

test('lines are in the journal when 204 is answered', async () => {
  const { post, appends, tagged, outcomes, route } = fixture();
  assert.equal(route?.path, '/api/v1/telegraf');
  assert.equal(route.scope, 'write');
  assert.deepEqual(await post('cpu,host=a idle=1.5 1700000000000000000\ncpu,host=b idle=2', { org: 7 }), {
    status: 204,
    error: '',
    headers: undefined,
  });
  assert.equal(appends.length, 1);
  assert.equal(appends[0]?.org, 7);
  assert.deepEqual(
    appends[0].rows.map((row) => [
      row['virtual_table_name'],
      row['tag_values'],
      row['metrics_float_values'],
      row['time'],
    ]),
    [
      ['influxdb.cpu', ['a'], [1.5], 1_700_000_000],
      ['influxdb.cpu', ['b'], [2], 1_700_000_000],
    ],
  );
  assert.deepEqual(
    appends[0].rows.map((row) => [row['agent_id'], row['team_id']]),
    [
      [0, 1],
      [0, 1],
    ],
  );
  assert.deepEqual(tagged, [7, 2]);
  assert.deepEqual(await outcomes(), { 'telegraf accepted': 1 });
});

test('timestamps have the precision that the query says', async () => {
  const { post, appends } = fixture();
  for (const [precision, time] of [
    ['ns', '1699999999999999999'],
    ['us', '1699999999999999'],
    ['ms', '1699999999999'],
    ['s', '1699999999'],
  ]) {
    assert.equal((await post(`m a=1 ${time}`, { query: `precision=${precision}` })).status, 204);
  }
  assert.deepEqual(
    appends.map(({ rows }) => rows[0]?.['time']),
    [1_699_999_999, 1_699_999_999, 1_699_999_999, 1_699_999_999],
  );
  assert.deepEqual((await post('m a=1', { query: 'precision=h' })).error, 'expected precision ns, us, ms or s');
  assert.equal(appends.length, 4);
});

test('good lines of a request are kept, the others listed', async () => {
  const { post, appends, outcomes, metrics } = fixture({ behindMs: 3_600_000, aheadMs: 60_000 });
  const text = 's="a\nb",n=1';
  const reply = await post(`good a=1\nbad\x01 line=\nold b=1 1\nm ${text}\nnew c=1 1800000000000000000\n#\nworse`);
  assert.equal(reply.status, 400);
  assert.equal(
    reply.error,
    "partial write: unable to parse line 2 'bad? line=': a field has no value; " +
      'line 3: points beyond retention policy: its time is before what the table accepts; ' +
      'line 6: points beyond retention policy: its time is after what the table accepts; ' +
      "unable to parse line 8 'worse': the fields are missing, or one has no value; dropped=4",
  );
  assert.deepEqual(
    appends.flatMap(({ rows }) => rows.map((row) => row['virtual_table_name'])),
    ['influxdb.good', 'influxdb.m'],
  );
  assert.deepEqual(await outcomes(), { 'telegraf partial': 1 });
  const dropped = (await metrics.droppedRows.get()).values.map(({ labels, value }) => [labels.reason, value]);
  assert.deepEqual(Object.fromEntries(dropped), { malformed: 2, too_old: 1, too_new: 1 });
});

test('a request without a good line is not taken at all', async () => {
  const { post, appends, outcomes } = fixture();
  const reply = await post('x\n'.repeat(12));
  assert.equal(reply.status, 400);
  assert.match(reply.error, /^unable to parse line 1 'x': .*; and 2 more; dropped=12$/);
  assert.deepEqual(appends, []);
  assert.deepEqual(await outcomes(), { 'telegraf malformed': 1 });
});

test('a request without lines, or without numbers, is taken', async () => {
  const { post, appends } = fixture();
  assert.equal((await post('')).status, 204);
  assert.equal((await post('# nothing\n\n')).status, 204);
  assert.equal((await post('m a="x"')).status, 204);
  assert.deepEqual(appends, []);
});

describe('compressed bodies', () => {
  test('of gzip are read', async () => {
    const { post, appends } = fixture();
    assert.equal((await post(gzipSync('m a=1'), { headers: { 'content-encoding': 'gzip' } })).status, 204);
    assert.equal(appends.length, 1);
  });

  test('that are too large, damaged or of another kind are refused', async () => {
    const { post, appends, outcomes } = fixture();
    const headers = { 'content-encoding': 'gzip' };
    const bomb = await post(gzipSync(Buffer.alloc(9 << 20)), { headers });
    assert.deepEqual(
      [bomb.status, bomb.error],
      [413, 'cannot take the body: expected at most 8388608 bytes when uncompressed'],
    );
    assert.equal((await post('m a=1', { headers })).status, 400);
    assert.equal((await post(gzipSync('m a=1').subarray(0, 20), { headers })).status, 400);
    assert.equal((await post('m a=1', { headers: { 'content-encoding': 'br' } })).status, 415);
    assert.deepEqual(appends, []);
    assert.deepEqual(await outcomes(), { 'telegraf malformed': 2, 'telegraf too_large': 1, 'telegraf unsupported': 1 });
  });
});

test('what the journal does not take may be sent again', async () => {
  const { post, appends, state, outcomes } = fixture();
  state.failure = new SluiceError('journal_full', 'cannot take 5 bytes', { retryAfterMs: 1500 });
  const reply = await post('m a=1');
  assert.equal(reply.status, 503);
  assert.equal(reply.error, 'cannot take 5 bytes');
  assert.equal(reply.headers?.['Retry-After'], '2');
  state.failure = undefined;
  assert.equal((await post('m b=2')).status, 204);
  assert.deepEqual(
    appends.flatMap(({ rows }) => rows.map((row) => row['metrics_float_names'])),
    [['b']],
  );
  assert.deepEqual(await outcomes(), { 'telegraf journal_full': 1, 'telegraf accepted': 1 });
});

test('a long request goes into the journal in pieces, and others come in between', async () => {
  const column = (name: string) => externalMetrics.columns.findIndex((one) => one.name === name);
  const values = column('metrics_float_values');
  // One column is enough, of so many rows.
  const rowsIn = (batch: Batch): Row[] => {
    const data = batch.columns[values]!;
    assert.equal(data.kind, 'array');
    return [...valuesOf(data.element, Float64Array)].map((value) => ({
      value,
    }));
  };
  const { post, appends, state } = fixture({ behindMs: Infinity, aheadMs: Infinity }, rowsIn);
  const lines = Array.from({ length: 40_000 }, (_, i) => `m,i=${i} a=${i}`);
  let others = 0;
  state.appended = () => {
    if (others++ === 0) void post('other b=-1');
  };
  assert.equal((await post(lines.join('\n'))).status, 204);
  const rows = appends.flatMap((append) => append.rows.map((row) => Number(row['value'])));
  assert.deepEqual(
    rows.filter((value) => value >= 0),
    Array.from({ length: 40_000 }, (_, i) => i),
  );
  assert.equal(rows.length, 40_001);
  assert.ok(appends.length >= 3);
});
