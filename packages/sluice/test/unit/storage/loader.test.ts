import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samples } from '../../../src/catalog/prometheus.ts';
import type { PartitionKey, Segment, SegmentReader } from '../../../src/journal/types.ts';
import type { LoadTarget } from '../../../src/storage/load-target.ts';
import { startLoader } from '../../../src/storage/loader.ts';
import { SluiceError } from '../../../src/base/errors.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const log = createLog({ level: 'silent' });

/** A journal in memory with segments of one block and one row. */
class FakeJournal implements SegmentReader {
  readonly segments: Segment[] = [];
  readonly confirmed: string[] = [];
  readonly #markers = new Map<string, Record<string, string | number>>();
  #listener: () => void = () => {};
  readonly backlogBytes = 0;
  readonly quarantined: string[] = [];

  add(table: string, org = 1, blocks = 1, writer = 'w'): void {
    const partition = { org, table, writer };
    const firstRow = this.segments.length;
    const block = { offset: 0, length: 1, rows: 1, minTime: 0, maxTime: 0, crc: 0 };
    this.segments.push({
      partition,
      firstRow,
      rows: blocks,
      bytes: blocks,
      path: `/nowhere/${firstRow}`,
      blocks: Array.from({ length: blocks }, (_, index) => ({ ...block, offset: index })),
      minTime: 0,
      maxTime: 0,
      catalogVersion: 1,
      columns: samples.columns.map(({ name }) => name),
      indexCrc: 0,
    });
    this.#listener();
  }
  pending(): readonly PartitionKey[] {
    return [...new Map(this.segments.map(({ partition }) => [key(partition), partition])).values()];
  }
  next(partition: PartitionKey) {
    return Promise.resolve(this.segments.find((segment) => key(segment.partition) === key(partition)));
  }
  onSealed(listener: () => void) {
    this.#listener = listener;
  }
  marker(partition: PartitionKey) {
    return this.#markers.get(key(partition));
  }
  saveMarker(partition: PartitionKey, marker: Readonly<Record<string, string | number>>) {
    this.#markers.set(key(partition), marker);
    return Promise.resolve();
  }
  confirm(segment: Segment) {
    this.segments.splice(this.segments.indexOf(segment), 1);
    this.#markers.delete(key(segment.partition));
    this.confirmed.push(`${key(segment.partition)}/${segment.firstRow}`);
    return Promise.resolve();
  }
  quarantine(segment: Segment, why: string, blocks = segment.blocks) {
    this.quarantined.push(`${segment.firstRow} ${blocks.map(({ offset }) => offset).join()}: ${why}`);
    return Promise.resolve();
  }
}

function key({ org, table, writer }: PartitionKey): string {
  return `${org}/${table}/${writer}`;
}

function begin(
  journal: FakeJournal,
  target: Partial<LoadTarget>,
  more: { concurrency?: number; onLoaded?: (partition: PartitionKey) => void } = {},
) {
  return startLoader({
    journal,
    journalUuid: 'u',
    target: {
      prepare: () => Promise.resolve({}),
      landed: () => Promise.resolve(false),
      insert: () => Promise.resolve(undefined),
      ...target,
    },
    organisations: [1, 2],
    log,
    metrics: createMetrics(),
    backoff: { minMs: 1, maxMs: 4 },
    ...more,
  });
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < end, 'it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('loader', () => {
  it('tells after every attempt that rows may be there, whether it says to have failed or not', async () => {
    const journal = new FakeJournal();
    journal.add('prometheus.series', 2);
    let inserts = 0;
    const told: string[] = [];
    const insert = () =>
      ++inserts === 1 ? Promise.reject(new SluiceError('storage_unavailable', 'gone')) : Promise.resolve(undefined);
    const onLoaded = ({ org, table }: PartitionKey) => told.push(`${inserts}: ${org} ${table}`);
    const loader = begin(journal, { insert }, { onLoaded });
    await until(() => journal.confirmed.length === 1);
    await loader.stop(1000);
    assert.deepEqual(told, ['1: 2 prometheus.series', '2: 2 prometheus.series']);
  });

  it('has one INSERT of a table in flight, whoever wrote, and two tables at most', async () => {
    const journal = new FakeJournal();
    for (let i = 0; i < 4; i++) {
      journal.add('prometheus.samples', 1, 1, 'a');
      journal.add('prometheus.samples', 1, 1, 'b');
      journal.add('prometheus.samples', 2);
      journal.add('prometheus.series');
    }
    const flying = new Map<string, number>();
    let most = 0;
    const loader = begin(journal, {
      async insert({ org, source }) {
        const name = `${org}/${source.id}`;
        flying.set(name, (flying.get(name) ?? 0) + 1);
        assert.equal(flying.get(name), 1);
        most = Math.max(
          most,
          [...flying.values()].reduce((sum, n) => sum + n, 0),
        );
        await new Promise((resolve) => setTimeout(resolve, 2));
        flying.set(name, 0);
        return undefined;
      },
    });
    await until(() => journal.segments.length === 0);
    assert.equal(most, 2);
    const own = journal.confirmed
      .filter((name) => name.startsWith('1/prometheus.samples/a'))
      .map((name) => Number(name.split('/')[3]));
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
    );
    await loader.stop(100);
  });

  it('does not let a table that always has more starve the others', async () => {
    const journal = new FakeJournal();
    journal.add('prometheus.samples');
    const loader = begin(
      journal,
      {
        insert({ source }) {
          if (source.id === 'prometheus.samples' && journal.confirmed.length < 50) journal.add('prometheus.samples');
          return Promise.resolve(undefined);
        },
      },
      { concurrency: 1 },
    );
    journal.add('prometheus.series');
    await until(() => journal.confirmed.some((name) => name.includes('series')));
    assert.ok(journal.confirmed.length < 50, 'its turn came');
    await loader.stop(100);
  });

  it('finds the one block that is refused', async () => {
    const journal = new FakeJournal();
    journal.add('prometheus.series', 1, 5);
    const tried: string[] = [];
    const loader = begin(journal, {
      insert(piece) {
        tried.push(piece.whole ? 'all' : String(piece.start));
        if (piece.whole || piece.start === 3)
          return Promise.reject(new SluiceError('storage_refused', 'cannot insert: Code: 33. bad'));
        return Promise.resolve(1);
      },
    });
    await until(() => journal.segments.length === 0);
    assert.deepEqual(tried, ['all', '0', '1', '2', '3', '4']);
    assert.deepEqual(journal.quarantined, ['0 3: cannot insert: Code: 33. bad']);
    await loader.stop(100);
  });

  it('believes for a while that an error it does not know passes, and then no more', async () => {
    const journal = new FakeJournal();
    journal.add('prometheus.series');
    let attempts = 0;
    const loader = begin(journal, {
      insert: () => {
        attempts++;
        return Promise.reject(new SluiceError('storage_unavailable', 'cannot insert: Code: 4711. unheard of'));
      },
    });
    await until(() => journal.segments.length === 0);
    assert.equal(attempts, 8);
    assert.equal(journal.quarantined.length, 1);
    await loader.stop(100);
  });

  it('never sets aside what fails because the database is away or full', async () => {
    const journal = new FakeJournal();
    journal.add('prometheus.series');
    let attempts = 0;
    const errors = ['connect ECONNREFUSED', 'Code: 243. no space', 'Code: 516. wrong password', 'Code: 241. memory'];
    const loader = begin(journal, {
      insert: () => {
        const text = errors[attempts++ % errors.length]!;
        return Promise.reject(new SluiceError(text.includes('241') ? 'storage_limit' : 'storage_unavailable', text));
      },
    });
    await until(() => attempts > 60);
    assert.deepEqual(journal.quarantined, []);
    assert.equal(loader.state().ready, false);
    await loader.stop(100);
  });

  it('stops between segments, and lets go at the deadline', async () => {
    const journal = new FakeJournal();
    journal.add('prometheus.series');
    journal.add('prometheus.series');
    let gaveUp = false;
    const loader = begin(journal, {
      insert: (_piece, _marker, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            gaveUp = true;
            reject(new Error('aborted'));
          });
        }),
      landed: (_piece, _marker, signal) =>
        signal.aborted ? Promise.reject(new Error('aborted')) : Promise.resolve(false),
    });
    await until(() => journal.marker({ org: 1, table: 'prometheus.series', writer: 'w' }) !== undefined);
    const started = performance.now();
    await loader.stop(50);
    assert.ok(performance.now() - started < 900);
    assert.equal(gaveUp, true);
    assert.equal(journal.segments.length, 2);
    // The marker stays as it was before the INSERT: the next start asks whether it landed.
    assert.equal(journal.marker({ org: 1, table: 'prometheus.series', writer: 'w' })?.['flying'], 1);
  });
});
