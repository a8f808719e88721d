import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ShownAnswer } from '../../../../src/exporters/answer-text.ts';
import { judge } from '../../../../src/exporters/prometheus/outcome.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

function answer(status: number, text = '', headers: ShownAnswer['headers'] = {}): ShownAnswer {
  return { status, text, headers };
}

const kindOf = (status: number) => judge(answer(status), { on429: 'retry', items: 3, now }).kind;

describe('what an answer means', () => {
  const kinds: readonly (readonly [kind: string, statuses: readonly number[]])[] = [
    ['sent', [200, 202, 204, 299]],
    ['retry', [408, 425, 429, 500, 501, 502, 503, 504, 599, 600, 999]],
    ['refused', [400, 409, 413, 422, 418]],
    ['misconfigured', [401, 403, 404, 405, 407, 415, 301, 302, 303, 304, 307, 308]],
  ];
  for (const [kind, statuses] of kinds) {
    test(`${kind}: ${statuses.join(', ')}`, () => {
      for (const status of statuses) assert.equal(kindOf(status), kind, String(status));
    });
  }

  test('the reason has status and text', () => {
    assert.deepEqual(judge(answer(400, 'out of order sample'), { on429: 'retry', items: 1, now }), {
      kind: 'refused',
      why: 'the receiver answered 400: out of order sample',
    });
  });

  test('a receiver says how long to wait', () => {
    const busy = (retryAfter: string) =>
      judge(answer(503, '', { 'retry-after': retryAfter }), { on429: 'retry', items: 1, now });
    assert.deepEqual(busy('7'), { kind: 'retry', why: 'the receiver answered 503', afterMs: 7000 });
    assert.deepEqual(busy('soon'), { kind: 'retry', why: 'the receiver answered 503' });
  });

  test('429 is dropped when that is configured: every item, by name', () => {
    assert.deepEqual(judge(answer(429), { on429: 'drop', items: 3, now }), {
      kind: 'rejected',
      items: [0, 1, 2],
      why: 'the receiver answered 429',
    });
  });

  test('a redirect tells where to, without what may be a secret', () => {
    const found = judge(answer(302, '', { location: 'https://u:p@other.example/write?token=x' }), {
      on429: 'retry',
      items: 1,
      now,
    });
    assert.match(
      JSON.stringify(found),
      /other\.example\/write, which is not followed; put the final address into endpoints/,
    );
    assert.doesNotMatch(JSON.stringify(found), /token|u:p/);
  });
});
