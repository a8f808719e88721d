import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SendOutcome } from '../../../src/base/ports.ts';
import { CrashingFiles } from '../journal/crashing-files.ts';
import { sampleBatch } from '../journal/fixture.ts';
import type { Delivery } from '../../../src/delivery/delivery.ts';
import { ask, Scripted, settle, start, stateOf, type Call, type Started } from './scripted.ts';

/*
 * Delivery over a real journal against a plain model: rows are the numbers 0, 1, 2 ..., and a receiver answers anything. However the hub is stopped,
 * killed and started, and whatever the receiver says: every row that the journal took is sent at least once, or stands in rejected/ and is one that
 * the receiver does not want; within one life of the hub rows of a key arrive in order and once.
 */

const KEYS = 5;
const isBad = (value: number): boolean => value % 13 === 7;
const isUnfit = (value: number): boolean => value % 17 === 11;
const isLeftOut = (value: number): boolean => value % 6 === 4;

type Mood = 'well' | 'random' | 'down' | 'misconfigured' | 'hangs';

class World {
  readonly dataDir = fs.mkdtempSync(join(tmpdir(), 'sluice-delivery-'));
  files = new CrashingFiles();
  hub!: Started;
  exporter!: Scripted;
  mood: Mood = 'well';
  given = 0;
  /** Rows whose append was refused. */
  readonly excused = new Set<number>();
  readonly arrived = new Set<number>();
  readonly disorder: string[] = [];
  #seed: number;
  #generation = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  async open(): Promise<void> {
    this.files = new CrashingFiles();
    this.hub = await start({
      dataDir: this.dataDir,
      files: this.files,
      segmentMaxRows: 20,
      maxTailBytes: 2000,
      delivery: { files: this.files, random: () => this.random() },
    });
    await this.apply();
  }

  async apply(fingerprint = `f${++this.#generation}`): Promise<void> {
    // The last value of each key. Another life of the exporter repeats what was not confirmed in the one before.
    const last = new Map<number, number>();
    const script = (call: Call) => this.#answer(call, last);
    const next = new Scripted({
      fingerprint,
      script,
      endpoints: ['a:1', 'b:1'],
      keyOf: (value) => value % KEYS,
      itemsOf: (value) => (isUnfit(value) ? -1 : 1),
      passes: (value) => !isLeftOut(value),
      settings: {
        lanes: 1 + Math.floor(this.random() * 3),
        batchItems: 1 + Math.floor(this.random() * 8),
        queueRows: 1 + Math.floor(this.random() * 40),
        flushMs: 200,
        timeoutMs: 1000,
      },
    });
    const isNew = this.exporter === undefined || this.exporter.fingerprint !== fingerprint;
    const applied = this.#patient(this.hub.delivery.apply([next]));
    if (isNew) this.exporter = next;
    await applied;
  }

  async append(sizes: readonly number[]): Promise<void> {
    for (const size of sizes) {
      const values = Array.from({ length: size }, () => this.given++);
      await this.hub.journal.append([sampleBatch(values)]).catch(() => {
        for (const value of values) this.excused.add(value);
      });
    }
  }

  async advance(ms: number): Promise<void> {
    this.hub.clock.advance(ms);
    await settle(5);
  }

  async stop(): Promise<void> {
    await this.hub.journal.close();
    await this.#patient(this.hub.delivery.stop(2000));
  }

  /** The process is gone: nothing more reaches the disk. */
  async kill(): Promise<void> {
    this.files.die();
    const dead = this.hub;
    // Only for its descriptors and its promises.
    await this.#patient(dead.delivery.stop(0)).catch(() => undefined);
  }

  /** Ends everything that waits for the clock. */
  async #patient<T>(work: Promise<T>): Promise<T> {
    const end = { isDone: false };
    const done = work.finally(() => (end.isDone = true));
    done.catch(() => undefined);
    // The file system takes its own time; the bound is only there to end a broken test.
    const deadline = performance.now() + 30_000;
    for (let i = 0; !end.isDone && performance.now() < deadline; i++) {
      await settle(5);
      if (i > 3 && i < 200) this.hub.clock.advance(1000);
    }
    assert.ok(end.isDone, 'it hangs');
    return done;
  }

  #answer({ values, signal }: Call, last: Map<number, number>): SendOutcome | Promise<SendOutcome> {
    const sentSome = (some: readonly number[]) => {
      for (const value of some) {
        const key = value % KEYS;
        const before = last.get(key) ?? -1;
        if (value <= before) this.disorder.push(`${value} after ${before}`);
        last.set(key, value);
        this.arrived.add(value);
      }
    };
    const judged = (): SendOutcome => {
      const bad = values.flatMap((value, item) => (isBad(value) ? [item] : []));
      if (bad.length > 0 && this.random() < 0.5) return { kind: 'refused', why: 'bad' };
      sentSome(values.filter((value) => !isBad(value)));
      return bad.length > 0 ? { kind: 'rejected', items: bad, why: 'bad' } : { kind: 'sent' };
    };
    switch (this.mood) {
      case 'well':
        return judged();
      case 'down':
        return { kind: 'retry', why: 'down' };
      case 'misconfigured':
        return { kind: 'misconfigured', why: 'who are you' };
      case 'hangs':
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ kind: 'retry', why: 'aborted' }));
        });
      case 'random': {
        const chance = this.random();
        if (chance < 0.25) return { kind: 'retry', why: 'busy', ...(chance < 0.1 ? { afterMs: 700 } : {}) };
        if (chance < 0.3) return { kind: 'misconfigured', why: 'who are you' };
        if (chance < 0.35) throw new Error('a bug');
        return judged();
      }
    }
  }
}

type Action =
  | { readonly kind: 'append'; readonly sizes: readonly number[] }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'mood'; readonly mood: Mood }
  | { readonly kind: 'kill at call'; readonly calls: number }
  | { readonly kind: 'stop' | 'kill' | 'reload same' | 'reload changed' };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      sizes: fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 100, 250, 1000, 30_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('mood' as const),
      mood: fc.constantFrom<Mood>('well', 'random', 'random', 'down', 'misconfigured', 'hangs'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('kill at call' as const), calls: fc.nat({ max: 8 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('stop', 'kill', 'kill', 'reload same', 'reload changed') }),
  },
);

async function perform(world: World, one: Action): Promise<void> {
  switch (one.kind) {
    case 'append':
      return world.append(one.sizes);
    case 'advance':
      return world.advance(one.ms);
    case 'mood':
      world.mood = one.mood;
      return;
    case 'stop':
      await world.stop();
      return world.open();
    case 'kill at call':
      // In the middle of a write of the journal, a cursor or rejected items.
      world.files.callsLeft = one.calls;
      for (let i = 0; i < 3; i++) {
        await world.append([9]);
        await world.advance(300);
      }
      await world.kill();
      return world.open();
    case 'kill':
      await world.kill();
      return world.open();
    case 'reload same':
      return world.apply(world.exporter.fingerprint);
    case 'reload changed':
      return world.apply();
  }
}

/** Values in rejected/: rows have other numbers once an append was refused. */
async function rejectedValues(delivery: Delivery): Promise<Set<number>> {
  const values = new Set<number>();
  for (const { id } of await ask<{ id: number }[]>(delivery, '/api/v1/rejected?limit=10000')) {
    const { text } = await ask<{ text: string }>(delivery, `/api/v1/rejected/scripted/${id}`);
    values.add(Number(/\d+$/.exec(text)?.[0]));
  }
  return values;
}

async function holds(actions: readonly Action[], seed: number): Promise<void> {
  const world = new World(seed);
  try {
    await world.open();
    for (const one of actions) await perform(world, one);
    world.mood = 'well';
    const deadline = performance.now() + 30_000;
    for (let i = 0; performance.now() < deadline; i++) {
      await world.advance(i < 100 ? 300 : i < 300 ? 30_000 : 0);
      const { lag } = await stateOf(world.hub.delivery);
      if (lag.rows === 0) break;
    }
    assert.deepEqual(world.disorder, []);
    const { lag, state } = await stateOf(world.hub.delivery);
    assert.deepEqual([lag.rows, state], [0, 'running']);
    const rejected = await rejectedValues(world.hub.delivery);
    for (let value = 0; value < world.given; value++) {
      if (world.excused.has(value) || isLeftOut(value)) continue;
      if (isBad(value) || isUnfit(value)) assert.ok(rejected.has(value), `${value} is not in rejected/`);
      else assert.ok(world.arrived.has(value), `${value} was never sent`);
    }
    for (const value of rejected) assert.ok(isBad(value) || isUnfit(value), `${value} is rejected without a reason`);
    await world.stop();
  } finally {
    fs.rmSync(world.dataDir, { recursive: true, force: true });
  }
}

test('whatever a receiver answers and however the hub ends, no row is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), fc.nat(), (actions, seed) => holds(actions, seed)),
    { numRuns: Number(process.env['SLUICE_MODEL_RUNS'] ?? 60) },
  );
});
