import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabelList } from '../../../src/base/label-fields.ts';
import { LinearMemory } from '../../../src/base/linear-memory.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { followAnnouncements, type AnnouncedStore } from '../../../src/query/announced-series.ts';
import { SeriesRows } from '../../../src/receivers/prometheus/series-rows.ts';
import { openSeries } from '../../../src/series/open-series.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const log = createLog({ level: 'silent' });

function labels(text: string): Buffer {
  const part = (tag: number, content: Buffer): Buffer => Buffer.concat([Buffer.from([tag, content.length]), content]);
  const label = (name: string, value: string): Buffer =>
    part(0x0a, Buffer.concat([part(0x0a, Buffer.from(name)), part(0x12, Buffer.from(value))]));
  return Buffer.concat([label('Above', text), label('__name__', 'up'), label('job', text)]);
}

/** The series of a hub, with nothing in its dictionary. */
async function emptySeries(dir: string, limit = 1000) {
  const memory = new LinearMemory();
  const store = await openSeries({ dir, org: 1, limit, memory, metrics: createMetrics(), log });
  return { memory, store, place: memory.allocate() };
}

/** Announcements of these series as the journal has them, and their ids. */
async function announcements(dir: string, texts: readonly string[]): Promise<{ batch: Batch; ids: Uint32Array }> {
  const { memory, store, place } = await emptySeries(dir);
  const rows = new SeriesRows();
  const list = new LabelList();
  const ids: number[] = [];
  store.series.begin();
  for (const text of texts) {
    const bytes = labels(text);
    memory.bytes.set(bytes, place);
    const added = store.series.add(place, place + bytes.length, bytes);
    assert.equal(added.kind, 'new');
    list.parse(bytes, 0, bytes.length);
    const series = added.kind === 'new' ? added.series : 0;
    rows.push(store.series, Date.now(), { series, list, bytes, validFrom: Date.now(), tags: undefined });
    ids.push(...store.series.ids.subarray(series * 4 + 2, series * 4 + 4));
  }
  const batches: Batch[] = [];
  rows.finish(1, batches);
  await store.close();
  return { batch: batches[0]!, ids: Uint32Array.from(ids) };
}

class Reader {
  readonly confirmed: number[] = [];
  readonly #batches: { partition: string; firstRow: number; batch: Batch }[];

  constructor(batch: Batch) {
    this.#batches = [{ partition: 'p', firstRow: 10, batch }];
  }

  next(signal: AbortSignal) {
    const next = this.#batches.shift();
    if (next !== undefined) return Promise.resolve(next);
    return new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined));
    });
  }

  confirm(_partition: string, row: number): void {
    this.confirmed.push(row);
  }

  lag() {
    return { rows: this.#batches.reduce((sum, { batch }) => sum + batch.rows, 0) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

test('series that only the journal knows are known after a start, and stay in the journal until the dictionary has them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-announced-'));
  try {
    const { batch, ids } = await announcements(join(dir, 'one'), ['a', 'b', 'c']);
    const { memory, store } = await emptySeries(join(dir, 'two'));
    assert.equal(store.labelsOf(ids[0]!, ids[1]!), undefined);
    const reader = new Reader(batch);
    let waitingSinceMs: number | undefined;
    const watched: AnnouncedStore = {
      series: store.series,
      labelsOf: (low, high) => store.labelsOf(low, high),
      get waitingSinceMs() {
        return waitingSinceMs;
      },
    };
    waitingSinceMs = Date.now();
    const metrics = createMetrics();
    const announced = followAnnouncements({ reader, stores: new Map([[1, watched]]), memory, metrics, log });
    await announced.caughtUp;
    for (const [i, text] of ['a', 'b', 'c'].entries()) {
      const found = store.labelsOf(ids[i * 2]!, ids[i * 2 + 1]!);
      assert.deepEqual(found === undefined ? undefined : Buffer.from(found), labels(text));
    }
    assert.notEqual(store.waitingSinceMs, undefined, 'the dictionary is told of them');
    await sleep(4500);
    assert.deepEqual(reader.confirmed, [], 'they are not in the dictionary yet');
    waitingSinceMs = undefined;
    await sleep(1500);
    assert.deepEqual(reader.confirmed, [13]);
    await announced.stop();
    await store.close();

    const again = await emptySeries(join(dir, 'two'));
    assert.equal(again.store.active, 3);
    await again.store.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

describe('series that cannot be taken over are counted by reason and warned about, and the journal goes on', () => {
  const noRoom = { allocate: () => 0 };
  const cases: readonly (readonly [reason: string, limit: number, org: number, isFull: boolean, refused: number])[] = [
    ['limit', 1, 1, false, 2],
    ['memory', 1000, 1, true, 3],
    ['organisation', 1000, 2, false, 3],
  ];
  for (const [reason, limit, org, isFull, refused] of cases) {
    test(reason, async () => {
      const dir = await mkdtemp(join(tmpdir(), 'sluice-announced-'));
      try {
        const { batch } = await announcements(join(dir, 'one'), ['a', 'b', 'c']);
        const { memory, store } = await emptySeries(join(dir, 'two'), limit);
        if (isFull) Object.assign(memory, noRoom);
        const reader = new Reader(batch);
        const metrics = createMetrics();
        const lines: string[] = [];
        const noted = createLog({ destination: { write: (line: string) => void lines.push(line) } });
        // What is announced for an organisation that is no more is announced for nobody.
        const stores = new Map([
          [
            org,
            {
              series: store.series,
              labelsOf: (low: number, high: number) => store.labelsOf(low, high),
              waitingSinceMs: undefined,
            },
          ],
        ]);
        const announced = followAnnouncements({ reader, stores, memory, metrics, log: noted });
        await announced.caughtUp;
        const { values } = await metrics.seriesRefused.get();
        assert.deepEqual(
          values.map(({ labels: { reason: why }, value }) => [why, value]),
          [[reason, refused]],
        );
        assert.match(
          lines.join(''),
          new RegExp(`"level":"warn".*"org":1,"refused":\\{"${reason}":${refused}\\}.*cannot be taken over`),
        );
        while (reader.confirmed.length === 0) await sleep(20);
        assert.deepEqual(reader.confirmed, [13]);
        await announced.stop();
        await store.close();
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    });
  }
});
