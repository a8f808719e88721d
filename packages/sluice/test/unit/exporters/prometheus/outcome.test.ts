import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge, judgeError, parseRetryAfter } from '../../../../src/exporters/prometheus/outcome.ts';
import type { Answer } from '../../../../src/exporters/prometheus/post.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

function answer(status: number, text = '', headers: Answer['headers'] = {}): Answer {
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
      /other\.example\/write that is not followed; put the final address into endpoints/,
    );
    assert.doesNotMatch(JSON.stringify(found), /token|u:p/);
  });
});

test('Retry-After is seconds or a date in the future, at most five minutes', () => {
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['120', 120_000],
    [' 3 ', 3000],
    ['99999', 300_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thursday, 01-Jan-26 00:00:20 GMT', 20_000],
    ['Thu Jan  1 00:00:10 2026', 10_000],
    ['Wed, 31 Dec 2025 23:59:59 GMT', undefined],
    ['Fri, 01 Jan 2027 00:00:00 GMT', 300_000],
    ['Friday', undefined],
  ];
  for (const [header, expected] of cases) assert.equal(parseRetryAfter(header, now), expected, header);
});

describe('what it means that there is no answer', () => {
  const open = new AbortController().signal;
  const failure = (code: string) => Object.assign(new Error('what happened'), { code });

  test('connections that fail are tried again', () => {
    for (const code of [
      'ECONNREFUSED',
      'ECONNRESET',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EPIPE',
      'HPE_INVALID_CONSTANT',
      'ETIMEDOUT',
    ]) {
      assert.deepEqual(judgeError(failure(code), open), { kind: 'retry', why: 'no answer: what happened' }, code);
    }
    const both = Object.assign(new AggregateError([failure('ECONNREFUSED')], ''), {});
    assert.deepEqual(judgeError(both, open), { kind: 'retry', why: 'no answer: ECONNREFUSED' });
  });

  test('certificates and headers want mending', () => {
    for (const code of [
      'CERT_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'EPROTO',
      'ERR_INVALID_CHAR',
    ]) {
      assert.equal(judgeError(failure(code), open).kind, 'misconfigured', code);
    }
  });

  test('time that ran out is tried again', () => {
    assert.deepEqual(judgeError(failure('ABORT_ERR'), AbortSignal.abort()), {
      kind: 'retry',
      why: 'no answer in time',
    });
  });
});
