import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { createLog } from '../../../src/telemetry/log.ts';
import { Periodic, type PeriodicOptions } from '../../../src/telemetry/periodic.ts';

const lines: string[] = [];
const log = createLog({ destination: { write: (line: string) => void lines.push(line) } });

beforeEach(() => {
  lines.length = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

function periodic(work: PeriodicOptions['work'], pauseMs: PeriodicOptions['pauseMs'] = 1000): Periodic {
  return new Periodic({ work, pauseMs, log, failure: 'cannot look; tried again', fields: { org: 7 } });
}

/** Time goes by, and what was waiting for it is done. */
async function pass(milliseconds: number): Promise<void> {
  mock.timers.tick(milliseconds);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('work that is repeated', () => {
  test('comes after every pause, at once where that is wanted, and no more after a stop', async () => {
    let rounds = 0;
    const one = periodic(() => void rounds++);
    one.start();
    one.start();
    await pass(999);
    assert.equal(rounds, 0);
    await pass(1);
    await pass(1000);
    assert.equal(rounds, 2);
    await one.stop();
    await one.run();
    await pass(5000);
    assert.equal(rounds, 2);
    const other = periodic(() => void rounds++);
    other.start('at once');
    assert.equal(rounds, 3);
    await other.stop();
  });

  for (const [how, fail] of [
    ['throws', () => assert.fail('no luck')],
    ['rejects', () => Promise.reject(new Error('no luck'))],
  ] as const) {
    test(`that ${how} is logged once a minute, with what it was about, and the next round comes`, async () => {
      let rounds = 0;
      const one = periodic(() => {
        rounds++;
        return fail();
      });
      one.start();
      for (let i = 0; i < 4; i++) await pass(1000);
      assert.equal(rounds, 4);
      await one.run();
      await one.stop();
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /"level":"error".*"org":7,"cause":".*no luck","suppressed":0.*cannot look; tried again/);
    });
  }

  test('is never under way twice, whoever asks for it; a stop waits for its end', async () => {
    const ends: (() => void)[] = [];
    const one = periodic(() => {
      // It may even ask for itself.
      void one.run();
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.push(resolve);
      return promise;
    });
    one.start();
    await pass(1000);
    void one.run();
    await pass(10_000);
    assert.equal(ends.length, 1);
    ends[0]!();
    await pass(0);
    await pass(1000);
    assert.equal(ends.length, 2);
    let isStopped = false;
    const stopping = one.stop().then(() => (isStopped = true));
    await pass(0);
    assert.equal(isStopped, false);
    ends[1]!();
    await stopping;
  });

  test('asked for before its time comes next a whole pause later; the pause may be another one every time', async () => {
    const pauses = [1000, 200, 1000];
    let rounds = 0;
    const one = periodic(
      () => void rounds++,
      () => pauses.shift()!,
    );
    one.start();
    await pass(900);
    await one.run();
    await pass(199);
    assert.equal(rounds, 1);
    await pass(1);
    assert.equal(rounds, 2);
    await one.stop();
  });
});
