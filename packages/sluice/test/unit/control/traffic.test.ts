import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Traffic } from '../../../src/control/traffic.ts';

test('sums, the last address, and the rate of the last interval', () => {
  let nowMs = 1000;
  const traffic = new Traffic(() => nowMs);
  traffic.noteData(1, 7, 100, 5000, '10.0.0.1');
  traffic.noteData(1, 7, 50, 1000, '10.0.0.2');
  traffic.noteData(2, 7, 1, 10, '10.0.0.3');
  assert.equal(traffic.find(1, 7)?.rowsPerSecond, 0);
  nowMs = 11_000;
  traffic.tick();
  const { rows, bytes, address, lastMs, rowsPerSecond } = traffic.find(1, 7) ?? assert.fail('no entry');
  assert.deepEqual([rows, bytes, address, lastMs, rowsPerSecond], [150, 6000, '10.0.0.2', 1000, 15]);
  nowMs = 21_000;
  traffic.tick();
  assert.equal(traffic.find(1, 7)?.rowsPerSecond, 0);
  assert.equal(traffic.find(2, 7)?.rows, 1);
  assert.equal(traffic.find(1, 8), undefined);
});
