import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { ensureDerived } from '../../../src/storage/ensure-derived.ts';
import type { Store } from '../../../src/storage/store.ts';
import { createLog } from '../../../src/telemetry/log.ts';

test('a stop does not wait for a statement that the database takes long over', { timeout: 10_000 }, async () => {
  const stopping = new AbortController();
  let asked = 0;
  const store: Store = {
    engine: 'clickhouse',
    command: (_statement, { signal } = {}) => {
      asked++;
      const { promise, reject } = Promise.withResolvers<void>();
      signal?.addEventListener('abort', () => reject(new SluiceError('cancelled', 'cannot go on: cancelled')));
      stopping.abort();
      return promise;
    },
    select: () => Promise.resolve([]),
    stream: () => assert.fail(),
    close: () => Promise.resolve(),
  };
  await ensureDerived({ store, organisations: [1], log: createLog({ level: 'silent' }), signal: stopping.signal });
  assert.equal(asked, 1);
});
