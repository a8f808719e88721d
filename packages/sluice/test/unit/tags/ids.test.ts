import assert from 'node:assert/strict';
import fs, { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../../src/base/errors.ts';
import { Ids } from '../../../src/tags/ids.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-ids-'));
after(() => rmSync(folder, { recursive: true }));
let path = '';
let count = 0;
beforeEach(() => {
  path = join(folder, `${count++}.ids`);
});

const metrics = createMetrics();
const pause = async () => undefined;
const NOW = 1_700_000_000;
const open = (allocates: boolean | 'shared' = true) =>
  new Ids({ path, org: 1, allocates, metrics, log: createLog({ level: 'silent' }) });

describe('numbers', () => {
  test('stay over an orderly restart, with the names, and go on without a gap', async () => {
    const ids = open();
    assert.deepEqual([ids.idOf('pod', 'a', 'web'), ids.idOf('pod', 'b', 'db'), ids.idOf('az', 'a', 'zone')], [1, 2, 1]);
    await ids.save(NOW, pause);
    ids.close();
    const again = open();
    assert.deepEqual([again.idOf('pod', 'b', 'db'), again.idOf('pod', 'c', 'new')], [2, 3]);
    assert.deepEqual([again.nameOf('pod', 1), again.keyOf('pod', 1), again.nameOf('az', 1)], ['web', 'a', 'zone']);
    again.close();
  });

  test('after a death what was given out last is given to nobody else', async () => {
    const ids = open();
    ids.idOf('pod', 'a', 'web');
    await ids.save(NOW, pause);
    // No close: and what follows was given out, but did not reach the disk.
    const lost = ids.idOf('pod', 'lost', 'lost');
    const again = open();
    assert.equal(again.idOf('pod', 'a', 'web'), 1);
    assert.ok(again.idOf('pod', 'other', 'other') > lost);
    again.close();
  });

  test('of what is gone stay, with the name, and come back with it; after 31 days they are forgotten', async () => {
    const ids = open();
    ids.idOf('pod', 'a', 'web');
    ids.vanish('pod', 'a', NOW);
    await ids.save(NOW, pause);
    ids.close();
    const again = open();
    assert.equal(again.nameOf('pod', 1), 'web');
    await again.save(NOW + 30 * 86_400, pause);
    assert.equal(again.idOf('pod', 'a', 'web'), 1);
    again.vanish('pod', 'a', NOW + 30 * 86_400);
    await again.save(NOW + 32 * 86_400, pause);
    assert.equal(again.nameOf('pod', 1), 'web');
    await again.save(NOW + 62 * 86_400, pause);
    assert.equal(again.nameOf('pod', 1), '');
    assert.equal(again.idOf('pod', 'b', 'next'), 2);
    again.close();
  });

  test('of 16-bit kinds never pass 65535: then the numbers of what is forgotten come again, or there is none', async () => {
    const ids = open();
    for (let i = 1; i <= 65_535; i++) assert.equal(ids.idOf('pod_ns', `n${i}`, `n${i}`), i);
    assert.equal(ids.idOf('pod_ns', 'one more', ''), 0);
    assert.equal(ids.idOf('pod_ns', 'another', ''), 0);
    const text = await metrics.registry.getSingleMetricAsString('sluice_tag_ids_exhausted_total');
    assert.match(text, /\{org="1",kind="pod_ns"\} 2/);
    ids.vanish('pod_ns', 'n77', NOW);
    assert.equal(ids.idOf('pod_ns', 'too early', ''), 0);
    await ids.save(NOW + 32 * 86_400, pause);
    ids.close();
    const again = open();
    assert.equal(again.idOf('pod_ns', 'one more', ''), 77);
    assert.equal(again.idOf('pod_ns', 'n65535', ''), 65_535);
    again.close();
  });

  test('given by others are kept, and refused where they mean something else', async () => {
    const ids = open();
    assert.equal(ids.idOf('host', 'a', 'a'), 1);
    assert.equal(ids.adopt('host', 'b', { id: 1, name: 'b' }), false);
    assert.equal(ids.adopt('host', 'b', { id: 2, name: 'b' }), true);
    assert.equal(ids.idOf('host', 'c', 'c'), 3);
    ids.vanish('host', 'a', NOW);
    assert.equal(ids.adopt('host', 'd', { id: 1, name: 'd' }), true);
    assert.equal(ids.nameOf('host', 1), 'd');
    // Processes are numbered elsewhere: the last word counts, and nothing is written.
    assert.equal(ids.adopt('gprocess', '5', { id: 5, name: 'nginx' }), true);
    await ids.save(NOW, pause);
    ids.close();
    assert.doesNotMatch(readFileSync(path, 'utf8'), /nginx/);
  });

  test('are none where this hub does not give them, until somebody says which', () => {
    const ids = open(false);
    assert.equal(ids.idOf('pod', 'a', 'web'), 0);
    assert.equal(ids.adopt('pod', 'a', { id: 900, name: 'web' }), true);
    assert.equal(ids.idOf('pod', 'a', 'web'), 900);
    ids.close();
  });
});

describe('numbers of what is gone', () => {
  const DAY_S = 86_400;
  const gone = { kind: 'pod', id: 1, key: 'a', name: 'web', goneS: NOW, term: 1 } as const;
  const ignore = () => undefined;

  test('are forgotten no earlier for being told by another hub again and again', async () => {
    const ids = open('shared');
    for (let term = 1; term <= 200_100; term++) ids.learn({ ...gone, term }, ignore);
    await ids.save(NOW + 30 * DAY_S, pause);
    assert.equal(ids.nameOf('pod', 1), 'web');
    await ids.save(NOW + 31 * DAY_S, pause);
    assert.equal(ids.nameOf('pod', 1), '');
    ids.close();
  });

  test('are forgotten no earlier for coming and going often', async () => {
    const ids = open();
    assert.equal(ids.idOf('pod', 'a', 'web'), 1);
    for (let i = 0; i < 200_100; i++) {
      ids.vanish('pod', 'a', NOW);
      ids.idOf('pod', 'a', 'web');
    }
    ids.vanish('pod', 'a', NOW);
    await ids.save(NOW + DAY_S, pause);
    assert.equal(ids.nameOf('pod', 1), 'web');
    ids.close();
  });

  test('are forgotten after 31 days, in whatever order another hub has told it', async () => {
    const told = fc.record({
      key: fc.nat(5),
      // 0 = it is there.
      goneDay: fc.integer({ min: 0, max: 40 }),
      isNewTerm: fc.boolean(),
      savedDay: fc.option(fc.integer({ min: 1, max: 90 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(told, { maxLength: 30 }), async (all) => {
        path = join(folder, `${count++}.ids`);
        const ids = open('shared');
        const model = new Map<number, number>();
        let term = 1;
        for (const { key, goneDay, isNewTerm, savedDay } of all) {
          if (isNewTerm) term++;
          const goneS = goneDay === 0 ? 0 : NOW + goneDay * DAY_S;
          ids.learn({ ...gone, id: key + 1, key: `${key}`, name: `${key}`, goneS, term }, ignore);
          const before = model.get(key) ?? 0;
          model.set(key, before === 0 || goneS === 0 ? goneS : before);
          if (savedDay === undefined) continue;
          const nowS = NOW + savedDay * DAY_S;
          await ids.save(nowS, pause);
          for (const [one, since] of model) if (since !== 0 && since <= nowS - 31 * DAY_S) model.delete(one);
          assert.deepEqual(new Map([...ids.records('pod')].map(({ id, goneS: since }) => [id - 1, since])), model);
        }
        ids.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('the file', () => {
  async function filled(): Promise<Ids> {
    const ids = open();
    for (let i = 0; i < 10; i++) ids.idOf('pod', `key ${i}`, `name ${i}`);
    await ids.save(NOW, pause);
    return ids;
  }

  test('with a torn end loses no more than it', async () => {
    await filled();
    const whole = readFileSync(path, 'utf8');
    for (const length of [whole.length - 1, whole.length - 5, whole.length - 40]) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      const ids = open();
      const left = Array.from({ length: 10 }, (_, i) => ids.keyOf('pod', i + 1));
      assert.deepEqual(
        left.slice(0, 8),
        Array.from({ length: 8 }, (_, i) => `key ${i}`),
      );
      assert.ok(ids.idOf('pod', 'key 9', 'name 9') >= 10);
      await ids.save(NOW, pause);
      ids.close();
      const again = open();
      assert.equal(again.idOf('pod', 'key 0', 'name 0'), 1);
      again.close();
    }
  });

  test('with a damaged line loses that line', async () => {
    (await filled()).close();
    const lines = readFileSync(path, 'utf8').split('\n');
    lines[4] = lines[4]!.replace('key', 'kex');
    writeFileSync(path, lines.join('\n'));
    const ids = open();
    assert.equal(ids.keyOf('pod', 4), undefined);
    assert.deepEqual([ids.keyOf('pod', 3), ids.keyOf('pod', 5)], ['key 2', 'key 4']);
    ids.close();
  });

  test('has nothing of a line that could not be written whole: what comes later is not spoilt by it', async (context) => {
    const ids = await filled();
    ids.idOf('pod', 'refused', 'refused');
    const full = context.mock.method(fs, 'writeSync', (file: number, bytes: Uint8Array) => {
      if (full.mock.callCount() > 0) throw new Error('no space left on device');
      return fs.writevSync(file, [bytes.subarray(0, 20)]);
    });
    syncBuiltinESMExports();
    await assert.rejects(ids.save(NOW, pause), (error) => isSluiceError(error, 'data_dir_unusable'));
    full.mock.restore();
    syncBuiltinESMExports();
    assert.equal(full.mock.callCount(), 2, 'a part of it had been written');
    await ids.save(NOW, pause);
    ids.close();
    const again = open();
    assert.deepEqual([again.keyOf('pod', 10), again.keyOf('pod', 11)], ['key 9', 'refused']);
    again.close();
  });

  test('of a newer version is refused, and something else moved aside', () => {
    writeFileSync(path, 'sluice tag ids 2\n');
    assert.throws(open, (error) => isSluiceError(error, 'format_too_new'));
    writeFileSync(path, 'something else\n');
    assert.throws(open, (error) => isSluiceError(error, 'data_dir_unusable'));
    assert.equal(readFileSync(`${path}.damaged`, 'utf8'), 'something else\n');
    open().close();
  });

  test('is written anew when most of its lines are replaced, while ids go on', async () => {
    const ids = open();
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 1000; i++) ids.idOf('pod', `key ${i}`, `round ${round}`);
      await ids.save(NOW, pause);
    }
    for (let i = 0; i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      ids.idOf('pod', `more ${i}`, 'more');
      await ids.save(NOW, pause);
      if (readFileSync(path, 'utf8').split('\n').length < 15_000) break;
    }
    assert.ok(readFileSync(path, 'utf8').split('\n').length < 15_000);
    ids.idOf('pod', 'last', 'last');
    await ids.save(NOW, pause);
    const last = ids.idOf('pod', 'last', 'last');
    ids.close();
    const again = open();
    assert.deepEqual([again.nameOf('pod', 1), again.nameOf('pod', 1000)], ['round 59', 'round 59']);
    assert.equal(again.idOf('pod', 'last', 'last'), last);
    assert.equal(again.keyOf('pod', 1001), 'more 0');
    again.close();
  });

  test('that cannot be written anew goes on as it is, and is tried again when it is half as long again', async (context) => {
    const ids = open();
    const rounds = async (from: number, to: number): Promise<void> => {
      for (let round = from; round < to; round++) {
        for (let i = 0; i < 1000; i++) ids.idOf('pod', `key ${i}`, `round ${round}`);
        await ids.save(NOW, pause);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const renames = context.mock.method(fs, 'renameSync', () => {
      throw new Error('no space left on device');
    });
    syncBuiltinESMExports();
    await rounds(0, 60);
    while (renames.mock.callCount() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(existsSync(`${path}.tmp`), false, 'it may be what fills the disk');
    await rounds(60, 75);
    assert.equal(renames.mock.callCount(), 1);
    renames.mock.restore();
    syncBuiltinESMExports();
    await rounds(75, 100);
    for (let i = 0; i < 200 && readFileSync(path, 'utf8').split('\n').length > 50_000; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(readFileSync(path, 'utf8').split('\n').length < 50_000);
    ids.close();
    const again = open();
    assert.deepEqual([again.nameOf('pod', 1), again.nameOf('pod', 1000)], ['round 99', 'round 99']);
    again.close();
  });

  test('that is closed while it is written anew stays as it was', async () => {
    const ids = open();
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 1000; i++) ids.idOf('pod', `key ${i}`, `round ${round}`);
      await ids.save(NOW, pause);
    }
    const lines = readFileSync(path, 'utf8').split('\n').length;
    ids.close();
    // Longer than the new file needs to be there.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(readFileSync(path, 'utf8').split('\n').length, lines + 1);
    const again = open();
    assert.equal(again.nameOf('pod', 1000), 'round 59');
    again.close();
  });
});
