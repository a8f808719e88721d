import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VERSION } from '../../../../src/base/version.ts';
import { requestHeaders } from '../../../../src/exporters/prometheus/request-headers.ts';

describe('headers of a request', () => {
  test('are those of the protocol', () => {
    assert.deepEqual(requestHeaders('prometheus.WriteRequest', 0, {}), {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'user-agent': `sluice/${VERSION}`,
      'x-prometheus-remote-write-version': '0.1.0',
    });
    assert.deepEqual(requestHeaders('io.prometheus.write.v2.Request', 2, {}), {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'retry-attempt': '2',
      'user-agent': `sluice/${VERSION}`,
      'x-prometheus-remote-write-version': '2.0.0',
    });
  });

  test("have the user's beside them, which cannot take the place of others", () => {
    const personal = { 'x-scope-orgid': 'tenant', 'content-type': 'text/plain' };
    const headers = requestHeaders('prometheus.WriteRequest', 0, personal);
    assert.equal(headers['x-scope-orgid'], 'tenant');
    assert.equal(headers['content-type'], 'application/x-protobuf');
    assert.equal(Object.keys(headers).length, 5);
  });
});
