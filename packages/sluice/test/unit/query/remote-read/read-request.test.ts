import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProtobufWriter, compressBlock } from 'promwrite/wire';
import { SluiceError } from '../../../../src/base/errors.ts';
import { readLimitsSchema, toReadLimits } from '../../../../src/query/config.ts';
import { decodeReadRequest, negotiate } from '../../../../src/query/remote-read/read-request.ts';

const limits = toReadLimits(readLimitsSchema.parse({}));

function message(write: (out: ProtobufWriter) => void): Buffer {
  const out = new ProtobufWriter();
  write(out);
  return Buffer.from(compressBlock(out.written()));
}

function nested(out: ProtobufWriter, tag: number, write: () => void): void {
  out.varint32(tag);
  const start = out.open(2);
  write();
  out.close(start, 2);
}

function matcher(out: ProtobufWriter, type: number, name: string, value: string): void {
  nested(out, 26, () => {
    out.varint32(8);
    out.varint32(type);
    out.stringField(18, name);
    out.stringField(26, value);
  });
}

const refused = (body: Uint8Array, pattern: RegExp, changed = limits) =>
  assert.throws(
    () => decodeReadRequest(body, changed),
    (error) => error instanceof SluiceError && error.code === 'bad_request' && pattern.test(error.message),
  );

describe('read requests', () => {
  it('carry queries, matchers of all types and accepted types, packed or not; hints are passed over', () => {
    const body = message((out) => {
      nested(out, 10, () => {
        out.varint32(8);
        out.int64(-5);
        out.varint32(16);
        out.int64(1_700_000_000_000);
        for (let type = 0; type < 4; type++) matcher(out, type, `n${type}`, 'größe');
        nested(out, 34, () => out.stringField(18, 'rate'));
      });
      nested(out, 10, () => {});
      out.varint32(16);
      out.varint32(1);
      nested(out, 18, () => {
        out.varint32(0);
        out.varint32(7);
      });
    });
    assert.deepEqual(decodeReadRequest(body, limits), {
      queries: [
        {
          start: -5,
          end: 1_700_000_000_000,
          matchers: (['EQ', 'NEQ', 'RE', 'NRE'] as const).map((type, index) => ({
            type,
            name: `n${index}`,
            value: 'größe',
          })),
        },
        { start: 0, end: 0, matchers: [] },
      ],
      acceptedResponseTypes: [1, 0, 7],
    });
  });

  it('take times beyond any number for "no limit"', () => {
    const body = message((out) => {
      nested(out, 10, () => {
        out.varint32(8);
        out.int64(-(2n ** 63n));
        out.varint32(16);
        out.int64(2n ** 63n - 1n);
      });
    });
    const [query] = decodeReadRequest(body, limits).queries;
    assert.equal(query?.start, -Number.MAX_SAFE_INTEGER);
    assert.equal(query?.end, Number.MAX_SAFE_INTEGER);
  });

  it('are refused when they are no snappy or no protobuf, or claim too much', () => {
    refused(Buffer.from('no snappy'), /snappy/);
    refused(Buffer.from('80808080040041', 'hex'), /declares 1073741824 bytes/);
    refused(Buffer.from(compressBlock(Buffer.from('ffffff', 'hex'))), /protobuf/);
    refused(Buffer.alloc(0), /snappy/);
    refused(
      message((out) => nested(out, 10, () => out.varint32(0x0f))),
      /wire type/,
    );
  });

  it('are held to their limits', () => {
    const queries = (count: number) =>
      message((out) => {
        for (let i = 0; i < count; i++) nested(out, 10, () => {});
      });
    assert.equal(decodeReadRequest(queries(64), limits).queries.length, 64);
    refused(queries(65), /at most 64 queries/);
    const matchers = (count: number) =>
      message((out) =>
        nested(out, 10, () => {
          for (let i = 0; i < count; i++) matcher(out, 0, 'a', 'b');
        }),
      );
    assert.equal(decodeReadRequest(matchers(128), limits).queries[0]?.matchers.length, 128);
    refused(matchers(129), /at most 128 matchers/);
    refused(
      message((out) => nested(out, 10, () => matcher(out, 2, 'a', 'x'.repeat(70_000)))),
      /at most 65536 bytes/,
    );
  });

  it('are refused for matchers that are none: bad type, bad expression, bad UTF-8', () => {
    const one = (type: number, value: string) =>
      message((out) => nested(out, 10, () => matcher(out, type, 'a', value)));
    refused(one(4, 'b'), /type 0 to 3; got 4/);
    refused(one(2, 'a('), /regular expression.*missing closing/);
    refused(one(3, 'a)(b'), /regular expression/);
    refused(one(2, '(?=a)'), /regular expression/);
    const bad = message((out) =>
      nested(out, 10, () =>
        nested(out, 26, () => {
          out.varint32(18);
          out.varint32(1);
          out.raw(Uint8Array.of(0xff));
        }),
      ),
    );
    refused(bad, /UTF-8/);
  });
});

describe('the form of the answer', () => {
  it('is the first accepted one that is served', () => {
    assert.equal(negotiate([]), 'SAMPLES');
    assert.equal(negotiate([0]), 'SAMPLES');
    assert.equal(negotiate([1, 0]), 'STREAMED_XOR_CHUNKS');
    assert.equal(negotiate([9, -1, 0, 1]), 'SAMPLES');
  });

  it('does not exist when none is', () => {
    assert.throws(() => negotiate([2, 3]), /expected accepted response types .* got types 2, 3/);
  });
});
