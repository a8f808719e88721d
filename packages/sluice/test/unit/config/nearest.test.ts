import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, nearestHint } from '../../../src/config/nearest.ts';

test('the nearest name, when it is near enough', () => {
  const names = ['journal', 'sync-interval', 'max-bytes', 'min-free-bytes', 'tls', 'tags'];
  assert.deepEqual(
    ['jornal', 'sync_interval', 'SyncInterval', 'maxbytes', 'max-byets', 'tsl', 'colour', 'x', ''].map((name) =>
      nearest(name, names),
    ),
    ['journal', 'sync-interval', 'sync-interval', 'max-bytes', 'max-bytes', 'tls', undefined, undefined, undefined],
  );
  assert.equal(nearestHint('jornal', names), '; did you mean "journal"?');
  assert.equal(nearestHint('colour', names), '');
  assert.equal(nearest('j'.repeat(1000), names), undefined);
});

test('a swap of neighbours counts once, and the first of equals wins', () => {
  assert.equal(nearest('ab', ['ba', 'xy']), 'ba');
  assert.equal(nearest('abcd', ['abce', 'abcf']), 'abce');
});
