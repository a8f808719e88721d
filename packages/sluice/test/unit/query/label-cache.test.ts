import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LabelCache } from '../../../src/query/label-cache.ts';

const set = (key: string) => ({ labels: new Uint8Array(300), key });

describe('label cache', () => {
  it('keeps organisations apart', () => {
    const cache = new LabelCache(1 << 20);
    cache.set(1, 5n, set('one'));
    cache.set(7, 5n, set('seven'));
    assert.equal(cache.get(1, 5n)?.key, 'one');
    assert.equal(cache.get(7, 5n)?.key, 'seven');
    assert.equal(cache.get(2, 5n), undefined);
  });

  it('forgets what was not used for long, never what is used', () => {
    const cache = new LabelCache(100 * 503);
    for (let id = 0n; id < 1000n; id++) {
      cache.set(1, id, set(String(id % 10n)));
      assert.equal(cache.get(1, id)?.key, String(id % 10n));
      assert.equal(cache.get(1, 0n)?.key, '0');
    }
    const kept = Array.from({ length: 1000 }, (_, id) => cache.get(1, BigInt(id)) !== undefined).filter(Boolean).length;
    assert.ok(kept >= 40 && kept <= 101, `${kept}`);
  });
});
