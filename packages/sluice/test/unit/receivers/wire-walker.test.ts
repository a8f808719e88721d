import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RowBlock } from '../../../src/batch/row-block.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import {
  type MessagePlans,
  toColumn,
  toDecimals,
  toMessage,
  toNumbers,
  toRegister,
  toSpan,
  toTexts,
} from '../../../src/receivers/wire-plans.ts';
import { WireWalker } from '../../../src/receivers/wire-walker.ts';
import { goldenRow, type GoldenValue } from '../golden-row.ts';
import { bytes, double, message, number, varint } from './wire-message.ts';

const types = {
  u8: 'UInt8',
  u16: 'UInt16',
  u32: 'UInt32',
  u64: 'UInt64',
  f64: 'Float64',
  i32: 'Int32',
  text: 'String',
  maybe8: 'Nullable(UInt8)',
  maybe64: 'Nullable(Int64)',
  maybeDouble: 'Nullable(Float64)',
  texts: 'Array(String)',
  numbers: 'Array(UInt16)',
  doubles: 'Array(Float64)',
  decimals: 'String',
};

const source: DataSource = {
  id: 'test.walked',
  database: 'test',
  table: 'walked',
  description: 'Every kind of target',
  columns: Object.entries(types).map(([name, type]) => ({ name, type, role: 'tag', description: name })),
  time: { column: 'u32', unit: 's' },
  engine: { kind: 'MergeTree' },
  orderBy: ['u32'],
  partitionBy: 'none',
  retention: { days: 1, extraHours: 0 },
  acceptAheadMs: 0,
  sealAfterMs: 0,
};

const plans: MessagePlans = {
  record: {
    1: toColumn('u8'),
    2: toColumn('u16'),
    3: toColumn('u32'),
    4: toColumn('u64'),
    5: toColumn('f64'),
    6: toColumn('i32'),
    7: toColumn('text'),
    8: toColumn('maybe8'),
    9: toColumn('maybe64'),
    10: toColumn('maybeDouble'),
    11: toTexts('texts'),
    12: toNumbers('numbers'),
    13: toNumbers('doubles'),
    14: toDecimals('decimals'),
    15: toRegister(0),
    16: toSpan(1),
    63: toMessage('inner'),
  },
  inner: { 1: toColumn('u8'), 2: toMessage('innermost'), 3: toRegister(2) },
  innermost: { 5: toColumn('text'), 1: toMessage('inner') },
};

function setUp() {
  const walker = new WireWalker(plans);
  const block = new RowBlock(source, 1);
  /** Walks a record; its row, or undefined when it is malformed. */
  const walk = (record: Uint8Array, margin = 0): Record<string, GoldenValue> | undefined => {
    const memory = new Uint8Array(record.length + 3 + margin).fill(0xff);
    memory.set(record, 3);
    walker.begin(block, memory);
    if (!walker.walk(walker.message('record'), 3, 3 + record.length)) {
      block.abandon();
      return undefined;
    }
    block.commit(0);
    return goldenRow(block.finish(1), block.rows - 1);
  };
  return { walker, block, walk };
}

const zero: Readonly<Record<string, GoldenValue>> = {
  u8: 0,
  u16: 0,
  u32: 0,
  u64: '0',
  f64: 0,
  i32: 0,
  text: '',
  maybe8: null,
  maybe64: null,
  maybeDouble: null,
  texts: [],
  numbers: [],
  doubles: [],
  decimals: '',
};

describe('WireWalker', () => {
  it('writes numbers of every width at every distance from the end of the memory', () => {
    const { walk } = setUp();
    const edges = [
      0n,
      1n,
      127n,
      128n,
      2n ** 14n,
      2n ** 21n,
      2n ** 28n,
      2n ** 32n - 1n,
      2n ** 35n,
      2n ** 42n,
      2n ** 49n,
    ];
    const values = fc.oneof(
      fc.constantFrom(...edges, 2n ** 56n, 2n ** 63n, 2n ** 64n - 1n),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    );
    fc.assert(
      fc.property(values, fc.nat({ max: 12 }), (value, margin) => {
        const record = message(...[1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14].map((field) => number(field, value)));
        assert.deepEqual(walk(record, margin), {
          ...zero,
          u8: Number(value & 0xffn),
          u16: Number(value & 0xffffn),
          u32: Number(value & 0xffff_ffffn),
          u64: String(value),
          f64: Number(value),
          i32: Number(BigInt.asIntN(32, value)),
          maybe8: Number(value & 0xffn),
          maybe64: String(BigInt.asIntN(64, value)),
          maybeDouble: Number(value),
          numbers: [Number(value & 0xffffn)],
          decimals: String(value),
        });
      }),
      { numRuns: 500 },
    );
  });

  it('takes eight bytes as they are, and four as a number', () => {
    const { walk } = setUp();
    const row = walk(message(double(5, -0.5), double(10, 1e300), double(13, 2.5), double(4, 1)));
    assert.deepEqual(row, { ...zero, f64: -0.5, maybeDouble: 1e300, doubles: [2.5], u64: '4607182418800017408' });
    assert.deepEqual(walk(Uint8Array.of(3 * 8 + 5, 1, 2, 3, 4)), { ...zero, u32: 0x0403_0201 });
  });

  it('keeps the bits of a stale marker', () => {
    const { walker, block } = setUp();
    const record = Uint8Array.of(5 * 8 + 1, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f);
    walker.begin(block, record);
    assert.ok(walker.walk(0, 0, record.length));
    assert.deepEqual([...block.fixed[block.column('f64')]!.u32.subarray(0, 2)], [2, 0x7ff0_0000]);
  });

  it('adds the elements of lists up, packed or not', () => {
    const { walk } = setUp();
    const packed = [1, 300, 70_000].flatMap(varint);
    const doubles = [...double(1, 1).slice(1), ...double(1, 2).slice(1)];
    const row = walk(
      message(
        bytes(11, 'a'),
        bytes(12, packed),
        number(12, 9),
        bytes(14, packed),
        number(14, 9),
        bytes(11, ''),
        bytes(11, 'ä'.repeat(100)),
        bytes(13, doubles),
        double(13, 3),
        bytes(12, []),
      ),
    );
    assert.deepEqual(row, {
      ...zero,
      texts: ['a', '', 'ä'.repeat(100)],
      numbers: [1, 300, 4464, 9],
      doubles: [1, 2, 3],
      decimals: '1,300,70000,9',
    });
  });

  it('lets the last of several win, over messages in parts', () => {
    const { walker, walk } = setUp();
    const innermost = bytes(2, bytes(5, 'second'));
    const record = message(
      number(1, 5),
      bytes(7, 'first'),
      bytes(63, [...number(1, 6), ...number(3, 7), ...innermost]),
      bytes(63, number(3, 8)),
      number(15, 2n ** 40n + 1n),
      bytes(16, 'abc'),
      number(15, 3),
      bytes(16, 'de'),
    );
    assert.deepEqual(walk(record), { ...zero, u8: 6, text: 'second' });
    assert.deepEqual([walker.low[2], walker.low[0], walker.high[0]], [8, 3, 0]);
    assert.equal(walker.end[1]! - walker.start[1]!, 2);
    assert.deepEqual([...walker.entered], [0, 1, 1]);
    assert.deepEqual(walk(message(number(2, 1))), { ...zero, u16: 1 });
    assert.deepEqual(
      [...walker.low, ...walker.end, ...walker.entered].filter((value) => value !== 0),
      [],
    );
  });

  it('skips fields that it has no plan for', () => {
    const { walk } = setUp();
    const unknown = [
      number(62, 7),
      bytes(64, 'x'),
      double(1000, 1),
      number(536_870_911, 1),
      [99 * 8 + 5, 6, 1, 2, 3, 4],
    ];
    assert.deepEqual(walk(message(...unknown.slice(0, 4), number(1, 1))), { ...zero, u8: 1 });
  });

  it('refuses what is no message', () => {
    const { walk } = setUp();
    const malformed: Record<string, readonly number[]> = {
      'field 0': [0, 1],
      'a tag without a value': [8],
      'an unfinished tag': [0x88],
      'an unfinished number': [8, 0x80, 0x80],
      'a number of eleven bytes': [8, ...Array.from({ length: 10 }, () => 0x80), 1],
      'a tag beyond 32 bits': [0x88, 0x80, 0x80, 0x80, 0x80, 1, 1],
      'a length beyond the message': [7 * 8 + 2, 5, 1, 2],
      'a length of 4 GiB': [7 * 8 + 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 1],
      'a length beyond 32 bits': [7 * 8 + 2, 0x81, 0x80, 0x80, 0x80, 0x80, 1, 1],
      'no length': [7 * 8 + 2],
      'seven of eight bytes': double(5, 1).slice(0, 8),
      'three of four bytes': [3 * 8 + 5, 1, 2, 3],
      'a group': [8 + 3, 8 + 4],
      'wire type 7': [8 + 7, 1],
      'a text where a number belongs': bytes(1, 'a'),
      'a number where a text belongs': number(7, 1),
      'a number where a message belongs': number(63, 1),
      'a text where a register belongs': bytes(15, 'a'),
      'doubles of seven bytes': bytes(13, [1, 2, 3, 4, 5, 6, 7]),
      'an unfinished number in a list': bytes(12, [1, 0x80]),
      'a message that ends in a number': bytes(63, [8, 0x80]).concat(number(1, 1)),
      'messages in each other without end': nested(20),
    };
    for (const [what, content] of Object.entries(malformed)) {
      assert.equal(walk(Uint8Array.from(content)), undefined, what);
      assert.equal(walk(Uint8Array.from(content), 20), undefined, `${what}, more behind it`);
      assert.deepEqual(walk(message(number(2, 1))), { ...zero, u16: 1 }, `after ${what}`);
    }
  });

  it('reads registers without a block', () => {
    const walker = new WireWalker({
      head: { 1: toRegister(0), 2: toMessage('part'), 3: toSpan(1) },
      part: { 4: toRegister(2) },
    });
    const record = message(number(1, 2n ** 33n), bytes(2, number(4, 5)), bytes(3, 'abc'), bytes(9, 'unknown'));
    for (let turn = 0; turn < 2; turn++) {
      walker.scan(record);
      assert.ok(walker.walk(0, 0, record.length));
      assert.deepEqual([walker.high[0], walker.low[2], walker.end[1]! - walker.start[1]!], [2, 5, 3]);
    }
    walker.scan(record);
    assert.deepEqual([...walker.high, ...walker.low, ...walker.end], [0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('writes into whichever block it is given', () => {
    const walker = new WireWalker(plans);
    const blocks = [new RowBlock(source, 1), new RowBlock(source, 8)];
    const record = message(number(1, 7), number(4, 2n ** 40n), double(5, 1.5), bytes(7, 'x'));
    for (let row = 0; row < 20; row++) {
      for (const block of blocks) {
        walker.begin(block, record);
        assert.ok(walker.walk(0, 0, record.length));
        block.commit(0);
        assert.deepEqual(goldenRow(block.finish(1), row), {
          ...zero,
          u8: 7,
          u64: String(2n ** 40n),
          f64: 1.5,
          text: 'x',
        });
      }
    }
  });
});

/** Message `inner` in `innermost` in `inner` ... */
function nested(depth: number): number[] {
  let content: number[] = [];
  for (let i = 0; i < depth; i++) content = bytes(2, bytes(1, content));
  return bytes(63, content);
}
