import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import { SessionPool } from '../../../src/storage/session-pool.ts';

function pool(limit: number) {
  let made = 0;
  return new SessionPool(limit, () => ++made);
}

describe('SessionPool', () => {
  it('makes as many as are needed, up to the limit, and serves in order', async () => {
    const sessions = pool(2);
    const [a, b] = [await sessions.acquire(), await sessions.acquire()];
    assert.deepEqual([a, b], [1, 2]);
    const order: string[] = [];
    const third = sessions.acquire().then((session) => order.push(`third ${session}`));
    const fourth = sessions.acquire().then((session) => order.push(`fourth ${session}`));
    assert.equal(sessions.waiting, 2);
    sessions.release(b);
    sessions.release(a);
    await Promise.all([third, fourth]);
    assert.deepEqual(order, ['third 2', 'fourth 1']);
    assert.equal(sessions.inUse, 2);
  });

  it('takes one back before it makes another', async () => {
    const sessions = pool(3);
    sessions.release(await sessions.acquire());
    assert.equal(await sessions.acquire(), 1);
  });

  it('lets those who give up leave the queue', async () => {
    const sessions = pool(1);
    const held = await sessions.acquire();
    const giving = new AbortController();
    const waiting = sessions.acquire(giving.signal);
    const patient = sessions.acquire();
    giving.abort();
    await assert.rejects(waiting, { code: 'cancelled' });
    sessions.release(held);
    assert.equal(await patient, held);
    await assert.rejects(sessions.acquire(AbortSignal.abort()), { code: 'cancelled' });
  });

  it('refuses everybody once it is closed', async () => {
    const sessions = pool(1);
    await sessions.acquire();
    const waiting = sessions.acquire();
    const closed = new SluiceError('storage_unavailable', 'closed');
    assert.deepEqual(sessions.close(closed), [1]);
    await assert.rejects(waiting, closed);
    await assert.rejects(sessions.acquire(), closed);
  });

  it('hands on the error of a session that cannot be made, and tries again', async () => {
    let broken = true;
    const sessions = new SessionPool(1, () => {
      if (broken) throw new Error('no');
      return 1;
    });
    await assert.rejects(sessions.acquire(), /no/);
    broken = false;
    assert.equal(await sessions.acquire(), 1);
  });
});
