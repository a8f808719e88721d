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

  test('what OpenSSL and Node put around an error of TLS is left out, and what to do is said', () => {
    const told = (message: string, code: string) => {
      const outcome = judgeNoAnswer(Object.assign(new Error(message), { code }), false);
      return 'why' in outcome ? outcome.why : '';
    };
    const openssl =
      'write EPROTO 409D49E2227F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:77:\n';
    assert.equal(
      told(openssl, 'EPROTO'),
      'no TLS connection: write EPROTO wrong version number; does it speak TLS at all?',
    );
    const untrusted =
      'unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca';
    assert.equal(
      told(untrusted, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      'no TLS connection: unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE); put the certificate of who signed it into tls.ca-file',
    );
  });

  test('time that ran out is tried again', () => {
    assert.deepEqual(judgeNoAnswer(failure('ABORT_ERR'), true), {
      kind: 'retry',
      why: 'no answer in time',
    });
  });
});
