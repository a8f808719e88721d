import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Column } from '../../../src/batch/batch.ts';
import { BatchBuilder, createBuilder, type ColumnBuilder } from '../../../src/batch/builder.ts';
import { parseColumnType, plainTypeText, type ColumnType } from '../../../src/batch/column-type.ts';
import { decodeNative, encodeNative, type EncodedBlock } from '../../../src/batch/native.ts';
import type { DataSource } from '../../../src/catalog/types.ts';

/** A value in a test: bytes for fixed widths and texts, null, or a list of values for arrays and tuples. */
type Value = Uint8Array | null | readonly Value[];

const typeTexts = [
  'UInt8',
  'Int32',
  'UInt64',
  'Float64',
  "DateTime64(6, 'Asia/Shanghai')",
  'IPv6',
  'String',
  'FixedString(3)',
  'LowCardinality(String)',
  'Nullable(UInt64)',
  'Nullable(String)',
  'Array(String)',
  'Array(Array(UInt16))',
  'Map(LowCardinality(String), String)',
  'Tuple(a UInt8, b String)',
  'Array(Tuple(Int32, UInt32))',
  "Enum8('a' = 1, 'b(' = 2)",
  'Decimal(10, 2)',
];

function arbitraryValue(type: ColumnType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'fixed':
      return fc.uint8Array({ minLength: type.width, maxLength: type.width });
    case 'string':
      return fc.uint8Array({ maxLength: 200 });
    case 'nullable':
      return fc.option(arbitraryValue(type.inner));
    case 'array':
      return fc.array(arbitraryValue(type.element), { maxLength: 5 });
    case 'tuple':
      return fc.tuple(...type.elements.map(arbitraryValue));
  }
}

function append(builder: ColumnBuilder, type: ColumnType, value: Value): void {
  if (builder.kind === 'fixed') builder.append(value as Uint8Array, 0);
  else if (builder.kind === 'string') builder.append(value as Uint8Array, 0, (value as Uint8Array).length);
  else if (builder.kind === 'nullable' && type.kind === 'nullable') {
    append(builder.inner, type.inner, value ?? filler(type.inner));
    builder.close(value === null);
  } else if (builder.kind === 'array' && type.kind === 'array') {
    for (const element of value as readonly Value[]) append(builder.element, type.element, element);
    builder.close();
  } else if (builder.kind === 'tuple' && type.kind === 'tuple') {
    for (const [index, element] of builder.elements.entries()) {
      append(element, type.elements[index]!, (value as readonly Value[])[index]!);
    }
  }
}

function filler(type: ColumnType): Value {
  return type.kind === 'fixed' ? new Uint8Array(type.width) : new Uint8Array(0);
}

function read(column: Column, row: number): Value {
  switch (column.kind) {
    case 'fixed':
      return column.bytes.slice(row * column.width, (row + 1) * column.width);
    case 'string': {
      let at = row === 0 ? 0 : column.ends[row - 1]!;
      while (column.bytes[at]! > 127) at++;
      return column.bytes.slice(at + 1, column.ends[row]);
    }
    case 'nullable':
      return column.nulls[row] === 1 ? null : read(column.inner, row);
    case 'array': {
      const values: Value[] = [];
      for (let i = row === 0 ? 0 : column.ends[row - 1]!; i < column.ends[row]!; i++)
        values.push(read(column.element, i));
      return values;
    }
    case 'tuple':
      return column.elements.map((element) => read(element, row));
  }
}

function sourceOf(types: readonly string[]): DataSource {
  return {
    id: 'test.rows',
    database: 'test',
    table: 'rows',
    description: '',
    columns: types.map((type, index) => ({ name: `c${index}`, type, role: 'tag', description: '' })),
    time: { column: 'c0', unit: 's' },
    engine: { kind: 'MergeTree' },
    orderBy: ['c0'],
    partitionBy: 'none',
    retention: { days: 1, extraHours: 0 },
    acceptAheadMs: 0,
    sealAfterMs: 0,
  };
}

function joined(block: EncodedBlock): Uint8Array {
  const bytes = Buffer.concat(block.chunks);
  assert.equal(bytes.length, block.bytes);
  return bytes;
}

describe('Native block', () => {
  it('comes back as it went in, for any rows of any types, cut into any Batches', () => {
    const cases = fc.array(fc.constantFrom(...typeTexts), { minLength: 1, maxLength: 6 }).chain((types) =>
      fc.record({
        types: fc.constant(types),
        batches: fc.array(
          fc.array(fc.tuple(...types.map((type) => arbitraryValue(parseColumnType(type)))), {
            minLength: 1,
            maxLength: 12,
          }),
          { minLength: 1, maxLength: 4 },
        ),
      }),
    );
    fc.assert(
      fc.property(cases, ({ types, batches }) => {
        const source = sourceOf(types);
        const block = joined(
          encodeNative(
            batches.map((rows) => {
              const builder = new BatchBuilder(source, 1);
              for (const row of rows) {
                for (const [index, column] of builder.columns.entries()) {
                  append(column, parseColumnType(types[index]!), row[index]!);
                }
              }
              return builder.finish(1, 0, 0);
            }),
          ),
        );
        const decoded = decodeNative(block);
        assert.ok(decoded);
        assert.equal(decoded.end, block.length);
        const expected = batches.flat();
        assert.equal(decoded.rows, expected.length);
        for (const [index, column] of decoded.columns.entries()) {
          assert.equal(column.name, `c${index}`);
          assert.equal(column.type, plainTypeText(types[index]!));
          for (const [row, values] of expected.entries()) {
            assert.deepEqual(plain(read(column.data, row)), plain(values[index]!));
          }
        }
        // A block that ends early is told from one that is whole, wherever it is cut.
        for (const cut of [0, 1, block.length >> 1, block.length - 1]) {
          if (decoded.rows > 0 && cut < block.length) assert.equal(decodeNative(block.subarray(0, cut)), undefined);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never reads past its input and never takes memory for rows that are not there', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const block = decodeNative(bytes);
          if (block !== undefined) assert.ok(block.end <= bytes.length);
        } catch (error) {
          assert.match((error as Error).message, /^cannot (decode|lay out|read)/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a dictionary-encoded column with a hint', () => {
    const block = Buffer.concat([
      Buffer.from([1, 0, 1]),
      Buffer.from('a'),
      Buffer.from([22]),
      Buffer.from('LowCardinality(String)'),
    ]);
    assert.throws(() => decodeNative(block), /cast it in the SELECT/);
  });

  it('refuses array ends that go backwards', () => {
    const head = Buffer.concat([
      Buffer.from([1, 2, 1]),
      Buffer.from('a'),
      Buffer.from([12]),
      Buffer.from('Array(UInt8)'),
    ]);
    const ends = new Uint8Array(new BigUint64Array([3n, 1n]).buffer);
    assert.throws(() => decodeNative(Buffer.concat([head, ends, Buffer.alloc(8)])), /out of order/);
  });
});

describe('BatchBuilder', () => {
  it('names the column that has too few rows', () => {
    const builder = new BatchBuilder(sourceOf(['UInt8', 'String']), 1);
    builder.fixed('c0').appendUint(1);
    assert.throws(() => builder.finish(1, 0, 0), /BUG: test\.rows\.c1 has 0 rows; expected 1/);
  });

  it('can be used again after reset, without the rows of before', () => {
    const builder = new BatchBuilder(sourceOf(['UInt32', 'String']), 1);
    for (const round of [1, 2]) {
      builder.fixed('c0').appendUint(round);
      builder.string('c1').appendText(`text ${round}`);
      const decoded = decodeNative(joined(encodeNative([builder.finish(1, 0, 0)])))!;
      assert.equal(decoded.rows, 1);
      assert.equal(Buffer.from(read(decoded.columns[1]!.data, 0) as Uint8Array).toString(), `text ${round}`);
      builder.reset();
    }
  });

  it('grows columns of every width without losing values', () => {
    for (const width of [1, 2, 4, 8, 16, 3]) {
      const builder = createBuilder({ kind: 'fixed', width }, 1);
      assert.equal(builder.kind, 'fixed');
      const values = Array.from({ length: 300 }, (_, row) =>
        Uint8Array.from({ length: width }, (_byte, at) => (row * 7 + at) & 255),
      );
      for (const value of values) append(builder, { kind: 'fixed', width }, value);
      const column = builder.finish();
      for (const [row, value] of values.entries()) assert.deepEqual(read(column, row), value);
    }
  });
});

describe('column types', () => {
  it('refuses what it has no layout for, naming it', () => {
    assert.throws(() => parseColumnType('Variant(UInt8)'), /cannot lay out ClickHouse type "Variant\(UInt8\)"/);
    assert.throws(() => parseColumnType('Array(String'), /a bracket is not closed/);
  });

  it('writes dictionary types as plain ones', () => {
    assert.equal(
      plainTypeText('Map(LowCardinality(String), LowCardinality(Nullable(String)))'),
      'Map(String, Nullable(String))',
    );
    assert.equal(plainTypeText('Float64'), 'Float64');
  });
});

/** Buffers and typed arrays of the same bytes compare alike. */
function plain(value: Value): unknown {
  if (value === null) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value.map(plain);
}
