import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SluiceError } from '../../../src/base/errors.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { createLogWrite } from '../../../src/receivers/log/write.ts';
import { createProfileIngest } from '../../../src/receivers/profile/ingest.ts';
import { RowIds } from '../../../src/receivers/row-ids.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { pprofMessage } from '../../unit/receivers/profile/pprof-message.ts';
import { rowsOf } from '../../unit/receivers/row-values.ts';
import { serve } from '../http/harness.ts';

/** A server with the routes for logs and profiles, and what they appended. */
async function listen(t: TestContext) {
  const appended: string[] = [];
  const state = { refuse: false };
  const common = {
    append: async (batches: readonly Batch[]) => {
      await Promise.resolve();
      if (state.refuse) throw new SluiceError('journal_full', 'cannot take it', { retryAfterMs: 2000 });
      for (const batch of batches) {
        for (const row of rowsOf(batch)) {
          const text = row['body'] ?? `${row['profile_location_str']} ${row['profile_value']} ${row['ip4']}`;
          appended.push(`${batch.org} ${row['app_service']}: ${text}`);
        }
      }
    },
    tagger: () => undefined,
    rowIds: new RowIds({ hubId: 1 }),
    accept: () => ({ behindMs: Infinity, aheadMs: Infinity }),
    organisations: [1, 2],
    metrics: createMetrics(),
  };
  const routes = [
    ...createLogWrite({ ...common, limits: { bodyBytes: 1 << 20, decodedBytes: 1 << 20, entryBytes: 1 << 16 } }),
    ...createProfileIngest({
      ...common,
      limits: { bodyBytes: 1 << 20, decodedBytes: 1 << 20, rowBytes: 1 << 20, samples: 1000 },
    }),
  ];
  const { url } = await serve(t, { routes, organisations: [1, 2], limits: { memory: 256 << 20 } });
  const post = (path: string, body: NonNullable<RequestInit['body']>, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { method: 'POST', body, headers });
  return { post, appended, state };
}

function entry(message: string, more: object = {}): object {
  return { message, timestamp: '2026-11-21T01:34:03.123456Z', app_service: 'shop', ...more };
}

test('logs', { timeout: 30_000 }, async (t) => {
  const { post, appended, state } = await listen(t);
  const text = JSON.stringify([entry('one'), entry('two', { _df_log_type: 'audit', org_id: 2 })]);
  const whole = await post('/api/v1/log', text, { 'content-type': 'application/json' });
  assert.deepEqual([whole.status, await whole.text()], [200, '']);
  const zipped = await post('/api/v1/log', gzipSync(JSON.stringify(entry('three'))), {
    'content-encoding': 'gzip',
    'x-org-id': '2',
  });
  assert.deepEqual([zipped.status, await zipped.text()], [200, '']);
  const partial = await post('/api/v1/log', JSON.stringify([entry(''), entry('four')]));
  assert.deepEqual([partial.status, await partial.json()], [200, { taken: 1, dropped: { no_message: 1 } }]);
  assert.equal((await post('/api/v1/log', 'nonsense')).status, 400);
  assert.equal((await post('/api/v1/log', Buffer.alloc((1 << 20) + 1))).status, 413);
  assert.equal((await post('/api/v1/log', 'x', { 'content-encoding': 'zstd' })).status, 415);
  state.refuse = true;
  const refused = await post('/api/v1/log', text);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '2']);
  assert.deepEqual(appended, ['1 shop: one', '2 shop: two', '2 shop: three', '1 shop: four']);
});

test('profiles', { timeout: 30_000 }, async (t) => {
  const { post, appended, state } = await listen(t);
  const message = pprofMessage({ types: [['samples', 'count']], samples: [{ stack: ['main', 'work'], values: [7] }] });
  const query = `/api/v1/profile/ingest?name=${encodeURIComponent('shop.cpu{env=prod}')}&from=1795224435&until=1795224445&spyName=gospy`;
  const raw = await post(`${query}&format=pprof`, gzipSync(message), { 'content-type': 'binary/octet-stream' });
  assert.deepEqual([raw.status, await raw.text()], [200, '']);
  const form = new FormData();
  form.append('profile', new Blob([message]), 'profile.pprof');
  const uploaded = await post(query, form);
  assert.deepEqual([uploaded.status, await uploaded.text()], [200, '']);
  const folded = await post(`${query}&format=folded`, 'main;a 1\nmain;b 2\n', { 'x-org-id': '2' });
  assert.equal(folded.status, 200);
  assert.equal((await post(`${query}&format=jfr`, 'x')).status, 415);
  assert.equal((await post(`${query}&format=pprof`, 'x')).status, 400);
  assert.equal((await post('/api/v1/profile/ingest', message)).status, 400);
  state.refuse = true;
  assert.equal((await post(`${query}&format=pprof`, message)).status, 503);
  assert.deepEqual(appended, [
    '1 shop: main;work 7 127.0.0.1',
    '1 shop: main;work 7 127.0.0.1',
    '2 shop: main;a 1 127.0.0.1',
    '2 shop: main;b 2 127.0.0.1',
  ]);
});
