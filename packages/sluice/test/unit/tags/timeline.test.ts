import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Timeline } from '../../../src/tags/timeline.ts';

test('times between two changes have one number, and a late change gives what it touches a new one', () => {
  const timeline = new Timeline();
  const first = timeline.versionAt(0);
  assert.equal(timeline.versionAt(5000), first);
  timeline.change([100]);
  const [before, after] = [timeline.versionAt(99), timeline.versionAt(100)];
  assert.equal(before, first);
  assert.notEqual(after, first);
  assert.deepEqual([timeline.secondOf(before), timeline.secondOf(after)], [0, 100]);
  // Learnt now: something began at 80 and ended at 90.
  timeline.change([90, 80]);
  assert.equal(timeline.versionAt(79), first);
  const numbers = [80, 90, 100].map((second) => timeline.versionAt(second));
  assert.equal(new Set([first, after, ...numbers]).size, 5);
  assert.deepEqual(
    numbers.map((number) => timeline.secondOf(number)),
    [80, 90, 100],
  );
});

test('what is forgotten is answered with the oldest that is remembered', () => {
  const timeline = new Timeline();
  timeline.change([100]);
  timeline.change([200]);
  timeline.change([300]);
  assert.equal(timeline.forget(250), 200);
  assert.equal(timeline.versionAt(50), timeline.versionAt(250));
  assert.notEqual(timeline.versionAt(250), timeline.versionAt(300));
  assert.equal(timeline.secondOf(timeline.versionAt(1)), 200);
  assert.equal(timeline.forget(1000), 300);
});
