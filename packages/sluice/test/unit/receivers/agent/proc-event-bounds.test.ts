import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileAggregates, type FileAccess } from '../../../../src/receivers/agent/proc-event-aggregates.ts';
import { CreatedFiles } from '../../../../src/receivers/agent/proc-event-created.ts';
import { ProcessRoots } from '../../../../src/receivers/agent/proc-event-roots.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget } from '../block-target.ts';

/** What is remembered about processes and files stays within bounds, whatever agents send. */

test('of too many process roots the oldest go', () => {
  const roots = new ProcessRoots(3);
  const key = (pid: number) => ({ org: 1, agent: 2, pid });
  for (let pid = 10; pid < 20; pid++) roots.forked(key(pid), 5, pid);
  assert.equal(roots.size, 3);
  assert.deepEqual(
    [16, 17, 18, 19].map((pid) => roots.find(key(pid), 20)),
    [0, 5, 5, 5],
  );
});

test('process roots that are too old go when others come', () => {
  const roots = new ProcessRoots();
  const key = (pid: number) => ({ org: 1, agent: 2, pid });
  for (let pid = 10; pid < 20; pid++) roots.forked(key(pid), 5, 0);
  roots.forked(key(20), 5, 600_000);
  assert.equal(roots.size, 1);
});

test('pids that no kernel has are answered, not remembered', () => {
  const roots = new ProcessRoots();
  const process = { org: 1, agent: 2, pid: 0xffff_ffff };
  assert.equal(roots.forked(process, 7, 0), 7);
  assert.equal(roots.executed(process, 0, 0), 0xffff_ffff);
  assert.equal(roots.size, 0);
  roots.forget(process);
});

test('of too many created files, or too long names, the oldest go', () => {
  const file = (name: string) => ({ org: 1, agent: 2, rootPid: 3, folder: '/', name });
  const byCount = new CreatedFiles({ files: 2, nameBytes: 1000 });
  for (const name of ['a', 'b', 'c']) assert.ok(byCount.add(file(name)));
  assert.equal(byCount.size, 2);
  assert.ok(!byCount.add(file('b')));
  assert.ok(byCount.add(file('a')));
  const byName = new CreatedFiles({ files: 100, nameBytes: 100 });
  for (const name of ['a', 'b', 'c']) assert.ok(byName.add(file(name.repeat(60))));
  assert.equal(byName.size, 1);
  byName.remove(file('c'.repeat(60)));
  assert.equal(byName.size, 0);
  assert.ok(byName.add(file('d'.repeat(10))));
});

function access(name: string): FileAccess {
  const bytes = Buffer.from(name);
  return {
    org: 1,
    team: 1,
    agent: 2,
    seconds: 1000,
    start: 1_000_000_000n,
    end: 1_000_000_000n,
    duration: 0n,
    offset: 0n,
    size: 1,
    signalSource: 2,
    eventType: 'read',
    pid: 7,
    pod: 0,
    rootPid: 3,
    knownRoot: 3,
    fileType: 1,
    permission: 0,
    thread: 0,
    coroutine: 0,
    bytes,
    texts: Uint32Array.from([0, 0, 0, bytes.length, 0, 0, 0, 0, 0, 0]),
  };
}

test('too many runs of accesses, or too long texts, are written out', () => {
  const target = new BlockTarget();
  const aggregates = (runs: number, textBytes: number) =>
    new FileAggregates({ target, rowIds: new RowIds({ hubId: 0 }), limits: { runs, textBytes } });
  const byCount = aggregates(2, 10_000);
  for (const name of ['a', 'b', 'b']) byCount.add(access(name));
  assert.equal(byCount.pending, 2);
  byCount.add(access('c'));
  assert.equal(byCount.pending, 0);
  assert.deepEqual(
    target.take('event.file_agg_event').map((row) => [row['file_name'], row['event_count']]),
    [
      ['a', 1],
      ['b', 2],
      ['c', 1],
    ],
  );
  const byText = aggregates(100, 1000);
  byText.add(access('a'));
  byText.add(access('b'.repeat(1000)));
  assert.equal(byText.pending, 0);
  assert.equal(target.take('event.file_agg_event').length, 2);
});

test('texts that would read the same in a row are kept apart', () => {
  const target = new BlockTarget();
  const aggregates = new FileAggregates({ target, rowIds: new RowIds({ hubId: 0 }) });
  const texts = (...bounds: number[]) => Uint32Array.from(bounds);
  aggregates.add({ ...access('ab,c'), texts: texts(0, 2, 2, 4, 0, 0, 0, 0, 0, 0) });
  aggregates.add({ ...access('ab,c'), texts: texts(0, 3, 3, 4, 0, 0, 0, 0, 0, 0) });
  assert.equal(aggregates.pending, 2);
});

test('a sum of bytes stays within its column', () => {
  const target = new BlockTarget();
  const aggregates = new FileAggregates({ target, rowIds: new RowIds({ hubId: 0 }) });
  for (let i = 0; i < 3; i++) aggregates.add({ ...access('a'), size: 0x8000_0000, duration: 2n ** 64n - 1n });
  aggregates.flush();
  const [row] = target.take('event.file_agg_event');
  assert.equal(row?.['bytes'], 0xffff_ffff);
  assert.equal(row?.['duration'], String(2n ** 64n - 3n));
});

test('what is gathered does not lie in the message, whose memory is given back', () => {
  const target = new BlockTarget();
  const aggregates = new FileAggregates({ target, rowIds: new RowIds({ hubId: 0 }) });
  const one = access('a.txt');
  // As bodies come that were compressed.
  const body = Buffer.from(new Uint8Array(one.bytes).buffer);
  aggregates.add({ ...one, bytes: body });
  body.buffer.transfer(0);
  aggregates.flush();
  assert.equal(target.take('event.file_agg_event')[0]?.['file_name'], 'a.txt');
});

test('a run that cannot be written is dropped and told, and the others are written', () => {
  const target = new BlockTarget();
  const rowIds = new RowIds({ hubId: 0 });
  const failures: unknown[] = [];
  const aggregates = new FileAggregates({
    target,
    rowIds: Object.assign(Object.create(rowIds) as RowIds, {
      next: (...rest: Parameters<RowIds['next']>) => {
        if (rest[1] === 2000) throw new Error('a mistake');
        rowIds.next(...rest);
      },
    }),
    failed: (error) => failures.push(error),
  });
  for (const [name, seconds] of [
    ['a', 1000],
    ['b', 2000],
    ['c', 1000],
  ] as const) {
    aggregates.add({ ...access(name), seconds });
  }
  aggregates.flush();
  assert.equal(failures.length, 1);
  assert.equal(aggregates.pending, 0);
  assert.deepEqual(
    target.take('event.file_agg_event').map((row) => row['file_name']),
    ['a', 'c'],
  );
});
