import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verdictOn as verdictWith } from '../../../../src/exporters/kafka/verdict.ts';

/** Errors in the shapes in which the client gives them: several layers, of which the innermost tells. */

type Fields = Readonly<Record<string, unknown>>;

const verdictOn = (thrown: unknown) => verdictWith(thrown, '');
const error = (message: string, fields: Fields = {}, cause?: Error): Error =>
  Object.assign(new Error(message, cause === undefined ? undefined : { cause }), fields);
const several = (message: string, errors: readonly Error[], cause?: Error): Error =>
  Object.assign(new AggregateError(errors, message, cause === undefined ? undefined : { cause }), {
    code: 'PLT_KFK_MULTIPLE',
  });
const answer = (apiId: string, serverErrorMessage: string | null = null) =>
  several('Received response with error while executing API', [
    error('What the code means.', { code: 'PLT_KFK_PROTOCOL', apiId, serverErrorMessage }),
  ]);

describe('errors of the Kafka client', () => {
  it('are a matter of configuration, however deep it stands', () => {
    const login = error(
      'SASL authentication failed.',
      { code: 'PLT_KFK_AUTHENTICATION', canRetry: false },
      answer('SASL_AUTHENTICATION_FAILED', 'wrong password'),
    );
    const network = error('Cannot connect.', { code: 'PLT_KFK_NETWORK', canRetry: true }, login);
    const wrapped = several('metadata failed 9 times.', [
      error('Connection closed', { code: 'PLT_KFK_NETWORK' }),
      several('Cannot connect to any broker.', [network]),
    ]);
    assert.deepEqual(verdictOn(wrapped), { kind: 'config', why: 'SASL_AUTHENTICATION_FAILED: wrong password' });
    for (const id of [
      'TOPIC_AUTHORIZATION_FAILED',
      'CLUSTER_AUTHORIZATION_FAILED',
      'UNSUPPORTED_SASL_MECHANISM',
      'ILLEGAL_SASL_STATE',
      'INVALID_TOPIC_EXCEPTION',
    ]) {
      assert.deepEqual(verdictOn(answer(id)), { kind: 'config', why: `${id}: What the code means.` });
    }
    const certificate = error('self-signed certificate in certificate chain', { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    assert.equal(verdictOn(error('Cannot connect.', { code: 'PLT_KFK_NETWORK' }, certificate)).kind, 'config');
    assert.equal(verdictOn(error('Broker requires TLS.', { code: 'PLT_KFK_USER' })).kind, 'config');
    assert.equal(verdictOn(error('No.', { code: 'PLT_KFK_UNSUPPORTED_COMPRESSION' })).kind, 'config');
  });

  it('are about the batch', () => {
    const record = several('Received response with error', [
      error('Unknown.', { code: 'PLT_KFK_PROTOCOL', apiId: 'UNKNOWN_SERVER_ERROR' }),
      error('Bad.', { code: 'PLT_KFK_PROTOCOL', apiId: 'INVALID_TIMESTAMP', serverErrorMessage: 'too old' }),
    ]);
    assert.deepEqual(verdictOn(several('Producing messages failed.', [record])), {
      kind: 'batch',
      why: 'INVALID_TIMESTAMP: too old',
    });
    assert.equal(verdictOn(answer('MESSAGE_TOO_LARGE')).kind, 'batch');
  });

  it('are about the topic', () => {
    assert.equal(verdictOn(answer('UNKNOWN_TOPIC_OR_PARTITION')).kind, 'topic');
    assert.equal(verdictOn(error('Unknown topic x.', { code: 'PLT_KFK_USER' })).kind, 'topic');
  });

  it('pass, and the last attempt tells why', () => {
    const refused = (code: string) =>
      error('Cannot connect.', { code: 'PLT_KFK_NETWORK' }, error(`connect ${code} 127.0.0.1:9092`, { code }));
    const attempts = several('initProducerId failed 2 times.', [
      answer('SASL_AUTHENTICATION_FAILED'),
      refused('ECONNREFUSED'),
    ]);
    assert.deepEqual(verdictOn(attempts), { kind: 'transient', why: 'connect ECONNREFUSED 127.0.0.1:9092' });
    assert.equal(verdictOn(answer('NOT_LEADER_OR_FOLLOWER')).kind, 'transient');
    assert.deepEqual(verdictOn(error('Connection closed', { code: 'PLT_KFK_NETWORK' })), {
      kind: 'transient',
      why: 'Connection closed',
    });
  });

  it('name the broker that could not be reached, or those that were tried', () => {
    const brokers = 'kafka-1:9092,kafka-2:9092';
    const failed = (cause: Error) =>
      error('Connection to kafka-2:9092 failed.', { code: 'PLT_KFK_NETWORK', canRetry: true }, cause);
    const whyOf = (thrown: unknown) => verdictWith(thrown, brokers).why;
    // As Node tells of a name with two addresses.
    const both = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
    assert.equal(whyOf(failed(both)), 'kafka-2:9092: ECONNREFUSED');
    assert.equal(
      whyOf(failed(error('getaddrinfo ENOTFOUND kafka-2', { code: 'ENOTFOUND' }))),
      'kafka-2:9092: getaddrinfo ENOTFOUND kafka-2',
    );
    assert.equal(
      whyOf(failed(error('self-signed certificate', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }))),
      'kafka-2:9092: DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate; put the certificate of who signed it into tls.ca-file',
    );
    assert.equal(
      whyOf(failed(error('SASL authentication failed.', {}, answer('SASL_AUTHENTICATION_FAILED', 'wrong password')))),
      'kafka-2:9092: SASL_AUTHENTICATION_FAILED: wrong password',
    );
    assert.equal(
      whyOf(error('Connection to kafka-1:9092 timed out.', { code: 'PLT_KFK_TIMEOUT' })),
      'Connection to kafka-1:9092 timed out.',
    );
    assert.match(
      whyOf(error('Connection closed', { code: 'PLT_KFK_NETWORK' })),
      /^Connection closed \(kafka-1:9092,kafka-2:9092\); a broker that wants a login/,
    );
    assert.equal(whyOf(error('Broker requires TLS.', { code: 'PLT_KFK_USER' })), `Broker requires TLS. (${brokers})`);
    assert.equal(whyOf(answer('TOPIC_AUTHORIZATION_FAILED', 'no')), 'TOPIC_AUTHORIZATION_FAILED: no');
  });

  it('may be anything at all', () => {
    const round = error('round');
    Object.assign(round, { cause: round });
    for (const thrown of [undefined, null, 'text', 3, {}, round, new AggregateError([], 'none')]) {
      assert.equal(verdictOn(thrown).kind, 'transient');
    }
  });
});
