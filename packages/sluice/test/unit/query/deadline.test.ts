import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startDeadline } from '../../../src/query/deadline.ts';

describe('deadline of a read', () => {
  it('aborts when the time is over, and says so', async () => {
    const deadline = startDeadline(new AbortController().signal, 5);
    await new Promise((resolve) => deadline.signal.addEventListener('abort', resolve));
    assert.equal(deadline.isOver, true);
  });

  it('aborts with the client', () => {
    const client = new AbortController();
    const deadline = startDeadline(client.signal, 60_000);
    client.abort(new Error('gone'));
    assert.equal(deadline.signal.aborted, true);
    assert.equal(deadline.isOver, false);
    assert.equal(startDeadline(client.signal, 60_000).signal.aborted, true);
    deadline.end();
  });

  it('leaves nothing behind when the read has ended', async () => {
    const client = new AbortController();
    const deadline = startDeadline(client.signal, 5);
    deadline.end();
    client.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(deadline.signal.aborted, false);
  });
});
