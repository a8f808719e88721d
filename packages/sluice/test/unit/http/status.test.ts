import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES, SluiceError } from '../../../src/base/errors.ts';
import { internalErrorReply, replyOfError, textReply } from '../../../src/http/status.ts';

test('every error code has a status; those worth another attempt say when', () => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of an object literal
  for (const code of Object.keys(ERROR_CODES) as (keyof typeof ERROR_CODES)[]) {
    const reply = replyOfError(new SluiceError(code, 'why'));
    assert.ok(reply.status >= 400 && reply.status < 600, code);
    assert.equal(reply.body, 'why\n');
    assert.equal(reply.headers?.['retry-after'], reply.status === 429 || reply.status === 503 ? '5' : undefined, code);
  }
});

function retryAfter(retryAfterMs: number): string | undefined {
  return replyOfError(new SluiceError('journal_full', 'x', { retryAfterMs })).headers?.['retry-after'];
}

test('Retry-After is whole seconds, rounded up, never 0', () => {
  assert.deepEqual(
    [retryAfter(0), retryAfter(1), retryAfter(1000), retryAfter(1001), retryAfter(30_000)],
    ['1', '1', '1', '2', '30'],
  );
});

test('texts are bounded and free of control characters', () => {
  assert.equal(textReply(400, 'a\r\n\u0000\u001Bb\tc').body, 'a\u{FFFD}\n\u{FFFD}\u{FFFD}b\tc\n');
  const { body } = textReply(400, 'x'.repeat(1 << 20));
  assert.ok(typeof body === 'string' && body.length < 8300);
  assert.equal(textReply(400, 'x').headers?.['content-type'], 'text/plain; charset=utf-8');
});

test('an unexpected failure tells nothing', () => {
  assert.deepEqual(
    [internalErrorReply().status, internalErrorReply().body],
    [500, 'Internal Server Error: the log of the hub says more\n'],
  );
});
