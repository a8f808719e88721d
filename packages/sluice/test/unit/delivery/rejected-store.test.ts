import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import type { NewRejected } from '../../../src/delivery/rejected-format.ts';
import { RejectedStore } from '../../../src/delivery/rejected-store.ts';
import { realFiles, type Files } from '../../../src/journal/files.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { fileError, filesWith, ManualClock, temporaryFolder } from '../journal/fixture.ts';

interface Opened {
  readonly store: RejectedStore;
  readonly overflow: [string, number][];
  readonly removed: [string, number][];
  readonly lines: Record<string, unknown>[];
}

async function openStore(folder: string, options: { files?: Files; maxBytes?: number } = {}): Promise<Opened> {
  const overflow: [string, number][] = [];
  const removed: [string, number][] = [];
  const lines: Record<string, unknown>[] = [];
  const { files = realFiles, maxBytes = 1 << 20 } = options;
  const store = new RejectedStore({
    folder,
    files,
    clock: new ManualClock(),
    log: createLog({ destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) } }),
    maxBytes,
    fileBytes: maxBytes / 16,
    onOverflow: (table, items) => void overflow.push([table, items]),
    onRemoved: (table, items) => void removed.push([table, items]),
    onChange: () => undefined,
  });
  await store.open();
  return { store, overflow, removed, lines };
}

function item(row: number, body: Uint8Array | null = Buffer.from([row, 0, 255])): NewRejected {
  return {
    partition: { org: 1, table: 'a.b', writer: 'main' },
    row,
    rowTimeMs: 1_700_000_000_000,
    reason: 'refused',
    why: 'out of order',
    head: body === null ? undefined : Buffer.from('head'),
    body: body ?? undefined,
    text: `row ${row}`,
  };
}

const rowsOf = (items: readonly { row: number }[]): number[] => items.map(({ row }) => row);

test('items survive a restart, byte by byte', async (t) => {
  const folder = join(temporaryFolder(t), 'rejected', 'one');
  const first = await openStore(folder);
  await first.store.add([item(1), item(2)]);
  await first.store.add([item(3, null)]);
  first.store.close();
  const { store } = await openStore(folder);
  assert.deepEqual(rowsOf(await store.list(10)), [3, 2, 1]);
  const [, second] = store.ids();
  assert.deepEqual(await store.get(second!), {
    id: second,
    time: '2023-11-14T22:13:21.000Z',
    table: 'a.b',
    org: 1,
    writer: 'main',
    row: 2,
    row_time: '2023-11-14T22:13:20.000Z',
    kind: 'refused',
    reason: 'out of order',
    text: 'row 2',
    head: Buffer.from('head').toString('base64'),
    body: Buffer.from([2, 0, 255]).toString('base64'),
  });
  assert.deepEqual(
    (await store.list(10)).map(({ bytes }) => bytes),
    [undefined, 3, 3],
  );
  assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
  for (const name of fs.readdirSync(folder)) assert.equal(fs.statSync(join(folder, name)).mode & 0o777, 0o600);
  store.close();
});

test('what is removed stays removed, ids are not used again, and empty files go', async (t) => {
  const folder = temporaryFolder(t);
  const first = await openStore(folder);
  await first.store.add([item(1), item(2), item(3)]);
  const ids = first.store.ids();
  assert.equal(first.store.remove([ids[1]!, ids[1]!, 12345]), 1);
  first.store.close();
  const second = await openStore(folder);
  assert.deepEqual(rowsOf(await second.store.list(10)), [3, 1]);
  await second.store.add([item(4)]);
  assert.ok(second.store.ids().at(-1)! > ids[2]!);
  assert.equal(second.store.remove([ids[0]!, ids[2]!]), 2);
  assert.deepEqual(fs.readdirSync(folder).length, 1, 'the first pair of files is gone');
  assert.equal(second.store.remove(second.store.ids()), 1);
  assert.deepEqual(fs.readdirSync(folder), []);
  assert.deepEqual([second.store.count, second.store.bytes], [0, 0]);
  second.store.close();
});

test('a torn end counts for nothing, a damaged line costs itself', async (t) => {
  const folder = temporaryFolder(t);
  const first = await openStore(folder);
  await first.store.add([item(1), item(2), item(3)]);
  first.store.remove([first.store.ids()[0]!]);
  first.store.close();
  const path = join(
    folder,
    fs.readdirSync(folder).find((name) => name.endsWith('.items'))!,
  );
  const whole = fs.readFileSync(path);
  for (let cut = 1; cut < 60; cut += 7) {
    fs.writeFileSync(path, whole.subarray(0, whole.length - cut));
    const { store } = await openStore(folder);
    assert.deepEqual(rowsOf(await store.list(10)), [2]);
    store.close();
  }
  const lines = whole.toString().split('\n');
  fs.writeFileSync(path, [lines[0], lines[1], '{"id":7', lines[3], ''].join('\n'));
  const { store, lines: told } = await openStore(folder);
  assert.deepEqual(rowsOf(await store.list(10)), [3]);
  assert.equal(told[0]?.['lines'], 1);
  await store.add([item(9)]);
  assert.deepEqual(rowsOf(await store.list(10)), [9, 3]);
  store.close();
});

test('files of a newer format are refused and stay untouched', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, '0000000000000001.items');
  fs.writeFileSync(path, '{"version":2}\n');
  await assert.rejects(openStore(folder), (error) => isSluiceError(error, 'format_too_new'));
  assert.ok(fs.existsSync(path));
});

test('beyond the bound the oldest go, counted', async (t) => {
  const folder = temporaryFolder(t);
  const { store, overflow } = await openStore(folder, { maxBytes: 64 * 1024 });
  for (let row = 0; row < 200; row++) await store.add([item(row, Buffer.alloc(1000))]);
  assert.ok(store.bytes <= 64 * 1024 && store.bytes > 50 * 1024, `${store.bytes}`);
  const lost = overflow.reduce((sum, [, items]) => sum + items, 0);
  assert.equal(store.count + lost, 200);
  assert.deepEqual(new Set(overflow.map(([table]) => table)), new Set(['a.b']));
  const rows = rowsOf(await store.list(1000));
  assert.deepEqual([rows[0], rows.at(-1)], [199, lost]);
  let onDisk = 0;
  for (const name of fs.readdirSync(folder)) onDisk += fs.statSync(join(folder, name)).size;
  assert.equal(onDisk, store.bytes);
  store.close();
});

test('what may not displace others is kept only while there is room', async (t) => {
  const folder = temporaryFolder(t);
  const { store, overflow } = await openStore(folder, { maxBytes: 64 * 1024 });
  const keep = (row: number) => store.add([item(row, Buffer.alloc(1000)), item(row + 1)], { displaces: false });
  let kept = 0;
  while (await keep(kept)) kept += 2;
  assert.ok(kept > 50 && store.bytes <= 64 * 1024 && store.bytes > 60 * 1024, `${kept} items, ${store.bytes} bytes`);
  assert.deepEqual([store.count, overflow], [kept, []]);
  assert.equal(await store.add([item(1000, Buffer.alloc(1000)), item(1001)]), true);
  assert.ok(overflow.length > 0, 'the usual way goes on');
  store.close();
});

test('a folder that is removed while it is in use is noticed, counted and made again', async (t) => {
  const folder = join(temporaryFolder(t), 'rejected', 'one');
  const { store, removed, lines } = await openStore(folder);
  await store.add([item(1), item(2)]);
  fs.rmSync(join(folder, '..'), { recursive: true });
  assert.deepEqual(await store.list(10), []);
  assert.deepEqual([store.count, removed], [0, [['a.b', 2]]]);
  await store.add([item(3)]);
  fs.rmSync(join(folder, '..'), { recursive: true });
  await store.add([item(4)]);
  assert.deepEqual(removed, [
    ['a.b', 2],
    ['a.b', 1],
  ]);
  assert.ok(lines.some(({ msg }) => String(msg).includes('was removed while the hub runs')));
  store.close();
  const again = await openStore(folder);
  assert.deepEqual(rowsOf(await again.store.list(10)), [4]);
  again.store.close();
});

test('when the disk is full nothing of a set is kept, and the next attempt keeps all of it once', async (t) => {
  const folder = temporaryFolder(t);
  let writes = 0;
  let isFull = false;
  const files = filesWith({
    writevSync: (fd, buffers, position) => {
      if (isFull && ++writes === 2) {
        realFiles.writevSync(fd, [Buffer.from('torn')], position);
        throw fileError('ENOSPC');
      }
      return realFiles.writevSync(fd, buffers, position);
    },
  });
  const { store } = await openStore(folder, { files });
  await store.add([item(1)]);
  isFull = true;
  await assert.rejects(store.add([item(2), item(3)]), (error) => isSluiceError(error, 'disk_full'));
  assert.deepEqual(rowsOf(await store.list(10)), [1]);
  isFull = false;
  await Promise.all([store.add([item(2), item(3)]), store.add([item(4)])]);
  store.close();
  const again = await openStore(folder);
  assert.deepEqual(rowsOf(await again.store.list(10)), [4, 3, 2, 1]);
  assert.deepEqual(again.lines, []);
  again.store.close();
});

test('of an item too large to be kept, what is known about it is kept', async (t) => {
  const { store } = await openStore(temporaryFolder(t), { maxBytes: 1 << 26 });
  await store.add([item(1, Buffer.alloc((16 << 20) + 1)), item(2)]);
  const listed = await store.list(10);
  assert.deepEqual(rowsOf(listed), [2, 1]);
  assert.equal(listed[1]?.bytes, undefined);
  store.close();
});

test('a torn list of removed items does not swallow the next one', async (t) => {
  const folder = temporaryFolder(t);
  const first = await openStore(folder);
  await first.store.add([item(1), item(2), item(3)]);
  const ids = first.store.ids();
  first.store.remove([ids[0]!]);
  first.store.close();
  const path = join(
    folder,
    fs.readdirSync(folder).find((name) => name.endsWith('.removed'))!,
  );
  fs.appendFileSync(path, '\n[17');
  const second = await openStore(folder);
  assert.deepEqual(rowsOf(await second.store.list(10)), [3, 2]);
  second.store.remove([ids[1]!]);
  second.store.close();
  const { store } = await openStore(folder);
  assert.deepEqual(rowsOf(await store.list(10)), [3]);
  store.close();
});
