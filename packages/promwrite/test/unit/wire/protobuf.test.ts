import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProtobufReader, ProtobufWriter, WireError } from '../../../src/wire/index.ts';
import { bitsOf, fromHex } from '../../support/bits.ts';

function written(write: (writer: ProtobufWriter) => void): ProtobufReader {
  const writer = new ProtobufWriter(1);
  write(writer);
  return new ProtobufReader(writer.toBytes());
}

test('64-bit integers come back exactly', () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
      const reader = written((writer) => {
        writer.int64(value);
        writer.sint64(value);
        writer.int64(BigInt.asUintN(64, value));
      });
      assert.equal(BigInt(reader.int64()), value);
      assert.equal(reader.sint64(), value);
      assert.equal(reader.uint64(), BigInt.asUintN(64, value));
      assert.equal(reader.hasMore(), false);
    }),
  );
});

test('safe integers are numbers, others bigints', () => {
  for (const value of [0, 1, -1, 127, 128, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53 - 1), 1_700_000_000_000]) {
    assert.equal(written((writer) => writer.int64(value)).int64(), value);
    assert.equal(written((writer) => writer.sint64(value)).sint64(), BigInt(value));
  }
  assert.equal(written((writer) => writer.int64(2n ** 53n)).int64(), 2n ** 53n);
  assert.equal(written((writer) => writer.int64(-(2n ** 53n))).int64(), -(2n ** 53n));
});

test('32-bit integers come back exactly', () => {
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const reader = written((writer) => {
        writer.sint32(value);
        writer.varint32(value);
      });
      assert.equal(reader.sint32(), value);
      assert.equal(reader.uint32(), value >>> 0);
    }),
  );
});

test('strings of any length and script come back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 200 })), (text) => {
      const reader = written((writer) => writer.stringField(0x0a, text));
      assert.equal(reader.tag(), 0x0a);
      assert.equal(reader.string(), text.toWellFormed());
      assert.equal(reader.hasMore(), false);
    }),
    { numRuns: 500 },
  );
});

test('text that is not UTF-8 is undefined, and U+FFFD when lossy', () => {
  for (const hex of ['0180', '02c328', '03eda080', '04f8888080']) {
    assert.equal(new ProtobufReader(fromHex(hex)).string(), undefined);
    assert.match(new ProtobufReader(fromHex(hex)).lossyString(), /\ufffd/);
  }
});

test('doubles keep their bits, NaN payloads included', () => {
  for (const hex of [
    '7ff0000000000002',
    '7ff8000000000001',
    'fff8000000000000',
    '8000000000000000',
    '7ff00000deadbeef',
  ]) {
    const bytes = fromHex(hex).toReversed();
    const reader = new ProtobufReader(bytes);
    const held = { value: reader.double() };
    const writer = new ProtobufWriter();
    writer.double(held.value);
    assert.deepEqual(writer.toBytes(), bytes);
    assert.equal(bitsOf(held.value), hex);
  }
});

test('embedded messages of every length size are closed correctly', () => {
  for (const size of [0, 1, 127, 128, 16383, 16384, 70000]) {
    for (const room of [1, 2]) {
      const reader = written((writer) => {
        writer.varint32(0x0a);
        const start = writer.open(room);
        writer.raw(new Uint8Array(size).fill(7));
        const moved = writer.close(start, room);
        assert.equal(writer.bytes[moved], size === 0 ? writer.bytes[moved] : 7);
        writer.varint32(9);
      });
      assert.equal(reader.tag(), 0x0a);
      assert.equal(reader.byteView().length, size);
      assert.equal(reader.uint32(), 9);
      assert.equal(reader.hasMore(), false);
    }
  }
});

for (const [what, hex, read] of [
  ['a varint of 11 bytes', 'ffffffffffffffffffff01', (reader) => reader.varint64()],
  ['a varint that is cut off', 'ff', (reader) => reader.uint32()],
  ['field number 0', '02', (reader) => reader.tag()],
  ['field number 0 in a long form', '8200', (reader) => reader.tag()],
  ['wire type 3', '0b', (reader) => reader.tag()],
  ['wire type 4', '0c', (reader) => reader.tag()],
  ['wire type 6', '0e', (reader) => reader.tag()],
  ['wire type 7', '0f', (reader) => reader.tag()],
  ['a field number above 2^29 - 1', '8080808010', (reader) => reader.tag()],
  ['a length beyond the message', '0501', (reader) => reader.length()],
  ['a length beyond 32 bits', '808080808001', (reader) => reader.length()],
  ['a double that is cut off', '00000000', (reader) => reader.double()],
] as const satisfies readonly (readonly [string, string, (reader: ProtobufReader) => unknown])[]) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => read(new ProtobufReader(fromHex(hex))),
      (error) => error instanceof WireError && error.kind === 'malformed',
    );
  });
}

test('a length may not reach beyond the enclosing message although bytes follow', () => {
  const reader = new ProtobufReader(fromHex('020a05aaaaaaaaaa'));
  reader.enter();
  reader.tag();
  assert.throws(() => reader.length(), WireError);
});
