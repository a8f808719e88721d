import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResourceTable, WORDS, word } from '../../../src/tags/resource-table.ts';

test('rows keep what was added while the table grows, and row 0 stays empty', () => {
  const table = new ResourceTable();
  const ip6 = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  for (let i = 1; i <= 100; i++) {
    assert.equal(table.add({ region: i, vpc: -2, pod: i * 3, ip6 }), i);
  }
  assert.equal(table.count, 101);
  for (let i = 1; i <= 100; i++) {
    const at = i * WORDS;
    assert.equal(table.words[at + word.region], i);
    assert.equal(table.words[at + word.pod], i * 3);
    assert.equal(table.words[at + word.vpc]! | 0, -2);
    assert.equal(table.words[at + word.zone], 0);
    assert.deepEqual(new Uint8Array(table.ip6.buffer, i * 16, 16), ip6);
  }
  assert.ok(table.words.subarray(0, WORDS).every((value) => value === 0));
});
