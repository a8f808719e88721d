import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchBuilder, type ColumnBuilder } from '../../../src/batch/builder.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { encodeNative } from '../../../src/batch/native.ts';
import { samples } from '../../../src/catalog/prometheus.ts';
import { copyBatch, sliceBatch } from '../../../src/journal/batch-rows.ts';
import { timeRange } from '../../../src/journal/time-range.ts';

const source = {
  ...samples,
  columns: [
    { name: 'time', type: "DateTime64(3, 'UTC')", role: 'time', description: '' },
    { name: 'text', type: 'String', role: 'tag', description: '' },
    { name: 'maybe', type: 'Nullable(String)', role: 'tag', description: '' },
    { name: 'labels', type: 'Map(LowCardinality(String), String)', role: 'tag', description: '' },
    { name: 'nested', type: 'Array(Array(UInt16))', role: 'tag', description: '' },
  ],
} as const;

type Row = { time: number; text: string; maybe: string | null; labels: string[]; nested: number[][] };
const row: fc.Arbitrary<Row> = fc.record({
  time: fc.integer({ min: -1000, max: 2 ** 31 }),
  text: fc.string({ maxLength: 200 }),
  maybe: fc.option(fc.string()),
  labels: fc.array(fc.string(), { maxLength: 3 }),
  nested: fc.array(fc.array(fc.nat({ max: 65_535 }), { maxLength: 3 }), { maxLength: 3 }),
});

function appendText(builder: ColumnBuilder, text: string): void {
  if (builder.kind === 'string') builder.appendText(text);
  else assert.fail('not a text');
}

function build(rows: readonly Row[]): Batch {
  const builder = new BatchBuilder(source);
  for (const { time, text, maybe, labels, nested } of rows) {
    builder.fixed('time').appendHalves(time >>> 0, time < 0 ? 0xffff_ffff : 0);
    builder.string('text').appendText(text);
    const nullable = builder.column('maybe');
    assert.ok(nullable.kind === 'nullable');
    appendText(nullable.inner, maybe ?? '');
    nullable.close(maybe === null);
    const map = builder.array('labels');
    assert.ok(map.element.kind === 'tuple');
    for (const label of labels) for (const element of map.element.elements) appendText(element, label);
    map.close();
    const outer = builder.array('nested');
    assert.ok(outer.element.kind === 'array' && outer.element.element.kind === 'fixed');
    for (const inner of nested) {
      for (const value of inner) outer.element.element.appendUint(value);
      outer.element.close();
    }
    outer.close();
  }
  const times = rows.map(({ time }) => time);
  return builder.finish(1, Math.min(...times), Math.max(...times));
}

const bytesOf = (batch: Batch) => Buffer.concat(encodeNative([batch]).chunks).toString('hex');

test('a slice of a Batch is the Batch of those rows, times included', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), fc.nat(), fc.nat(), (rows, a, b) => {
      const from = a % rows.length;
      const to = from + 1 + (b % (rows.length - from));
      const slice = sliceBatch(build(rows), from, to);
      const expected = build(rows.slice(from, to));
      assert.equal(bytesOf(slice), bytesOf(expected));
      assert.deepEqual([slice.rows, slice.minTime, slice.maxTime], [expected.rows, expected.minTime, expected.maxTime]);
      const twice = sliceBatch(slice, slice.rows - 1, slice.rows);
      assert.equal(bytesOf(twice), bytesOf(build(rows.slice(to - 1, to))));
    }),
  );
});

test('a copy shares no memory with its Batch', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      const batch = build(rows);
      const before = bytesOf(batch);
      const copy = copyBatch(batch);
      const wipe = (value: unknown): void => {
        if (value instanceof Uint8Array || value instanceof Uint32Array) value.fill(255);
        else if (typeof value === 'object' && value !== null) Object.values(value).forEach(wipe);
      };
      wipe(batch.columns);
      assert.equal(bytesOf(copy), before);
    }),
  );
});

test('a copy of a Batch that lies in a Buffer shares no memory either', () => {
  const [column] = build([{ time: 1, text: '', maybe: null, labels: [], nested: [] }]).columns;
  assert.ok(column?.kind === 'fixed');
  const bytes = Buffer.from(column.bytes);
  const batch = { source, org: 1, rows: 1, columns: [{ ...column, bytes }], minTime: 1, maxTime: 1 };
  const [copied] = copyBatch(batch).columns;
  bytes.fill(255);
  assert.ok(copied?.kind === 'fixed' && copied.bytes[0] === 1);
});

test('times are read in the unit of the table', () => {
  const fixed = (width: number, values: readonly number[]) => {
    const view = new DataView(new ArrayBuffer(values.length * width));
    values.forEach((value, index) => {
      view.setUint32(index * width, value >>> 0, true);
      if (width === 8) view.setInt32(index * width + 4, Math.floor(value / 2 ** 32), true);
    });
    return { kind: 'fixed', width, bytes: new Uint8Array(view.buffer) } as const;
  };
  assert.deepEqual(timeRange('s', fixed(4, [4_000_000_000, 5])), { minTime: 5000, maxTime: 4_000_000_000_000 });
  assert.deepEqual(timeRange('ms', fixed(8, [-7, 2 ** 41])), { minTime: -7, maxTime: 2 ** 41 });
  assert.deepEqual(timeRange('us', fixed(8, [1_700_000_000_123_456])), {
    minTime: 1_700_000_000_123,
    maxTime: 1_700_000_000_123,
  });
  assert.deepEqual(timeRange('ns', fixed(8, [5_999_999])), { minTime: 5, maxTime: 5 });
  assert.deepEqual(timeRange('ms', undefined), { minTime: 0, maxTime: 0 });
});
