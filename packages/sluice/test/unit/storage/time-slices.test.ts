import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { BatchBuilder } from '../../../src/batch/builder.ts';
import { encodeNative } from '../../../src/batch/native.ts';
import { metadata, samples } from '../../../src/catalog/prometheus.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import type { Segment, SegmentBlock } from '../../../src/journal/types.ts';
import { partitionIdAt, partitionStart } from '../../../src/storage/partition-calendar.ts';
import { sliceCondition, sliceSegment, type SegmentSlice } from '../../../src/storage/time-slices.ts';

const DAY = 86_400_000;
let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-slices-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const nanoseconds: DataSource = {
  ...samples,
  partitionBy: 'hour',
  time: { column: 'time', unit: 'ns' },
  columns: samples.columns.map((column) =>
    column.name === 'time' ? { ...column, type: "DateTime64(9, 'UTC')" } : column,
  ),
};
const seconds: DataSource = {
  ...samples,
  time: { column: 'time', unit: 's' },
  columns: samples.columns.map((column) => (column.name === 'time' ? { ...column, type: 'DateTime' } : column)),
};

/** A segment of blocks with these times, in ticks of the source's unit. */
async function segment(source: DataSource, blocks: readonly (readonly bigint[])[]): Promise<Segment> {
  const ticksPerMs = { s: 0.001, ms: 1, us: 1000, ns: 1e6 }[source.time.unit];
  const perMs = BigInt(Math.max(ticksPerMs, 1));
  const pieces: Buffer[] = [];
  const index: SegmentBlock[] = [];
  let offset = 0;
  for (const times of blocks) {
    const builder = new BatchBuilder(source);
    for (const tick of times) {
      for (const name of ['metric_id', 'series_id', 'value']) builder.fixed(name).appendHalves(0, 0);
      const halves = BigInt.asUintN(64, tick);
      const column = builder.fixed('time');
      if (column.width === 4) column.appendUint(Number(tick));
      else column.appendHalves(Number(halves & 0xffffffffn), Number(halves >> 32n));
    }
    const bytes = Buffer.concat(encodeNative([builder.finish(1, 0, 0)]).chunks);
    const ms = times.map((tick) =>
      ticksPerMs < 1 ? Number(tick) * 1000 : Number((tick - (((tick % perMs) + perMs) % perMs)) / perMs),
    );
    index.push({
      offset,
      length: bytes.length,
      rows: times.length,
      minTime: Math.min(...ms),
      maxTime: Math.max(...ms),
      crc: 0,
    });
    pieces.push(bytes);
    offset += bytes.length;
  }
  const path = join(folder, 'segment.native');
  await writeFile(path, Buffer.concat(pieces));
  return {
    partition: { org: 1, table: source.id, writer: 'w' },
    firstRow: 0,
    rows: blocks.flat().length,
    bytes: offset,
    path,
    blocks: index,
    minTime: Math.min(...index.map(({ minTime }) => minTime)),
    maxTime: Math.max(...index.map(({ maxTime }) => maxTime)),
    catalogVersion: 1,
    columns: source.columns.map(({ name }) => name),
    indexCrc: 0,
  };
}

function holds({ slice }: SegmentSlice, tick: bigint): boolean {
  if (slice?.from !== undefined && tick < BigInt(slice.from)) return false;
  return slice?.to === undefined || tick < BigInt(slice.to);
}

const cuts = ['hour', '2 hours', '4 hours', '12 hours', 'day', 'week', 'month'] as const;

describe('sliceSegment', () => {
  it('leaves a segment of one partition whole', async () => {
    const start = BigInt(Date.UTC(2024, 10, 20));
    assert.deepEqual(await sliceSegment(await segment(samples, [[start, start + 86_399_999n]]), samples), [
      { slice: undefined, partitionId: '20241120' },
    ]);
    assert.deepEqual(await sliceSegment(await segment(samples, [[1n]]), { ...samples, partitionBy: 'hour' }), [
      { slice: undefined, partitionId: '0' },
    ]);
    const unpartitioned: DataSource = { ...samples, partitionBy: metadata.partitionBy };
    assert.deepEqual(await sliceSegment(await segment(samples, [[1n, 10n ** 12n]]), unpartitioned), [
      { slice: undefined, partitionId: 'all' },
    ]);
  });

  it('cuts at midnight in UTC, with open ends', async () => {
    const midnight = Date.UTC(2024, 10, 21);
    const found = await sliceSegment(await segment(samples, [[BigInt(midnight - 1), BigInt(midnight)]]), samples);
    assert.deepEqual(found, [
      { slice: { from: undefined, to: midnight }, partitionId: '20241120' },
      { slice: { from: midnight, to: undefined }, partitionId: '20241121' },
    ]);
    assert.equal(sliceCondition(samples, found[1]!.slice)?.text, `toUnixTimestamp64Milli(\`time\`) >= ${midnight}`);
    const inSeconds = { from: midnight / 1000, to: midnight / 1000 + 86_400 };
    assert.equal(
      sliceCondition(seconds, inSeconds)?.text,
      `toUnixTimestamp(\`time\`) >= ${midnight / 1000} AND toUnixTimestamp(\`time\`) < ${midnight / 1000 + 86_400}`,
    );
  });

  it('names no partition where the calendar does not tell it', async () => {
    const found = await sliceSegment(await segment(samples, [[-1n, 0n], [BigInt(Date.UTC(2200, 0, 1))]]), samples);
    assert.deepEqual(
      found.map(({ partitionId }) => partitionId),
      [undefined, '19700101', undefined],
    );
  });

  it('puts every row into exactly one slice, that of its own partition', async () => {
    const sources: readonly (readonly [DataSource, bigint, bigint])[] = [
      [samples, BigInt(DAY), 1n],
      [nanoseconds, 3_600_000_000_000n, 1_700_000_000_000_000_000n],
      [seconds, 86_400n, 1_700_000_000n],
    ];
    for (const [source, cell, base] of sources) {
      const tick = fc
        .tuple(
          fc.integer({ min: 0, max: 6 }),
          fc.oneof(fc.bigInt({ min: 0n, max: cell - 1n }), fc.constantFrom(0n, 1n, cell - 1n)),
        )
        .map(([index, within]) => (base / cell + BigInt(index)) * cell + within);
      const blocks = fc.array(fc.array(tick, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(blocks, async (times) => {
          const found = await sliceSegment(await segment(source, times), source);
          const cells = new Set(times.flat().map((time) => time / cell));
          assert.equal(found.length, cells.size);
          for (const time of times.flat()) {
            const mine = found.filter((slice) => holds(slice, time));
            assert.equal(mine.length, 1);
            for (const other of times.flat()) assert.equal(holds(mine[0]!, other), other / cell === time / cell);
          }
        }),
        { numRuns: 40 },
      );
    }
  });

  it('cuts hours, weeks and months where they begin', async () => {
    const at = (iso: string) => BigInt(Date.parse(iso) / 1000);
    const cases = [
      ['2 hours', '2024-11-20T05:59:59Z', '2024-11-20T06:00:00Z', ['1732075200', '1732082400']],
      ['4 hours', '2024-11-20T07:59:59Z', '2024-11-20T08:00:00Z', ['1732075200', '1732089600']],
      ['12 hours', '2024-11-20T11:59:59Z', '2024-11-20T12:00:00Z', ['1732060800', '1732104000']],
      ['week', '2024-11-24T23:59:59Z', '2024-11-25T00:00:00Z', ['20241118', '20241125']],
      ['month', '2024-02-29T23:59:59Z', '2024-03-01T00:00:00Z', ['202402', '202403']],
      ['month', '2024-12-31T23:59:59Z', '2025-01-01T00:00:00Z', ['202412', '202501']],
    ] as const;
    for (const [partitionBy, last, first, ids] of cases) {
      const source: DataSource = { ...seconds, partitionBy };
      const found = await sliceSegment(await segment(source, [[at(last), at(first)]]), source);
      assert.deepEqual(
        found.map(({ partitionId }) => partitionId),
        ids,
      );
      assert.equal(found[0]!.slice?.to, Number(at(first)));
      assert.equal(found[1]!.slice?.from, Number(at(first)));
    }
  });

  it('puts every second of three months into one slice, whatever the cut', async () => {
    const second = fc.integer({ min: 1_700_000_000, max: 1_708_000_000 }).map(BigInt);
    for (const partitionBy of cuts) {
      const source: DataSource = { ...seconds, partitionBy };
      await fc.assert(
        fc.asyncProperty(fc.array(second, { minLength: 1, maxLength: 12 }), async (times) => {
          const found = await sliceSegment(await segment(source, [times]), source);
          const starts = new Set(times.map((time) => partitionStart(partitionBy, Number(time) * 1000)));
          assert.equal(found.length, starts.size);
          for (const time of times) {
            const mine = found.filter((slice) => holds(slice, time));
            assert.equal(mine.length, 1);
            const start = partitionStart(partitionBy, Number(time) * 1000);
            assert.equal(mine[0]!.partitionId, partitionIdAt(partitionBy, start));
          }
        }),
        { numRuns: 20 },
      );
    }
  });
});
