import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeNoAnswer } from '../../../src/exporters/no-answer.ts';

describe('what it means that there is no answer', () => {
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
      assert.deepEqual(
        judgeNoAnswer(failure(code), false),
        { kind: 'retry', why: `no answer: what happened (${code})` },
        code,
      );
    }
    const both = Object.assign(new AggregateError([failure('ECONNREFUSED')], ''), {});
    assert.deepEqual(judgeNoAnswer(both, false), { kind: 'retry', why: 'no answer: ECONNREFUSED' });
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
      assert.equal(judgeNoAnswer(failure(code), false).kind, 'misconfigured', code);
    }
  });

  test('time that ran out is tried again', () => {
    assert.deepEqual(judgeNoAnswer(failure('ABORT_ERR'), true), {
      kind: 'retry',
      why: 'no answer in time',
    });
  });
});
