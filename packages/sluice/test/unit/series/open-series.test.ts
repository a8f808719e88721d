import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { LinearMemory } from '../../../src/base/linear-memory.ts';
import { openSeries, type OpenSeriesOptions, type SeriesStore } from '../../../src/series/open-series.ts';
import { createReannounce } from '../../../src/series/reannounce.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

let dir = '';
let nowMs = Date.UTC(2026, 10, 20);

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'sluice-series-'));
});
after(async () => rm(dir, { recursive: true, force: true }));

async function open(org: number, more: Partial<OpenSeriesOptions> = {}): Promise<SeriesStore & { place: number }> {
  const memory = new LinearMemory();
  const store = await openSeries({
    dir,
    org,
    limit: 1_000_000,
    memory,
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
    now: () => nowMs,
    flushMs: 3_600_000,
    upkeepMs: 3_600_000,
    ...more,
  });
  return Object.assign(store, { place: memory.allocate() });
}

const file = (org: number): string => path.join(dir, `${org}.dictionary`);

function labels(i: number): Buffer {
  const part = (tag: number, text: string): Buffer =>
    Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text)]);
  const one = (name: string, value: string): Buffer => {
    const body = Buffer.concat([part(0x0a, name), part(0x12, value)]);
    return Buffer.concat([Buffer.from([0x0a, body.length]), body]);
  };
  return Buffer.concat([one('__name__', 'm'), one('i', String(i)), one('text', 'x'.repeat(100))]);
}

/** Sees series `i`: whether it was known, and whether it must be announced. */
function see(store: SeriesStore & { place: number }, i: number): { known: boolean; due: boolean; series: number } {
  const { series } = store;
  const bytes = labels(i);
  series.memory.bytes.set(bytes, store.place);
  series.begin();
  const form = series.find(0, 0, store.place, store.place + bytes.length);
  if (form >= 0) return { known: true, due: series.touch(series.seriesOf(form)), series: series.seriesOf(form) };
  const added = series.add(store.place, store.place + bytes.length, bytes);
  assert.ok(added.kind !== 'refused');
  return { known: false, due: series.touch(added.series), series: added.series };
}

suite('series dictionary', () => {
  test('agents, tags and the version they began are known after a restart; a file of the first version is read', async () => {
    const first = await open(31);
    const numbers = [0, 1].map((i) => see(first, i).series);
    first.series.announced(numbers);
    await first.afterSync();
    first.series.renew(numbers[1]!, nowMs + 5000);
    first.series.tags.setAnnounced(numbers[1]!, 7, 0xfedc_ba98);
    first.series.announced([numbers[1]!]);
    await first.close();
    const bytes = await readFile(file(31));
    assert.equal(bytes.readUInt32LE(8), 2);
    const second = await open(31);
    const tagsOf = (store: SeriesStore & { place: number }, i: number) => {
      const { series } = store;
      const number = see(store, i).series;
      return [series.tags.agent(number), series.tags.signature(number), series.validFrom(number) - nowMs];
    };
    assert.deepEqual(
      [tagsOf(second, 0), tagsOf(second, 1)],
      [
        [0, 0, 0],
        [7, 0xfedc_ba98, 5000],
      ],
    );
    await second.close();
    // As an older hub left it: nothing of it is lost, and it is of the new version from then on.
    bytes.writeUInt32LE(1, 8);
    await writeFile(file(31), bytes);
    const third = await open(31);
    assert.equal(third.active, 2);
    await third.close();
    assert.equal((await readFile(file(31))).readUInt32LE(8), 2);
  });

  test('announced series are known after a restart, with when they began; others are not', async () => {
    const first = await open(1);
    const numbers = [0, 1, 2].map((i) => see(first, i).series);
    first.series.announced([numbers[0]!, numbers[1]!]);
    const began = first.series.validFrom(numbers[0]!);
    await first.close();
    nowMs += 60_000;
    const second = await open(1);
    assert.equal(second.active, 2);
    const again = see(second, 0);
    assert.deepEqual([again.known, again.due], [true, false]);
    assert.equal(second.series.validFrom(again.series), began);
    assert.deepEqual(Buffer.from(second.series.labels(again.series)), labels(0));
    assert.equal(see(second, 1).due, false);
    assert.deepEqual([see(second, 2).known, see(second, 2).due], [false, true]);
    await second.close();
  });

  test('a series is kept only when its announcement had time to be synced', async () => {
    const first = await open(2, { settleMs: 5000, flushMs: 20 });
    first.series.announced([see(first, 0).series]);
    nowMs += 4000;
    first.series.announced([see(first, 1).series]);
    nowMs += 1500;
    const deadline = Date.now() + 5000;
    while ((await stat(file(2))).size < 100 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    // As after a crash: the file as it is now.
    const bytes = await readFile(file(2));
    await first.close();
    await writeFile(file(2), bytes);
    const second = await open(2);
    assert.deepEqual([see(second, 0).due, see(second, 1).due], [false, true]);
    await second.close();
  });

  test('afterSync keeps at once; a second announcement moves the day, also after a restart', async () => {
    const first = await open(3);
    const { series } = see(first, 0);
    first.series.announced([series]);
    await first.afterSync();
    nowMs += 25 * 3_600_000;
    assert.equal(see(first, 0).due, true);
    first.series.announced([series]);
    await first.afterSync();
    await first.close();
    nowMs += 3_600_000;
    const second = await open(3);
    assert.equal(see(second, 0).due, false);
    await second.close();
  });

  test('another database: everything is announced anew, also when the hub dies in the middle of it', async () => {
    const first = await open(4);
    await first.useStorage('database 1');
    first.series.announced([0, 1, 2].map((i) => see(first, i).series));
    await first.afterSync();
    await first.useStorage('database 1');
    assert.equal(see(first, 0).due, false);
    await first.useStorage('database 2');
    assert.equal(see(first, 0).due, true);
    first.series.announced([see(first, 0).series]);
    await first.afterSync();
    await first.close();
    const second = await open(4);
    await second.useStorage('database 2');
    assert.deepEqual(
      [0, 1, 2].map((i) => see(second, i).due),
      [false, true, true],
    );
    await second.close();
  });

  test('announcements that were lost: everything is announced anew, also after a restart', async () => {
    const first = await open(14);
    await first.useStorage('database');
    first.series.announced([0, 1, 2].map((i) => see(first, i).series));
    await first.afterSync();
    const reannounce = createReannounce({ dictionaries: new Map([[14, first]]), log: createLog({ level: 'silent' }) });
    reannounce.lost({ org: 14, table: 'prometheus.samples' });
    reannounce.lost({ org: 15, table: 'prometheus.series' });
    await first.afterSync();
    assert.equal(see(first, 0).due, false, 'nothing of this was said');
    reannounce.lost({ org: 14, table: 'prometheus.series' });
    await first.afterSync();
    assert.equal(see(first, 0).due, true);
    first.series.announced([see(first, 0).series]);
    await first.close();
    reannounce.stop();
    const second = await open(14);
    await second.useStorage('database');
    assert.deepEqual(
      [0, 1, 2].map((i) => see(second, i).due),
      [false, true, true],
    );
    await second.close();
  });

  test('announcements that are lost again and again are repeated once a pause', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let rounds = 0;
    const reannounceAll = () => Promise.resolve(void rounds++);
    const log = createLog({ level: 'silent' });
    const reannounce = createReannounce({ dictionaries: new Map([[1, { reannounceAll }]]), log, pauseMs: 1000 });
    const lose = () => reannounce.lost({ org: 1, table: 'prometheus.series' });
    for (let i = 0; i < 5; i++) lose();
    assert.equal(rounds, 1);
    t.mock.timers.tick(1000);
    assert.equal(rounds, 2, 'what was lost within the pause is made good after it');
    t.mock.timers.tick(5000);
    assert.equal(rounds, 2);
    lose();
    assert.equal(rounds, 3);
    reannounce.stop();
    lose();
    t.mock.timers.tick(5000);
    assert.equal(rounds, 3);
  });

  test('damage: a torn tail and a wrong byte are cut off, what is before stays', async () => {
    const first = await open(5);
    for (let i = 0; i < 10; i++) {
      first.series.announced([see(first, i).series]);
      await first.afterSync();
    }
    await first.close();
    const whole = await readFile(file(5));
    const frame = (whole.length - 16) / 10;
    for (const [damage, kept] of [
      [async () => truncate(file(5), whole.length - 1), 9],
      [async () => truncate(file(5), whole.length - frame + 3), 9],
      [async () => writeFile(file(5), Buffer.concat([whole, Buffer.alloc(7, 1)])), 10],
      [async () => writeFile(file(5), Buffer.concat([whole, Buffer.alloc(4000, 0xff)])), 10],
      [
        async () =>
          writeFile(
            file(5),
            whole.map((byte, at) => (at === 16 + frame * 4 + 30 ? byte ^ 1 : byte)),
          ),
        4,
      ],
      [async () => truncate(file(5), 7), 0],
      [async () => writeFile(file(5), ''), 0],
      [async () => writeFile(file(5), Buffer.alloc(500, 65)), 0],
    ] as const) {
      await writeFile(file(5), whole);
      await damage();
      const store = await open(5);
      assert.equal(store.active, kept);
      // And it can be written again.
      store.series.announced([see(store, 99).series]);
      await store.close();
      const next = await open(5);
      assert.equal(next.active, kept + 1);
      await next.close();
    }
  });

  test('a file of a newer Sluice is refused', async () => {
    const store = await open(6);
    await store.close();
    const bytes = await readFile(file(6));
    bytes.writeUInt32LE(99, 8);
    await writeFile(file(6), bytes);
    await assert.rejects(open(6), { code: 'format_too_new' });
    assert.deepEqual(await readFile(file(6)), bytes);
  });

  test('upkeep drops idle series and rewrites the file without them, while series are seen', async () => {
    const first = await open(7);
    const count = 120_000;
    for (let i = 0; i < count; i++) first.series.announced([see(first, i).series]);
    await first.afterSync();
    const full = (await stat(file(7))).size;
    assert.ok(full > 16 * 2 ** 20);
    nowMs += 50 * 60_000;
    for (let i = 0; i < 50; i++) see(first, i);
    nowMs += 20 * 60_000;
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await first.upkeep();
    clearInterval(timer);
    assert.equal(first.active, 50);
    assert.ok((await stat(file(7))).size < full / 100);
    // Steps of 5 ms; the rest is room for a busy machine.
    assert.ok(longest < 250, `the event loop stood for ${longest} ms`);
    await first.close();
    const second = await open(7);
    assert.equal(second.active, 50);
    assert.equal(see(second, 49).due, false);
    await second.close();
  });

  test('idle series stay while somebody has samples of them to deal with, unless new ones need the room', async () => {
    let neededSinceMs = Infinity;
    const store = await open(10, { limit: 10, neededSinceMs: () => neededSinceMs });
    const ids = (i: number): [number, number] => {
      const { series } = see(store, i);
      const { ids: words } = store.series as unknown as { readonly ids: Uint32Array };
      return [words[series * 4 + 2]!, words[series * 4 + 3]!];
    };
    const id = ids(0);
    const seenMs = nowMs;
    nowMs += 5 * 3_600_000;
    see(store, 1);
    neededSinceMs = seenMs - 1000;
    await store.upkeep();
    assert.equal(store.active, 2);
    assert.deepEqual(Buffer.from(store.labelsOf(...id)!), labels(0));
    neededSinceMs = seenMs + 3_600_000;
    await store.upkeep();
    assert.deepEqual([store.active, store.labelsOf(...id)], [1, undefined]);

    for (let i = 2; i < 8; i++) see(store, i);
    nowMs += 5 * 3_600_000;
    see(store, 9);
    neededSinceMs = 0;
    await store.upkeep();
    assert.equal(store.active, 8);
    see(store, 10);
    nowMs += 7_200_000;
    await store.upkeep();
    assert.equal(store.active, 0, 'nine of ten: there would soon be no room for new ones');
    await store.close();
  });

  test('a restart with fewer series allowed keeps within the limit', async () => {
    const first = await open(8);
    first.series.announced(Array.from({ length: 10 }, (_, i) => see(first, i).series));
    await first.close();
    const second = await open(8, { limit: 4 });
    assert.equal(second.active, 4);
    await second.close();
  });
});
