import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { tellIdentity } from '../../../src/storage/tell-identity.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const log = createLog({ level: 'silent' });

function dictionary() {
  const told: string[] = [];
  return { told, useStorage: async (identity: string) => void told.push(identity) };
}

test('asks again until the database answers', async () => {
  const [one, two] = [dictionary(), dictionary()];
  let questions = 0;
  const storage = {
    identity: async (org: number) => {
      if (++questions < 4) throw new SluiceError('storage_unavailable', 'cannot query the database: not now');
      return `database of ${org}`;
    },
  };
  const dictionaries = new Map([
    [1, one],
    [2, two],
  ]);
  await tellIdentity({ storage, dictionaries, log, signal: new AbortController().signal, pauseMs: 1 });
  assert.deepEqual([one.told, two.told], [['database of 1'], ['database of 2']]);
  assert.equal(questions, 5);
});

test('ends when the hub stops', async () => {
  const stop = new AbortController();
  const one = dictionary();
  const storage = {
    identity: async (): Promise<string> => {
      setImmediate(() => stop.abort());
      throw new SluiceError('storage_unavailable', 'cannot query the database: not now');
    },
  };
  await tellIdentity({ storage, dictionaries: new Map([[1, one]]), log, signal: stop.signal, pauseMs: 60_000 });
  assert.deepEqual(one.told, []);
});
