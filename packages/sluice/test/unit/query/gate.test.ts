import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import { Gate } from '../../../src/query/gate.ts';

const never = new AbortController().signal;

describe('a gate', () => {
  it('lets in as many as it should; others wait, first come first served', async () => {
    const gate = new Gate(2);
    const order: number[] = [];
    const first = await gate.enter(never);
    await gate.enter(never);
    const waiting = [3, 4].map(async (who) => {
      const leave = await gate.enter(never);
      order.push(who);
      return leave;
    });
    await new Promise(setImmediate);
    assert.deepEqual(order, []);
    first();
    first();
    await new Promise(setImmediate);
    assert.deepEqual(order, [3]);
    (await waiting[0]!)();
    (await waiting[1]!)();
    assert.deepEqual(order, [3, 4]);
  });

  it('is left by who is cancelled while waiting', async () => {
    const gate = new Gate(1);
    const leave = await gate.enter(never);
    const control = new AbortController();
    const waiting = gate.enter(control.signal);
    control.abort();
    await assert.rejects(waiting, (error) => isSluiceError(error, 'cancelled'));
    await assert.rejects(gate.enter(control.signal), (error) => isSluiceError(error, 'cancelled'));
    const next = gate.enter(never);
    leave();
    (await next)();
  });
});
