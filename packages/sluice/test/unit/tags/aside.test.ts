import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isMainThread } from 'node:worker_threads';
import { aside } from '../../../src/tags/aside.ts';

type Task = 'thread' | 'throw' | 'end' | 'wait';

function work(task: Task): boolean {
  if (task === 'throw') throw new Error('expected something else');
  if (task === 'end') process.exit(0);
  if (task === 'wait') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return isMainThread;
}

// This file is the thread's program as well, without what follows.
const inThread = aside(import.meta.url, 'the task', work);

if (isMainThread) {
  describe('work in a thread of its own', () => {
    const { signal } = new AbortController();

    test('has the outcome of the function, also when it throws', async () => {
      assert.equal(await inThread('thread', signal), false);
      await assert.rejects(inThread('throw', signal), /^Error: expected something else$/);
    });

    test('whose thread ends is told', async () => {
      await assert.rejects(inThread('end', signal), /^Error: cannot read the task: its thread has ended$/);
    });

    test('is given up when nobody wants it any more', async () => {
      const unwanted = /^Error: cannot read the task: nobody wants it any more$/;
      const stopped = new AbortController();
      const endless = inThread('wait', stopped.signal);
      setImmediate(() => stopped.abort());
      await assert.rejects(endless, unwanted);
      await assert.rejects(inThread('thread', stopped.signal), unwanted);
    });
  });
}
