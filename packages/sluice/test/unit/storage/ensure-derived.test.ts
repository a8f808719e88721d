import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { StringBuilder } from '../../../src/batch/builder.ts';
import type { NativeBlock } from '../../../src/batch/native.ts';
import { derivedTables } from '../../../src/catalog/derived-tables.ts';
import { createDerived } from '../../../src/storage/derived-tables.ts';
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

test('on a cluster what all servers have is left alone; all is made where they cannot be asked', async () => {
  const made: string[] = [];
  const asked: string[] = [];
  let comments: readonly (readonly string[])[] | Error = new Error('the user may not ask other servers');
  const store: Store = {
    engine: 'clickhouse',
    command: ({ text }) => {
      made.push(/(?:VIEW|DICTIONARY) (\S+)/.exec(text)?.[1] ?? '');
      return Promise.resolve();
    },
    select: ({ text }) => {
      asked.push(text);
      return comments instanceof Error ? Promise.reject(comments) : Promise.resolve([blockOf(comments)]);
    },
    stream: () => assert.fail(),
    close: () => Promise.resolve(),
  };
  const options = { store, organisations: [1], cluster: 'all', log: createLog({ level: 'silent' }) };
  await ensureDerived(options);
  assert.equal(made.length, derivedTables.length);
  comments = derivedTables
    .map((table) => createDerived(table, 1, options))
    .filter(({ name }) => name !== 'pod_map')
    .map(({ database, name, comment }) => [database, name, comment]);
  made.length = 0;
  await ensureDerived(options);
  assert.deepEqual(made, ['`flow_tag`.`pod_map`']);
  made.length = 0;
  await ensureDerived({ ...options, login: { username: 'hub', password: 'secret' } });
  assert.equal(made.length, derivedTables.filter(({ key }) => key !== undefined).length);
  assert.match(asked[0]!, /FROM clusterAllReplicas\('all', system\.tables\) WHERE/);
  assert.match(asked[0]!, /HAVING count\(\) = \(SELECT count\(\) FROM system\.clusters WHERE cluster = 'all'\)$/);
});

function blockOf(rows: readonly (readonly string[])[]): NativeBlock {
  const columns = ['database', 'name', 'comment'].map((name, place) => {
    const builder = new StringBuilder(rows.length);
    for (const row of rows) builder.appendText(row[place]!);
    return { name, type: 'String', data: builder.finish() };
  });
  return { rows: rows.length, columns, end: 0 };
}
