import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FieldScan } from '../../../src/receivers/field-scan.ts';
import { bytes, double, message, number } from './wire-message.ts';

function fieldsOf(data: Uint8Array, start = 0, end = data.length): { fields: unknown[]; isMalformed: boolean } {
  const scan = new FieldScan();
  const fields: unknown[] = [];
  scan.begin(data, start, end);
  while (scan.next()) {
    const { field, wireType, low, high } = scan;
    if (wireType === 2) fields.push([field, Buffer.from(data.subarray(scan.start, scan.end)).toString('latin1')]);
    else fields.push([field, (BigInt(high) << 32n) | BigInt(low)]);
    assert.ok(scan.at <= end);
  }
  return { fields, isMalformed: scan.isMalformed };
}

test('fields of all wire types, in order, between bytes that are not theirs', () => {
  const fixed32 = [...number(7, 0)].slice(0, 1).map((tag) => tag | 5);
  const data = message(
    [255],
    number(1, 5),
    bytes(2, 'ab'),
    double(3, 1),
    [...fixed32, 1, 0, 0, 128],
    number(100_000, -1n),
    [255],
  );
  assert.deepEqual(fieldsOf(data, 1, data.length - 1), {
    fields: [
      [1, 5n],
      [2, 'ab'],
      [3, 0x3ff0_0000_0000_0000n],
      [7, 0x8000_0001n],
      [100_000, 0xffff_ffff_ffff_ffffn],
    ],
    isMalformed: false,
  });
});

for (const [what, data] of [
  ['a varint that is cut off', [0x08, 0x80]],
  ['a varint of eleven bytes', [0x08, ...Array.from({ length: 10 }, () => 0x80), 0]],
  ['field number 0', [0x00, 0x01]],
  ['a group', [0x0b]],
  ['a length beyond the message', [0x12, 3, 1, 2]],
  ['a length beyond 32 bits', [0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
  ['a double that is cut off', [0x19, 0, 0, 0]],
  ['a tag beyond 32 bits', [0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 1]],
] as const) {
  test(`${what} is malformed, and what stands before it was seen`, () => {
    const { fields, isMalformed } = fieldsOf(message(number(9, 1), data));
    assert.deepEqual(fields, [[9, 1n]]);
    assert.ok(isMalformed);
  });
}

test('numbers of a packed field, up to where it is cut off', () => {
  const scan = new FieldScan();
  const numbers: bigint[] = [];
  const data = Uint8Array.of(255, 5, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0x80, 255);
  for (const end of [8, 9]) {
    scan.begin(data, 1, end);
    while (scan.nextPacked()) numbers.push((BigInt(scan.high) << 32n) | BigInt(scan.low));
    assert.equal(scan.isMalformed, end === 9);
  }
  assert.deepEqual(numbers, [5n, 1n << 32n, 0n, 5n, 1n << 32n, 0n]);
});

test('any bytes come to an end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
      fieldsOf(data);
    }),
  );
});
