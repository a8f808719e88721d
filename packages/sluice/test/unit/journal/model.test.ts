import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BatchReader } from '../../../src/journal/types.ts';
import { CrashingFiles } from './crashing-files.ts';
import { checkedValues, open, sampleBatch, samplesKey, soon, valuesIn, type Opened } from './fixture.ts';

/*
 * The journal against a plain model. Rows are the numbers 0, 1, 2 ... in the order of their appends, so that whatever a reader gets can be judged by
 * itself: it must increase, and what is missing must have been rejected or, after a power failure, not yet synced.
 */

interface Model {
  /** How many numbers were handed to append. */
  given: number;
  /** Numbers that may be absent: of rejected inputs, and lost with the power. */
  readonly excused: Set<number>;
  /** Numbers whose append has resolved and that were not synced since. */
  unsynced: number[];
}

class Real {
  readonly dataDir = fs.mkdtempSync(join(tmpdir(), 'sluice-model-'));
  readonly sync: 'interval' | 'always';
  files = new CrashingFiles();
  opened!: Opened;
  /** What storage has confirmed. */
  readonly stored: number[] = [];
  reader: BatchReader | undefined;
  /** Whether the exporter exists, open or not. */
  exporting = false;
  /** Everything from this number on belongs to the exporter. */
  exportFrom = 0;
  /** What was delivered to the exporter, over all its sessions. */
  readonly delivered = new Set<number>();
  #lastDelivered = -1;
  #lastRow = -1;

  constructor(sync: 'interval' | 'always') {
    this.sync = sync;
  }

  async open(): Promise<void> {
    this.files = new CrashingFiles();
    this.opened = await open({
      dataDir: this.dataDir,
      sync: this.sync,
      files: this.files,
      segmentMaxRows: 20,
      maxTailBytes: 400,
    });
    this.reader = undefined;
  }

  async openReader(from: 'tail' | 'oldest'): Promise<void> {
    this.reader ??= await this.opened.journal.openReader({
      name: 'exporter',
      tables: ['prometheus.samples'],
      from,
      maxBacklogBytes: 2 ** 40,
    });
    this.#lastDelivered = -1;
    this.#lastRow = -1;
  }

  /** Reads up to `limit` Batches, all when absent; they must go on from what the session had so far. */
  async read(limit = Infinity): Promise<{ row: number } | undefined> {
    let last: { row: number } | undefined;
    for (let i = 0; i < limit; i++) {
      const next = await this.reader?.next(soon(5));
      if (next === undefined) break;
      const values = valuesIn(next.batch);
      assert.ok(next.firstRow > this.#lastRow, `row ${next.firstRow} after ${this.#lastRow}`);
      for (const value of values) {
        assert.ok(value > this.#lastDelivered, `the exporter got ${value} after ${this.#lastDelivered}`);
        this.#lastDelivered = value;
        this.delivered.add(value);
      }
      assert.deepEqual([next.batch.minTime, next.batch.maxTime], [values[0], values.at(-1)]);
      this.#lastRow = next.firstRow + next.batch.rows - 1;
      last = { row: this.#lastRow + 1 };
    }
    return last;
  }

  /** One segment into the database. */
  async store(): Promise<boolean> {
    const { storage } = this.opened.journal;
    const segment = await storage.next(samplesKey);
    if (segment === undefined) return false;
    const values = checkedValues(segment);
    await storage.saveMarker(samplesKey, { firstRow: segment.firstRow });
    assert.deepEqual(storage.marker(samplesKey), { firstRow: segment.firstRow });
    await storage.confirm(segment);
    for (const value of values) {
      assert.ok(value > (this.stored.at(-1) ?? -1), `storage got ${value} after ${this.stored.at(-1)}`);
      this.stored.push(value);
    }
    return true;
  }

  async settled(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.files.syncs > 0);
    await new Promise((resolve) => setImmediate(resolve));
  }

  async crash(model: Model, cut: Cut | undefined): Promise<void> {
    this.files.die();
    await this.settled();
    // Only for its descriptors: the dead file system keeps it from saving.
    await this.reader?.close().catch(() => undefined);
    if (cut !== undefined) {
      this.files.cut((path) => (path.endsWith('.index') ? cut.index : cut.data));
      for (const value of model.unsynced) model.excused.add(value);
    }
    model.unsynced = [];
    await this.open();
    if (this.exporting) await this.openReader('tail');
  }
}

interface Cut {
  readonly data: number;
  readonly index: number;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Numbers [from, to) in Batches of the given sizes; one append for each inner list. */
async function append(model: Model, real: Real, inputs: readonly (readonly number[])[]): Promise<void> {
  const pending = inputs.map((sizes) => {
    const values: number[] = [];
    const batches = sizes.map((size) => {
      const own = Array.from({ length: size }, () => model.given++);
      values.push(...own);
      return sampleBatch(own);
    });
    return { values, outcome: real.opened.journal.append(batches) };
  });
  for (const { values, outcome } of pending) {
    await outcome.then(
      () => {
        if (real.sync === 'interval') model.unsynced.push(...values);
      },
      () => {
        for (const value of values) model.excused.add(value);
      },
    );
  }
}

const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 }), {
  minLength: 1,
  maxLength: 3,
});
const cut = fc.option(
  fc.record({ data: fc.double({ min: 0, max: 1, noNaN: true }), index: fc.double({ min: 0, max: 1, noNaN: true }) }),
  { nil: undefined },
);

function command(name: string, run: (model: Model, real: Real) => Promise<unknown>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
    },
    toString: () => name,
  };
}

const commands = [
  sizes.map((inputs) => command(`append ${JSON.stringify(inputs)}`, (model, real) => append(model, real, inputs))),
  fc.nat({ max: 1500 }).map((ms) =>
    command(`advance ${ms}`, async (model, real) => {
      real.opened.clock.advance(ms);
      await real.settled();
      if (ms >= 1000) model.unsynced = [];
    }),
  ),
  fc.constant(command('store', (_, real) => real.store())),
  fc.constantFrom('tail' as const, 'oldest' as const).map((from) =>
    command(`export from ${from}`, async (model, real) => {
      if (!real.exporting) {
        real.exporting = true;
        real.exportFrom = from === 'tail' ? model.given : Math.max(...real.stored, -1) + 1;
      }
      await real.openReader(from);
    }),
  ),
  fc.nat({ max: 5 }).map((count) => command(`read ${count}`, (_, real) => real.read(count))),
  fc.nat({ max: 9 }).map((back) =>
    command(`read and confirm, ${back} back`, async (_, real) => {
      const last = await real.read(2);
      if (last !== undefined) real.reader?.confirm(samplesKey, last.row - back);
    }),
  ),
  fc.constant(
    command('close reader', async (_, real) => {
      await real.reader?.close();
      real.reader = undefined;
      if (real.exporting) await real.openReader('tail');
    }),
  ),
  fc.constant(
    command('stop and start', async (model, real) => {
      await real.opened.journal.close();
      await real.reader?.close();
      model.unsynced = [];
      await real.open();
      if (real.exporting) await real.openReader('tail');
    }),
  ),
  cut.map((left) => command(`crash ${JSON.stringify(left)}`, (model, real) => real.crash(model, left))),
  fc.tuple(fc.nat({ max: 9 }), sizes, cut).map(([calls, inputs, left]) =>
    command(
      `crash at call ${calls} of append ${JSON.stringify(inputs)}, ${JSON.stringify(left)}`,
      async (model, real) => {
        real.files.callsLeft = calls;
        await append(model, real, inputs);
        await real.crash(model, left);
      },
    ),
  ),
  fc.tuple(fc.nat({ max: 5 }), cut).map(([calls, left]) =>
    command(`crash at call ${calls} of storing, ${JSON.stringify(left)}`, async (model, real) => {
      const before = real.stored.length;
      real.files.callsLeft = calls;
      const values = await real.opened.journal.storage
        .next(samplesKey)
        .then((segment) => (segment === undefined ? [] : checkedValues(segment)));
      const confirmed = await real.store().then(
        () => true,
        () => false,
      );
      await real.crash(model, left);
      // Whether the cursor had moved decides whether the database has them: the marker tells the loader, and here the journal tells us.
      const next = await real.opened.journal.storage.next(samplesKey);
      if (confirmed || real.stored.length > before || values.length === 0) return;
      if (next === undefined || checkedValues(next)[0] !== values[0]) real.stored.push(...values);
    }),
  ),
];

async function holds(sync: 'interval' | 'always', list: Iterable<Command>): Promise<void> {
  const real = new Real(sync);
  const model: Model = { given: 0, excused: new Set(), unsynced: [] };
  try {
    await real.open();
    await fc.asyncModelRun(() => ({ model, real }), list);
    await real.opened.journal.seal();
    while (await real.store());
    const stored = new Set(real.stored);
    for (let value = 0; value < model.given; value++) {
      assert.ok(stored.has(value) || model.excused.has(value), `${value} was acknowledged and is not in storage`);
    }
    if (real.exporting) {
      await real.read();
      for (let value = real.exportFrom; value < model.given; value++) {
        assert.ok(real.delivered.has(value) || model.excused.has(value), `${value} was acknowledged and not delivered`);
      }
      await real.reader?.close();
    }
    await real.opened.journal.close();
  } finally {
    fs.rmSync(real.dataDir, { recursive: true, force: true });
  }
}

for (const sync of ['interval', 'always'] as const) {
  test(`sync: ${sync} - no acknowledged row is missing and none is stored twice, whatever happens`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 25 }), (list) => holds(sync, list)),
      { numRuns: Number(process.env['SLUICE_MODEL_RUNS'] ?? 60) },
    );
  });
}
