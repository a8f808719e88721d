import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { journalReadiness } from '../../../src/journal/readiness.ts';

test('a journal that refuses is not ready and says why', () => {
  assert.deepEqual(journalReadiness({ refusal: () => undefined }), { part: 'journal', ready: true });
  const full = { refusal: (bytes: number) => new SluiceError('disk_full', `cannot take ${bytes} bytes: free some`) };
  assert.deepEqual(journalReadiness(full), {
    part: 'journal',
    ready: false,
    detail: 'cannot take 65536 bytes: free some',
  });
});
