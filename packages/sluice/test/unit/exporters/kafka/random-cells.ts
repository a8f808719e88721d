import fc from 'fast-check';
import { ADDRESS, type Cells } from '../../../../src/exporters/cells.ts';
import { GrowingTable } from '../../../../src/exporters/growing-table.ts';

/** Cells of every kind with any values, for so many rows. */
export function randomCells(rows: number): fc.Arbitrary<Cells> {
  const some = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: rows, maxLength: rows });
  const nulls = fc.option(some(fc.constantFrom(0, 1)).map((bits) => Uint8Array.from(bits)));
  const withNulls = <T extends Cells>(cells: fc.Arbitrary<T>): fc.Arbitrary<Cells> =>
    fc.tuple(cells, nulls).map(([made, without]) => (without === null ? made : { ...made, nulls: without }));
  const small = fc.oneof(fc.constantFrom(0, 1, 9, 10), fc.nat(2 ** 32 - 1));
  const numbers = some(fc.oneof(small, fc.integer()));
  const words = fc.array(fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat(2 ** 32 - 1)), {
    minLength: rows * 2,
    maxLength: rows * 2,
  });
  const text = fc.oneof(
    fc.constant(new Uint8Array(0)),
    fc.string({ unit: 'binary', maxLength: 20 }).map((value) => new Uint8Array(Buffer.from(value))),
    fc.uint8Array({ maxLength: 20 }),
    fc.string({ minLength: 128, maxLength: 300 }).map((value) => new Uint8Array(Buffer.from(value))),
  );
  const list = <T>(one: fc.Arbitrary<T>) => some(fc.array(one, { maxLength: 3 }));
  const double = fc.double({ noNaN: true, noDefaultInfinity: true });
  return fc.oneof(
    withNulls(
      fc
        .tuple(numbers, fc.constantFrom(Uint8Array, Uint16Array, Uint32Array))
        .map(([values, type]) => ({ kind: 'unsigned', values: type.from(values) }) as const),
    ),
    withNulls(
      fc
        .tuple(numbers, fc.constantFrom(Int8Array, Int16Array, Int32Array))
        .map(([values, type]) => ({ kind: 'signed', values: type.from(values) }) as const),
    ),
    withNulls(words.map((halves) => ({ kind: 'unsigned64', words: Uint32Array.from(halves) }) as const)),
    withNulls(words.map((halves) => ({ kind: 'signed64', words: Uint32Array.from(halves) }) as const)),
    withNulls(some(double).map((values) => ({ kind: 'float', values: Float64Array.from(values) }) as const)),
    some(text).map((texts) => ({ kind: 'text', ...column(texts) }) as const),
    withNulls(named(rows)),
    withNulls(some(small).map((values) => ({ kind: 'ipv4', values: Uint32Array.from(values) }) as const)),
    withNulls(addresses(rows).map((bytes) => ({ kind: 'ipv6', bytes }) as const)),
    words.map(
      (halves) =>
        ({ kind: 'mac', words: Uint32Array.from(halves, (half, i) => (i % 2 === 0 ? half : half & 0xffff)) }) as const,
    ),
    list(text).map((lists) => {
      const { bytes, ends } = column(lists.flat());
      return { kind: 'texts', ends: endsOf(lists), bytes, elementEnds: ends } as const;
    }),
    list(double).map(
      (lists) => ({ kind: 'floats', ends: endsOf(lists), values: Float64Array.from(lists.flat()) }) as const,
    ),
  );
}

function named(rows: number) {
  const names = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { minLength: 1, maxLength: 5 });
  return fc
    .tuple(
      names,
      fc.array(fc.nat(6), { minLength: rows, maxLength: rows }),
      addresses(rows),
      fc.array(fc.nat(2 ** 32 - 1), { minLength: rows, maxLength: rows }),
    )
    .map(([texts, choices, ipv6, ipv4]) => {
      const table = new GrowingTable();
      const indexes = [0, ...texts.map((text) => table.index(text))];
      return {
        kind: 'named',
        table,
        index: Uint32Array.from(choices, (choice) => (choice === 6 ? ADDRESS : indexes[choice % indexes.length]!)),
        address: { isIpv4: Uint8Array.from(ipv4, (value) => value % 2), ipv4: Uint32Array.from(ipv4), ipv6 },
      } as const;
    });
}

function addresses(rows: number) {
  const byte = fc.constantFrom(0, 0, 0, 1, 0xff);
  const address = fc
    .array(byte, { minLength: 16, maxLength: 16 })
    // Those that stand for an IPv4 address are written as that one, which other tests look at.
    .filter((bytes) => bytes[10] !== 0xff || bytes.slice(0, 10).some((one) => one !== 0));
  return fc.array(address, { minLength: rows, maxLength: rows }).map((all) => Uint8Array.from(all.flat()));
}

/** Values one after the other, each behind its length. */
function column(texts: readonly Uint8Array[]): { bytes: Uint8Array; ends: Uint32Array } {
  const parts = texts.map((text) => {
    const length = text.length < 128 ? [text.length] : [(text.length & 127) | 128, text.length >> 7];
    return Buffer.concat([Uint8Array.from(length), text]);
  });
  return { bytes: Buffer.concat(parts), ends: endsOf(parts) };
}

function endsOf(lists: readonly { readonly length: number }[]): Uint32Array {
  let end = 0;
  return Uint32Array.from(lists, ({ length }) => (end += length));
}
