import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { samples } from '../../../src/catalog/prometheus.ts';
import type { ChdbStore } from '../../../src/storage/chdb.ts';
import { createChdbTarget } from '../../../src/storage/chdb-target.ts';
import type { Piece } from '../../../src/storage/load-target.ts';
import type { QueryOptions } from '../../../src/storage/store.ts';

test('an INSERT can be ended when the hub stops', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-chdb-target-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const given: (QueryOptions | undefined)[] = [];
  const refuse = () => Promise.reject(new Error('not asked for'));
  const store: ChdbStore = {
    engine: 'chdb',
    insert: async (_statement, options) => {
      given.push(options);
      return 1;
    },
    command: refuse,
    select: refuse,
    stream: () => assert.fail('not asked for'),
    close: () => Promise.resolve(),
  };
  const target = await createChdbTarget(store, folder);
  const piece: Piece = {
    source: samples,
    org: 1,
    columns: ['value'],
    path: import.meta.filename,
    rows: 1,
    start: 0,
    end: 10,
    whole: true,
    token: 't',
  };
  const { signal } = new AbortController();
  await target.insert(piece, {}, signal);
  await target.insert({ ...piece, whole: false }, {}, signal);
  assert.deepEqual(
    given.map((options) => options?.signal),
    [signal, signal],
  );
});
