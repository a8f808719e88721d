import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reachableUrl } from '../../../src/http/reachable-url.ts';

test('an address that stands for all of them becomes one to connect to, others stay', () => {
  assert.equal(reachableUrl('http://0.0.0.0:20416'), 'http://127.0.0.1:20416');
  assert.equal(reachableUrl('https://[::]:20416'), 'https://127.0.0.1:20416');
  assert.equal(reachableUrl('http://[::]:80'), 'http://127.0.0.1');
  for (const url of ['http://127.0.0.1:20416', 'http://192.0.2.7:1', 'http://[::1]:20416']) {
    assert.equal(reachableUrl(url), url);
  }
});
