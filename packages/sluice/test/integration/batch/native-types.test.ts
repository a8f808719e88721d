import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Session } from 'chdb';
import * as fc from 'fast-check';
import type { Batch, Column } from '../../../src/batch/batch.ts';
import { BatchBuilder, type ColumnBuilder } from '../../../src/batch/builder.ts';
import { plainTypeText } from '../../../src/batch/column-type.ts';
import { decodeNative, encodeNative } from '../../../src/batch/native.ts';
import type { DataSource } from '../../../src/catalog/types.ts';

/** Every type that a table of Sluice has or will have, and what a value's bytes may be where not everything is a value. */
const TYPES: readonly (readonly [string, ((bytes: Uint8Array) => void)?])[] = [
  ['UInt8'],
  ['UInt16'],
  ['UInt32'],
  ['UInt64'],
  ['Int8'],
  ['Int16'],
  ['Int32'],
  ['Int64'],
  ['Float32'],
  ['Float64'],
  ['Bool', (bytes) => bytes.forEach((byte, at) => (bytes[at] = byte & 1))],
  ['Date'],
  ['DateTime'],
  ["DateTime64(3, 'UTC')", bounded],
  ['DateTime64(6)', bounded],
  ['IPv4'],
  ['IPv6'],
  ['UUID'],
  ['FixedString(16)'],
  ["Enum8('a' = 0, 'it\\'s' = 1, 'c' = 2, 'd' = 3)", (bytes) => bytes.forEach((byte, at) => (bytes[at] = byte & 3))],
  ['Decimal(10, 2)', bounded],
  ['String'],
  ['LowCardinality(String)'],
  ['Nullable(UInt8)'],
  ['Nullable(Int32)'],
  ['Nullable(Int64)'],
  ['Nullable(UInt64)'],
  ['Nullable(Float64)'],
  ['Nullable(String)'],
  ['LowCardinality(Nullable(String))'],
  ['Array(UInt16)'],
  ['Array(UInt32)'],
  ['Array(Int32)'],
  ['Array(Int64)'],
  ['Array(Float64)'],
  ['Array(String)'],
  ['Array(LowCardinality(String))'],
  ['Array(Array(UInt8))'],
  ['Array(Nullable(Float64))'],
  ['Tuple(UInt8, String)'],
  ['Tuple(a Float64, b Array(String))'],
  ['Map(String, Float64)'],
  ['Map(LowCardinality(String), String)'],
  ['SimpleAggregateFunction(max, UInt64)'],
];

/** 64-bit ticks of a range that every DateTime64 and Decimal holds. */
function bounded(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 8) bytes.fill(0, at + 5, at + 8);
}

const source: DataSource = {
  id: 'types.all',
  database: 'types',
  table: 'all',
  description: 'one column a type',
  columns: [
    { name: 'row', type: 'UInt32', role: 'id', description: 'order' },
    ...TYPES.map(([type], index) => ({ name: `c${index}`, type, role: 'tag' as const, description: type })),
  ],
  time: { column: 'row', unit: 's' },
  engine: { kind: 'MergeTree' },
  orderBy: ['row'],
  partitionBy: 'none',
  retention: { days: 1, extraHours: 0 },
  acceptAheadMs: 0,
  sealAfterMs: 0,
};

/** Appends a value made of random numbers; NaN with payloads, lengths around the limits of a varint byte, and invalid UTF-8 among them. */
function append(builder: ColumnBuilder, random: () => number, shape: ((bytes: Uint8Array) => void) | undefined): void {
  switch (builder.kind) {
    case 'fixed': {
      const bytes = Uint8Array.from({ length: builder.width }, () => random());
      // Prometheus' stale marker and other NaNs now and then.
      if (builder.width === 8 && random() < 40) bytes.set([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
      shape?.(bytes);
      builder.append(bytes, 0);
      return;
    }
    case 'string': {
      const lengths = [0, 1, 5, 47, 48, 49, 127, 128, 200];
      const text = Uint8Array.from({ length: lengths[random() % lengths.length]! }, () => random());
      builder.append(text, 0, text.length);
      return;
    }
    case 'nullable': {
      append(builder.inner, random, shape);
      builder.close(random() < 100);
      return;
    }
    case 'array': {
      for (let left = random() % 4; left > 0; left--) append(builder.element, random, shape);
      builder.close();
      return;
    }
    case 'tuple':
      for (const element of builder.elements) append(element, random, shape);
  }
}

function randomBatch(rows: number, seed: number, firstRow: number): Batch {
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  const builder = new BatchBuilder(source);
  for (let row = 0; row < rows; row++) {
    builder.fixed('row').appendUint(firstRow + row);
    TYPES.forEach(([, shape], index) => append(builder.column(`c${index}`), random, shape));
  }
  return builder.finish(1, 0, 0);
}

function cut(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('hex');
}

/** A column as values that can be compared; what lies under a NULL does not count. */
function values(column: Column): unknown[] {
  if (column.kind === 'fixed') {
    const { bytes, width } = column;
    return Array.from({ length: bytes.length / width }, (_, row) => cut(bytes, row * width, (row + 1) * width));
  }
  if (column.kind === 'string') {
    return Array.from(column.ends, (end, row) => cut(column.bytes, row === 0 ? 0 : column.ends[row - 1]!, end));
  }
  if (column.kind === 'nullable') {
    const inner = values(column.inner);
    return Array.from(column.nulls, (isNull, row) => (isNull === 1 ? null : inner[row]));
  }
  if (column.kind === 'array') {
    const elements = values(column.element);
    return Array.from(column.ends, (end, row) => elements.slice(row === 0 ? 0 : column.ends[row - 1]!, end));
  }
  const elements = column.elements.map(values);
  return elements[0]!.map((_, row) => elements.map((element) => element[row]));
}

describe('Native blocks of every column type', () => {
  let folder = '';
  let session: Session;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-types-'));
    session = new Session(join(folder, 'chdb'), { connectionArgs: ['--session_timezone=UTC'] });
    await run('CREATE DATABASE types');
    const columns = source.columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    await run(`CREATE TABLE types.all (${columns}) ENGINE = MergeTree ORDER BY row SETTINGS allow_nullable_key = 1`);
  });
  after(async () => {
    session.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function run(statement: string): Promise<Uint8Array> {
    return (await session.queryAsync(statement, { format: 'Native' })).bytes();
  }

  it('go through the database unchanged', async () => {
    const file = join(folder, 'segment.native');
    const property = fc.asyncProperty(
      fc.array(fc.record({ rows: fc.integer({ min: 1, max: 40 }), seed: fc.nat() }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (parts, together) => {
        await run('TRUNCATE TABLE types.all');
        let next = 0;
        const batches = parts.map(({ rows, seed }) => randomBatch(rows, seed, (next += rows) - rows));
        // Several Batches as one block, or as blocks one after the other.
        const blocks = together ? [encodeNative(batches)] : batches.map((batch) => encodeNative([batch]));
        await writeFile(file, Buffer.concat(blocks.flatMap((block) => block.chunks)));
        const names = source.columns.map(({ name }) => name).join(', ');
        await run(`INSERT INTO types.all (${names}) FROM INFILE '${file}' FORMAT Native`);
        const plain = source.columns
          .map(({ name, type }) => `CAST(${name} AS ${plainTypeText(type)}) AS ${name}`)
          .join(', ');
        const bytes = await run(
          `SELECT ${plain} FROM types.all ORDER BY types.all.row SETTINGS max_block_size = 100000`,
        );
        const back = decodeNative(bytes)!;
        assert.equal(back.end, bytes.length);
        assert.equal(back.rows, next);
        source.columns.forEach(({ name, type }, index) => {
          const sent = batches.flatMap((batch) => values(batch.columns[index]!));
          assert.deepEqual(values(back.columns[index]!.data), sent, `${name} ${type}`);
        });
      },
    );
    await fc.assert(property, { numRuns: 25, endOnFailure: true });
  });
});
