import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StopOrder } from '../../src/stop-order.ts';
import { createLog } from '../../src/telemetry/log.ts';

describe('the order of stopping', () => {
  function order() {
    const lines: string[] = [];
    const log = createLog({ level: 'error', destination: { write: (line: string) => void lines.push(line) } });
    return { stops: new StopOrder(log), lines };
  }

  it('is that of starting, backwards, one part after the other', async () => {
    const { stops } = order();
    const ended: string[] = [];
    stops.add(() => void ended.push('first'));
    stops.add(async () => {
      await new Promise((resolve) => void setImmediate(resolve));
      ended.push('second');
    });
    await stops.stopAll();
    assert.deepEqual(ended, ['second', 'first']);
  });

  it('goes on behind a part that fails, and says so', async () => {
    const { stops, lines } = order();
    let isStopped = false;
    stops.add(() => {
      isStopped = true;
    });
    stops.add(() => Promise.reject(new Error('stuck')));
    await stops.stopAll();
    assert.ok(isStopped);
    assert.match(lines.join(''), /a part did not stop cleanly/);
    assert.match(lines.join(''), /stuck/);
  });

  it('says when it begins, and how long a part may take', async () => {
    const { stops } = order();
    assert.equal(stops.remainingMs, Infinity);
    let remainingMs = 0;
    stops.add(() => {
      assert.ok(stops.signal.aborted);
      ({ remainingMs } = stops);
    });
    assert.ok(!stops.signal.aborted);
    await stops.stopAll();
    assert.ok(remainingMs > 500 && remainingMs <= 30_000);
  });

  it('stops each part once', async () => {
    const { stops } = order();
    let count = 0;
    stops.add(() => void count++);
    await Promise.all([stops.stopAll(), stops.stopAll()]);
    assert.equal(count, 1);
  });
});
