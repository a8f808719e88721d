import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeNative, encodeNative } from '../../../src/batch/native.ts';
import { textAt, valuesOf } from '../../../src/batch/read.ts';
import { constantText } from '../../../src/batch/constant-text.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import type { ColumnSpec, DataSource } from '../../../src/catalog/types.ts';

const column = (name: string, type: string): ColumnSpec => ({ name, type, role: 'tag', description: name });

const source: DataSource = {
  id: 'test.rows',
  database: 'test',
  table: 'rows',
  description: 'Columns of every kind that rows are written into',
  columns: [
    column('time', "DateTime('UTC')"),
    column('small', 'UInt16'),
    column('large', 'UInt64'),
    column('maybe', 'Nullable(Int32)'),
    column('text', 'String'),
    column('word', 'LowCardinality(String)'),
    column('texts', 'Array(String)'),
    column('numbers', 'Array(Float64)'),
  ],
  keys: [{ name: 'key', type: 'UInt32', description: 'key' }],
  time: { column: 'time', unit: 's' },
  engine: { kind: 'MergeTree' },
  orderBy: ['time'],
  partitionBy: 'hour',
  retention: { days: 1, extraHours: 0 },
  acceptAheadMs: 1000,
  sealAfterMs: 1000,
};

interface ModelRow {
  readonly time: number;
  readonly small: number;
  readonly large: readonly [low: number, high: number];
  readonly maybe: number | undefined;
  readonly text: string;
  readonly word: string;
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  readonly key: number;
}

const constants = new Map(['', 'ready', 'made'].map((text) => [text, constantText(text)]));
const encoder = new TextEncoder();

type From = 'wire' | 'scratch' | 'foreign';

/** Writes a row as a decoder does; texts come from the message, from elsewhere or from a string. */
function write(block: RowBlock, row: ModelRow, from: From): void {
  const at = (name: string) => block.column(name);
  const pieces = [row.text, ...row.texts].map((text) => encoder.encode(text));
  const wire = Buffer.concat([Buffer.from('x'), ...pieces]);
  block.wire = wire;
  const bytes = from === 'foreign' ? new Uint8Array(wire) : wire;
  let start = 1;
  block.setNumber(at('time'), row.time);
  block.setNumber(at('small'), row.small);
  block.setHalves(at('large'), ...row.large);
  if (row.maybe !== undefined) block.setNumber(at('maybe'), row.maybe);
  block.setNumber(at('key'), row.key);
  for (const [index, piece] of pieces.entries()) {
    const end = start + piece.length;
    if (from === 'scratch') {
      if (index === 0) block.setText(at('text'), row.text);
      else block.pushText(at('texts'), row.texts[index - 1]!);
    } else if (index === 0) block.setTextBytes(at('text'), bytes, start, end);
    else block.pushTextBytes(at('texts'), bytes, start, end);
    start = end;
  }
  if (row.word !== '') block.setConstant(at('word'), constants.get(row.word)!);
  for (const number of row.numbers) block.pushNumber(at('numbers'), number);
}

/** Rows as another reader finds them: from the Native block. */
function rowsOf(block: RowBlock): Omit<ModelRow, 'key'>[] {
  const { chunks } = encodeNative([block.finish(1)]);
  const { rows, columns } = decodeNative(Buffer.concat(chunks))!;
  const data = (name: string) => columns.find((one) => one.name === name)!.data;
  return Array.from({ length: rows }, (_, row) => {
    const maybe = data('maybe');
    const texts = data('texts');
    const numbers = data('numbers');
    if (maybe.kind !== 'nullable' || texts.kind !== 'array' || numbers.kind !== 'array') throw new Error('wrong kinds');
    const range = (ends: Uint32Array) => {
      const first = row === 0 ? 0 : ends[row - 1]!;
      return Array.from({ length: ends[row]! - first }, (__, i) => first + i);
    };
    const large = valuesOf(data('large'), Uint32Array);
    return {
      time: valuesOf(data('time'), Uint32Array)[row]!,
      small: valuesOf(data('small'), Uint16Array)[row]!,
      large: [large[row * 2]!, large[row * 2 + 1]!],
      maybe: maybe.nulls[row] === 1 ? undefined : valuesOf(maybe.inner, Int32Array)[row]!,
      text: textAt(data('text'), row),
      word: textAt(data('word'), row),
      texts: range(texts.ends).map((i) => textAt(texts.element, i)),
      numbers: range(numbers.ends).map((i) => valuesOf(numbers.element, Float64Array)[i]!),
    };
  });
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const text = fc.oneof(
  fc.constant(''),
  fc.string({ maxLength: 12 }),
  fc.string({ minLength: 120, maxLength: 140 }),
  fc.constant('é'.repeat(9000)),
);
const modelRow: fc.Arbitrary<ModelRow> = fc.record({
  time: u32,
  small: fc.integer({ min: 0, max: 65_535 }),
  large: fc.tuple(u32, u32),
  maybe: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { nil: undefined }),
  text,
  word: fc.constantFrom('', 'ready', 'made'),
  texts: fc.array(text, { maxLength: 3 }),
  numbers: fc.array(fc.double({ noNaN: true }), { maxLength: 3 }),
  key: u32,
});
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('commit'),
      row: modelRow,
      from: fc.constantFrom('wire', 'scratch', 'foreign'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('abandon'),
      row: modelRow,
      from: fc.constantFrom('wire', 'scratch', 'foreign'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('empty') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('look') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset') }) },
) as fc.Arbitrary<
  | { readonly kind: 'commit' | 'abandon'; readonly row: ModelRow; readonly from: From }
  | { readonly kind: 'empty' | 'look' | 'reset' }
>;

const emptyRow: ModelRow = {
  time: 0,
  small: 0,
  large: [0, 0],
  maybe: undefined,
  text: '',
  word: '',
  texts: [],
  numbers: [],
  key: 0,
};

describe('rows of a block', () => {
  it('are those that were committed, whatever was wiped out in between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const block = new RowBlock(source, 2);
        let model: ModelRow[] = [];
        const compare = () => {
          const found = rowsOf(block).map((row, index) => ({ ...row, key: model[index]?.key }));
          assert.deepEqual(
            found,
            model.map((row) => ({ ...row })),
          );
          const keys = block.fixed[block.column('key')]!.u32;
          for (const [index, row] of model.entries()) assert.equal(keys[index], row.key);
        };
        for (const one of steps) {
          if (one.kind === 'commit' || one.kind === 'abandon') write(block, one.row, one.from);
          if (one.kind === 'commit') model.push(one.row);
          if (one.kind === 'empty') model.push(emptyRow);
          if (one.kind === 'commit' || one.kind === 'empty') block.commit(0);
          if (one.kind === 'abandon') block.abandon();
          if (one.kind === 'look') {
            compare();
            for (const [index, row] of model.entries()) {
              assert.equal(Buffer.from(block.textAt(block.column('word'), index)).toString(), row.word);
            }
          }
          if (one.kind === 'reset') {
            block.reset();
            model = [];
          }
        }
        compare();
      }),
      { numRuns: 300 },
    );
  });

  it('count their bytes, empty texts included, before and after these are written', () => {
    const block = new RowBlock(source, 4);
    for (let row = 0; row < 3; row++) block.commit(0);
    const before = block.bytes;
    block.finish(1);
    assert.equal(block.bytes, before);
    block.setText(block.column('text'), 'four');
    block.commit(0);
    // Numbers of a row: 4 + 2 + 8 + 4 + 4 of the key; two texts with a byte of length each.
    assert.equal(block.bytes - before, 22 + 2 + 4);
  });

  it('keep the last of several values, and of an array the first elements that are kept', () => {
    const block = new RowBlock(source, 4);
    const [textColumn, texts, numbers] = ['text', 'texts', 'numbers'].map((name) => block.column(name)) as [
      number,
      number,
      number,
    ];
    block.setText(textColumn, 'first');
    block.setText(textColumn, 'last');
    for (const one of ['a', 'b', 'c']) block.pushText(texts, one);
    for (const one of [1, 2, 3]) block.pushNumber(numbers, one);
    block.keep(texts, 2);
    block.keep(numbers, 0);
    block.keep(numbers, 5);
    assert.deepEqual([block.pending(texts), block.pending(numbers)], [2, 0]);
    block.commit(0);
    block.pushConstant(texts, constants.get('ready')!);
    block.commit(0);
    const [first, second] = rowsOf(block);
    assert.deepEqual([first!.text, first!.texts, first!.numbers, second!.texts], ['last', ['a', 'b'], [], ['ready']]);
  });

  it('join decimals by commas, also behind other texts', () => {
    const block = new RowBlock(source, 2);
    const joined = block.column('text');
    block.joinDecimal(joined, 0, 0);
    block.joinDecimal(joined, 0xffff_ffff, 0xffff_ffff);
    block.setText(block.column('word'), 'between');
    block.joinDecimal(joined, 0, 1);
    block.commit(0);
    block.joinDecimal(joined, 7, 0);
    block.abandon();
    block.joinDecimal(joined, 8, 0);
    block.commit(0);
    const [first, second] = rowsOf(block);
    assert.deepEqual([first!.text, first!.word, second!.text], ['0,18446744073709551615,4294967296', 'between', '8']);
  });

  it('take numbers cut to the width of their column', () => {
    const block = new RowBlock(source, 2);
    block.setNumber(block.column('small'), 65_536 + 5);
    block.setNumber(block.column('large'), -2);
    block.setNumber(block.column('maybe'), -3);
    block.commit(0);
    block.setInteger(block.column('large'), Number.MAX_SAFE_INTEGER);
    block.setNumber(block.column('maybe'), 0);
    block.commit(0);
    const [first, second] = rowsOf(block);
    assert.deepEqual([first!.small, first!.large, first!.maybe], [5, [0xffff_fffe, 0xffff_ffff], -3]);
    assert.deepEqual([second!.large, second!.maybe], [[0xffff_ffff, 0x1f_ffff], 0]);
  });

  it('refuse what their columns do not take', () => {
    const block = new RowBlock(source, 2);
    assert.throws(() => block.column('absent'), /has no column absent/);
    assert.equal(block.findColumn('absent'), -1);
    assert.throws(() => block.setText(block.column('small'), 'x'), /is not a text/);
    assert.throws(() => block.pushText(block.column('text'), 'x'), /is not an array/);
    assert.throws(() => block.pushNumber(block.column('texts'), 1), /holds no numbers/);
  });

  it('outside of the accept window are wiped out and counted', () => {
    const block = new RowBlock(source, 4);
    block.acceptFrom = 1000;
    block.acceptUntil = 2000;
    for (const time of [999, 1000, 2000, 2001, 3000, Number.NaN]) {
      block.setText(block.column('text'), String(time));
      block.commit(time);
    }
    assert.deepEqual(
      rowsOf(block).map((row) => row.text),
      ['1000', '2000'],
    );
    assert.deepEqual([block.tooOld, block.tooNew, block.minTime, block.maxTime], [2, 2, 1000, 2000]);
  });
});
