import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, asyncProperty, integer } from 'fast-check';
import { MemoryBudget } from '../../../src/http/memory-budget.ts';

const never = new AbortController().signal;

test('grants up to the limit, then in order of arrival', async () => {
  const changes: number[] = [];
  const budget = new MemoryBudget({ limit: 100, onChange: (granted) => changes.push(granted) });
  assert.equal(budget.tryTake(60, 'write'), true);
  assert.equal(budget.tryTake(60, 'write'), false);
  const order: string[] = [];
  const first = budget.take(60, 'write', never).then((granted) => granted && order.push('first'));
  const second = budget.take(10, 'write', never).then((granted) => granted && order.push('second'));
  assert.equal(budget.tryTake(1, 'write'), false, 'nobody overtakes those who wait');
  budget.give(60, 'write');
  await Promise.all([first, second]);
  assert.deepEqual(order, ['first', 'second']);
  assert.deepEqual(changes, [60, 0, 60, 70]);
});

test('waiting ends after a while, and the next one may fit', async () => {
  const budget = new MemoryBudget({ limit: 100, waitMs: 30 });
  budget.tryTake(50, 'write');
  const large = budget.take(80, 'write', never);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const small = budget.take(40, 'write', never);
  assert.equal(await large, false);
  assert.equal(await small, true);
  assert.equal(budget.granted, 90);
});

test('a full queue refuses at once; so does an aborted request', async () => {
  const budget = new MemoryBudget({ limit: 10, waiting: 1, waitMs: 10_000 });
  budget.tryTake(10, 'write');
  const controller = new AbortController();
  const waiting = budget.take(1, 'write', controller.signal);
  assert.equal(await budget.take(1, 'write', never), false);
  controller.abort();
  assert.equal(await waiting, false);
  assert.equal(await budget.take(1, 'write', controller.signal), false);
});

test('a request larger than the whole limit runs, with the body it holds, and alone', () => {
  const budget = new MemoryBudget({ limit: 100 });
  const body = budget.charge(1000, 'body');
  assert.equal(budget.tryTake(body, 'body'), true);
  const charge = budget.charge(1000, 'write');
  assert.equal(budget.tryTake(charge, 'write'), true);
  assert.equal(budget.tryTake(1, 'write'), false);
  assert.equal(budget.tryTake(0, 'write'), true, 'what needs nothing needs no leave');
  budget.give(body, 'body');
  assert.equal(budget.tryTake(charge, 'write'), false);
  budget.give(charge, 'write');
  assert.equal(budget.granted, 0);
});

test('never grants more than the limit and loses nothing', async () => {
  await check(
    asyncProperty(array(integer({ min: 1, max: 120 }), { maxLength: 60 }), async (sizes) => {
      const budget = new MemoryBudget({ limit: 100, waitMs: 5000, waiting: 1000 });
      await Promise.all(
        sizes.map(async (size) => {
          const charge = budget.charge(size, 'write');
          assert.ok(budget.tryTake(charge, 'write') || (await budget.take(charge, 'write', never)));
          assert.ok(budget.granted <= 100);
          await Promise.resolve();
          budget.give(charge, 'write');
        }),
      );
      assert.equal(budget.granted, 0);
    }),
    { numRuns: 50 },
  );
});

test('bodies that come slowly and readers leave a quarter to writes', async () => {
  const budget = new MemoryBudget({ limit: 100, waitMs: 20 });
  assert.equal(budget.charge(1000, 'body'), 25);
  assert.equal(budget.tryTake(25, 'body'), true);
  assert.equal(budget.tryTake(50, 'read'), true);
  assert.equal(budget.tryTake(1, 'body'), false);
  const body = budget.take(1, 'body', never);
  const read = budget.take(1, 'read', never);
  assert.equal(budget.isAwaited('body'), true);
  assert.equal(budget.tryTake(25, 'write'), true, 'others that wait do not hold up a write');
  assert.equal(budget.isAwaited('write'), false);
  assert.deepEqual(await Promise.all([body, read]), [false, false]);
  budget.give(25, 'write');
  const later = budget.take(10, 'read', never);
  budget.give(25, 'body');
  assert.equal(await later, false, 'what bodies give back is not for readers');
  budget.give(50, 'read');
  assert.equal(budget.granted, 0);
});
