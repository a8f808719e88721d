import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { isSluiceError } from '../../../src/base/errors.ts';
import { CATALOG_VERSION } from '../../../src/catalog/catalog.ts';
import type { PartitionKey } from '../../../src/journal/types.ts';
import { verifyJournal } from '../../../src/journal/verify.ts';
import { CrashingFiles } from './crashing-files.ts';
import {
  drain,
  metricValue,
  open,
  sampleBatch,
  samplesKey,
  segmentFile,
  temporaryFolder,
  valuesInFile,
  type Opened,
} from './fixture.ts';

const BLOCK = 5;

/** A journal with one segment of `blocks` blocks of five rows: 0-4, 5-9 ... */
async function journalWith(t: Parameters<typeof temporaryFolder>[0], blocks: number): Promise<string> {
  const dataDir = temporaryFolder(t);
  const { journal } = await open({ dataDir });
  for (let block = 0; block < blocks; block++) await journal.append([sampleBatch(rows(block, block + 1))]);
  await journal.close();
  return dataDir;
}

/** Rows of the blocks [from, to). */
function rows(from: number, to: number): number[] {
  return Array.from({ length: (to - from) * BLOCK }, (_, index) => from * BLOCK + index);
}

/** Where the blocks of the segment begin, all of one length; the last is its end. */
function blockStarts(dataDir: string): number[] {
  const path = segmentFile(dataDir, 0, 'native');
  const count = valuesInFile(path).length / BLOCK;
  return Array.from({ length: count + 1 }, (_, block) => (fs.statSync(path).size / count) * block);
}

function edit(path: string, change: (bytes: Buffer) => Buffer | void): void {
  const bytes = fs.readFileSync(path);
  fs.writeFileSync(path, change(bytes) ?? bytes);
}

function flip(path: string, at: number): void {
  edit(path, (bytes) => {
    bytes[at] = bytes[at]! ^ 0x10;
  });
}

function errors(opened: Opened): Record<string, unknown>[] {
  return opened.lines.filter((line) => line['level'] === 'error');
}

/** Appends after the recovery, then everything that storage gets; the journal is sound afterwards. */
async function goOn(dataDir: string, opened: Opened): Promise<number[]> {
  await opened.journal.append([sampleBatch([1000])]);
  await opened.journal.close();
  assert.deepEqual(
    (await verifyJournal(dataDir)).problems.filter(({ message }) => !message.includes('not part')),
    [],
  );
  const found = await drain(opened.journal);
  assert.deepEqual(
    fs.readdirSync(dirname(segmentFile(dataDir, 0, 'native'))).filter((name) => /^\d/.test(name)),
    [],
  );
  return found;
}

test('an intact journal is taken as it is, and its unsealed segment is sealed', async (t) => {
  const dataDir = await journalWith(t, 3);
  assert.deepEqual(await verifyJournal(dataDir), { segments: 1, blocks: 3, rows: 15, problems: [] });
  const opened = await open({ dataDir });
  assert.deepEqual(opened.journal.storage.pending(), [samplesKey]);
  const segment = await opened.journal.storage.next(samplesKey);
  assert.deepEqual(
    [segment?.minTime, segment?.maxTime, segment?.rows, segment?.catalogVersion],
    [0, 14, 15, CATALOG_VERSION],
  );
  assert.deepEqual(segment?.columns, ['metric_id', 'series_id', 'time', 'value']);
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 3), 1000]);
  assert.deepEqual(errors(opened), []);
});

test('torn block: the tail is cut off', async (t) => {
  const dataDir = await journalWith(t, 2);
  const starts = blockStarts(dataDir);
  edit(segmentFile(dataDir, 0, 'index'), (bytes) => bytes.subarray(0, bytes.length - 40));
  edit(segmentFile(dataDir, 0, 'native'), (bytes) => bytes.subarray(0, bytes.length - 20));
  assert.equal((await verifyJournal(dataDir)).problems[0]?.offset, starts[1]);
  const opened = await open({ dataDir });
  assert.equal(await metricValue(opened.metrics.journalRecovered, { outcome: 'cut' }), starts[1]! - 20);
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 1), 1000]);
  assert.deepEqual(errors(opened), [], 'it was never acknowledged');
});

test('data shorter than its index: the rows that are gone are named', async (t) => {
  const dataDir = await journalWith(t, 3);
  edit(segmentFile(dataDir, 0, 'native'), (bytes) => bytes.subarray(0, bytes.length - 20));
  const opened = await open({ dataDir });
  assert.equal(errors(opened)[0]?.['rows'], BLOCK);
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 2), 1000]);
});

test('torn index: a half entry and the data behind the last whole one are cut off', async (t) => {
  const dataDir = await journalWith(t, 2);
  edit(segmentFile(dataDir, 0, 'index'), (bytes) => bytes.subarray(0, bytes.length - 11));
  const opened = await open({ dataDir });
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 1), 1000]);
});

test('an index tail of zeros, as a power failure leaves it, is a torn one', async (t) => {
  const dataDir = await journalWith(t, 2);
  edit(segmentFile(dataDir, 0, 'index'), (bytes) =>
    Buffer.concat([bytes.subarray(0, bytes.length - 40), Buffer.alloc(40)]),
  );
  const opened = await open({ dataDir });
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 1), 1000]);
});

test('flipped byte in the middle: that block goes to quarantine, the rest flows under its own row numbers', async (t) => {
  const dataDir = await journalWith(t, 4);
  const starts = blockStarts(dataDir);
  flip(segmentFile(dataDir, 0, 'native'), starts[1]! + 100);
  assert.match((await verifyJournal(dataDir)).problems[0]!.message, /damaged: its checksum is wrong/);
  const lost: PartitionKey[] = [];
  const opened = await open({ dataDir, onLost: (partition) => lost.push(partition) });
  assert.equal(
    await metricValue(opened.metrics.journalQuarantined, { table: samplesKey.table, reason: 'damaged' }),
    BLOCK,
  );
  assert.deepEqual(lost, [samplesKey]);
  assert.equal(errors(opened).length, 1);
  const stem = `1-prometheus.samples-main-${'0'.repeat(16)}-${starts[1]}.native`;
  assert.equal(fs.statSync(join(dataDir, 'quarantine', stem)).size, starts[2]! - starts[1]!);
  const note: unknown = JSON.parse(fs.readFileSync(join(dataDir, 'quarantine', `${stem}.json`), 'utf8'));
  assert.ok(typeof note === 'object' && note !== null && 'rows' in note && note.rows === BLOCK);
  assert.ok(fs.existsSync(segmentFile(dataDir, 10, 'native')));
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 1), ...rows(2, 4), 1000]);
});

test('flipped byte in the first block: the segment begins behind it', async (t) => {
  const dataDir = await journalWith(t, 2);
  flip(segmentFile(dataDir, 0, 'native'), 100);
  const opened = await open({ dataDir });
  assert.deepEqual(fs.readdirSync(dirname(segmentFile(dataDir, 0, 'native'))).length, 2);
  assert.deepEqual(await goOn(dataDir, opened), [...rows(1, 2), 1000]);
});

test('several damaged blocks: what lies between them is kept', async (t) => {
  const dataDir = await journalWith(t, 6);
  const starts = blockStarts(dataDir);
  for (const block of [1, 3, 5]) flip(segmentFile(dataDir, 0, 'native'), starts[block]! + 200);
  const opened = await open({ dataDir });
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 1), ...rows(2, 3), ...rows(4, 5), 1000]);
});

test('a start that is interrupted while it splits a damaged segment is repeated without loss or repetition', async (t) => {
  for (let calls = 0; calls < 60; calls++) {
    const dataDir = await journalWith(t, 5);
    flip(segmentFile(dataDir, 0, 'native'), blockStarts(dataDir)[2]! + 60);
    const files = new CrashingFiles();
    files.callsLeft = calls;
    const crashed = await open({ dataDir, files }).then(
      () => false,
      () => true,
    );
    files.die();
    const opened = await open({ dataDir });
    assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 2), ...rows(3, 5), 1000], `interrupted at call ${calls}`);
    if (!crashed) return;
  }
  assert.fail('the start never came to its end');
});

test('flipped byte in an index entry: the block is found by its data', async (t) => {
  for (const entry of [0, 1, 2]) {
    const dataDir = await journalWith(t, 3);
    const size = fs.statSync(segmentFile(dataDir, 0, 'index')).size;
    flip(segmentFile(dataDir, 0, 'index'), size - (3 - entry) * 40 + 5);
    const opened = await open({ dataDir });
    assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 3), 1000], `entry ${entry}`);
  }
});

test('missing index: it is made anew from the data, times included', async (t) => {
  const dataDir = await journalWith(t, 3);
  fs.rmSync(segmentFile(dataDir, 0, 'index'));
  const opened = await open({ dataDir });
  const segment = await opened.journal.storage.next(samplesKey);
  assert.deepEqual(
    segment?.blocks.map(({ rows: count, minTime, maxTime }) => [count, minTime, maxTime]),
    [
      [5, 0, 4],
      [5, 5, 9],
      [5, 10, 14],
    ],
  );
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 3), 1000]);
});

test('missing index and a torn tail: the whole blocks are kept, the tail goes to quarantine', async (t) => {
  const dataDir = await journalWith(t, 3);
  fs.rmSync(segmentFile(dataDir, 0, 'index'));
  edit(segmentFile(dataDir, 0, 'native'), (bytes) => bytes.subarray(0, bytes.length - 1));
  const opened = await open({ dataDir });
  assert.equal(errors(opened).length, 1);
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 2), 1000]);
});

test('index of a newer version: the start is refused and nothing is changed', async (t) => {
  const dataDir = await journalWith(t, 1);
  const path = segmentFile(dataDir, 0, 'index');
  edit(path, (bytes) => {
    bytes.writeUInt32LE(2, 8);
    // The checksum of the preamble must be right, or it is damage.
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  });
  const before = fs.readFileSync(path);
  await assert.rejects(
    open({ dataDir }),
    (error) => isSluiceError(error, 'format_too_new') && error.message.includes('got 2'),
  );
  assert.match((await verifyJournal(dataDir)).problems[0]!.message, /newer Sluice/);
  assert.deepEqual(fs.readFileSync(path), before);
});

test('a flipped bit in the version is damage, not a newer format', async (t) => {
  const dataDir = await journalWith(t, 2);
  flip(segmentFile(dataDir, 0, 'index'), 8);
  const opened = await open({ dataDir });
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 2), 1000]);
});

test('a journal or cursor of a newer version refuses to start', async (t) => {
  const dataDir = await journalWith(t, 1);
  const uuid = join(dataDir, 'journal', 'uuid');
  const old = fs.readFileSync(uuid);
  fs.writeFileSync(uuid, JSON.stringify({ version: 2, uuid: 'x' }));
  await assert.rejects(open({ dataDir }), (error) => isSluiceError(error, 'format_too_new'));
  fs.writeFileSync(uuid, old);
  const line = JSON.stringify({ version: 2, tables: [], rows: {} });
  fs.writeFileSync(
    join(dataDir, 'journal', 'readers', 'storage.cursor'),
    `${line}\n${crc32(Buffer.from(line)).toString(16)}\n`,
  );
  await assert.rejects(open({ dataDir }), (error) => isSluiceError(error, 'format_too_new'));
});

test('garbage in place of a segment goes to quarantine', async (t) => {
  const dataDir = await journalWith(t, 1);
  fs.writeFileSync(segmentFile(dataDir, 0, 'native'), 'this is no block');
  fs.writeFileSync(segmentFile(dataDir, 0, 'index'), 'and this no index');
  const lost: PartitionKey[] = [];
  const opened = await open({ dataDir, onLost: (partition) => lost.push(partition) });
  assert.equal(errors(opened).length, 1);
  assert.deepEqual(lost, [samplesKey]);
  const copy = join(dataDir, 'quarantine', `1-prometheus.samples-main-${'0'.repeat(16)}-0.native`);
  assert.equal(fs.readFileSync(copy, 'utf8'), 'this is no block');
  assert.deepEqual(await goOn(dataDir, opened), [1000]);
});

test('zero-length files: nothing was in them', async (t) => {
  const dataDir = await journalWith(t, 1);
  fs.truncateSync(segmentFile(dataDir, 0, 'native'));
  fs.truncateSync(segmentFile(dataDir, 0, 'index'));
  const opened = await open({ dataDir });
  assert.deepEqual(errors(opened), []);
  assert.deepEqual(await goOn(dataDir, opened), [1000]);
});

test('a zero-length segment beside a whole index: its rows are named as lost', async (t) => {
  const dataDir = await journalWith(t, 2);
  fs.truncateSync(segmentFile(dataDir, 0, 'native'));
  const opened = await open({ dataDir });
  assert.equal(
    errors(opened).reduce((sum, line) => sum + Number(line['rows']), 0),
    10,
  );
  assert.deepEqual(await goOn(dataDir, opened), [1000]);
});

test('an index whose segment was deleted is cleared away without a word', async (t) => {
  const dataDir = await journalWith(t, 2);
  const first = await open({ dataDir });
  const index = fs.readFileSync(segmentFile(dataDir, 0, 'index'));
  await drain(first.journal);
  await first.journal.close();
  fs.writeFileSync(segmentFile(dataDir, 0, 'index'), index);
  const opened = await open({ dataDir });
  assert.deepEqual(errors(opened), []);
  assert.deepEqual(await goOn(dataDir, opened), [1000]);
});

test('foreign files and folders are named in the log and left alone', async (t) => {
  const dataDir = await journalWith(t, 1);
  const folder = dirname(segmentFile(dataDir, 0, 'native'));
  const foreign = [
    join(folder, 'notes.txt'),
    join(dataDir, 'journal', 'lost+found'),
    join(dataDir, 'journal', 'readers', 'README'),
  ];
  for (const path of foreign) fs.writeFileSync(path, 'mine');
  fs.mkdirSync(join(folder, `${'9'.repeat(16)}.native`));
  fs.writeFileSync(join(folder, `${'0'.repeat(16)}.native.tmp`), 'left over');
  const opened = await open({ dataDir });
  const named = opened.lines.filter((line) => line['level'] === 'warn').map((line) => line['file']);
  for (const path of foreign) assert.ok(named.includes(path), path);
  assert.equal(fs.existsSync(join(folder, `${'0'.repeat(16)}.native.tmp`)), false);
  await opened.journal.append([sampleBatch([1000])]);
  await opened.journal.close();
  assert.deepEqual(await drain(opened.journal), [...rows(0, 1), 1000]);
  for (const path of foreign) assert.equal(fs.readFileSync(path, 'utf8'), 'mine');
});

test('a segment that overlaps the one before is set aside', async (t) => {
  const dataDir = await journalWith(t, 2);
  for (const kind of ['native', 'index'] as const)
    fs.copyFileSync(segmentFile(dataDir, 0, kind), segmentFile(dataDir, 7, kind));
  const opened = await open({ dataDir });
  assert.equal(errors(opened).length, 1);
  assert.equal(fs.readdirSync(join(dataDir, 'quarantine')).length, 3);
  assert.deepEqual(await goOn(dataDir, opened), [...rows(0, 2), 1000]);
});

test('cursor beyond the end: numbering goes on above it, so that nothing new is taken for confirmed', async (t) => {
  const dataDir = await journalWith(t, 2);
  const line = JSON.stringify({
    version: 1,
    tables: ['*'],
    maxBacklogBytes: null,
    rows: { '1/prometheus.samples/main': { row: 500 }, '1/prometheus.metadata/main': { row: 77 } },
  });
  fs.writeFileSync(
    join(dataDir, 'journal', 'readers', 'storage.cursor'),
    `${line}\n${crc32(Buffer.from(line)).toString(16).padStart(8, '0')}\n`,
  );
  const opened = await open({ dataDir });
  assert.deepEqual(opened.journal.storage.pending(), []);
  await opened.journal.append([sampleBatch([1000])]);
  await opened.journal.seal();
  assert.equal((await opened.journal.storage.next(samplesKey))?.firstRow, 500);
  assert.deepEqual(await drain(opened.journal), [1000]);
  await opened.journal.close();
});

test('cursor garbage: storage begins at the oldest segment, said loudly', async (t) => {
  const dataDir = await journalWith(t, 1);
  const path = join(dataDir, 'journal', 'readers', 'storage.cursor');
  for (const garbage of ['', 'garbage', '{"version":1}\n00000000\n']) {
    fs.writeFileSync(path, garbage);
    const opened = await open({ dataDir });
    assert.equal(errors(opened).length, 1, JSON.stringify(garbage));
    const segment = await opened.journal.storage.next(samplesKey);
    assert.equal(segment?.rows, BLOCK);
    assert.equal(fs.readFileSync(`${path}.damaged`, 'utf8'), garbage);
    await opened.journal.close();
  }
});

test('numbers go on after every segment is deleted and the hub starts again', async (t) => {
  const dataDir = await journalWith(t, 2);
  const first = await open({ dataDir });
  await drain(first.journal);
  await first.journal.close();
  fs.rmSync(dirname(segmentFile(dataDir, 0, 'native')), { recursive: true });
  const second = await open({ dataDir });
  await second.journal.append([sampleBatch([1])]);
  await second.journal.close();
  assert.ok(fs.existsSync(segmentFile(dataDir, 10, 'native')));
});

test('the journal keeps its uuid, and gets a new one when the file is damaged', async (t) => {
  const dataDir = await journalWith(t, 1);
  const first = await open({ dataDir });
  const second = await open({ dataDir });
  assert.match(first.journal.uuid, /^[0-9a-f-]{36}$/);
  assert.equal(second.journal.uuid, first.journal.uuid);
  fs.writeFileSync(join(dataDir, 'journal', 'uuid'), 'garbage');
  const third = await open({ dataDir });
  assert.notEqual(third.journal.uuid, first.journal.uuid);
  assert.equal(errors(third).length, 1);
  await Promise.all([first, second, third].map((opened) => opened.journal.close()));
});

test('a data directory that cannot be used is refused with its reason', async (t) => {
  const folder = temporaryFolder(t);
  fs.writeFileSync(join(folder, 'file'), '');
  await assert.rejects(open({ dataDir: join(folder, 'file') }), (error) => isSluiceError(error, 'data_dir_unusable'));
});
