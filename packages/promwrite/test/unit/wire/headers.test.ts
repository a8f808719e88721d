import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContentType, REQUEST_V2, WRITE_REQUEST } from '../../../src/wire/index.ts';

for (const [header, expected] of [
  [undefined, WRITE_REQUEST],
  ['', WRITE_REQUEST],
  ['application/x-protobuf', WRITE_REQUEST],
  ['Application/X-Protobuf ', WRITE_REQUEST],
  ['application/x-protobuf;proto=prometheus.WriteRequest', WRITE_REQUEST],
  ['application/x-protobuf;proto=io.prometheus.write.v2.Request', REQUEST_V2],
  ['application/x-protobuf ; PROTO="io.prometheus.write.v2.Request" ; charset=utf-8', REQUEST_V2],
  ['application/x-protobuf; proto="io.prometheus.write.v2\\.Request"', REQUEST_V2],
  ['application/x-protobuf;', WRITE_REQUEST],
  ['application/x-protobuf; charset=utf-8', WRITE_REQUEST],
  ['application/x-protobuf;proto=io.prometheus.write.v3.Request', undefined],
  ['application/x-protobuf;proto=', undefined],
  ['application/x-protobuf;proto', undefined],
  ['application/x-protobuf;proto = x', undefined],
  ['application/x-protobuf;proto=prometheus.WriteRequest;proto=io.prometheus.write.v2.Request', undefined],
  ['application/x-protobuf;proto="io', undefined],
  ['application/json', undefined],
  ['application/x-protobufs', undefined],
  ['application/x-protobuf, text/plain', undefined],
] as const) {
  test(`content type ${JSON.stringify(header)} means ${expected}`, () => {
    assert.equal(parseContentType(header), expected);
  });
}
