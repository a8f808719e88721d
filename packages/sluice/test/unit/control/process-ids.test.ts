import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProcessIds, expandEntries } from '../../../src/control/process-ids.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-process-ids-'));
after(() => rmSync(root, { recursive: true }));
const log = createLog({ level: 'silent' });

test('one id a process, another for another agent, 0 for no process', async () => {
  const ids = await ProcessIds.open(join(root, 'a'), log);
  assert.deepEqual([ids.idOf(1, 50, 10), ids.idOf(1, 51, 10), ids.idOf(2, 50, 10), ids.idOf(1, 50, 11)], [1, 2, 3, 1]);
  assert.equal(ids.idOf(1, 0, 10), 0);
  assert.equal(ids.peek(1, 51), 2);
  assert.equal(ids.peek(9, 51), 0);
});

test('a pid that another process has now gets another id; a clock that was set does not count', async () => {
  const ids = await ProcessIds.open(join(root, 'b'), log);
  assert.equal(ids.idOf(1, 50, 10), 1);
  const noted = (startS: number) => ids.noteProcesses(1, [{ pid: '50', start_time: startS }], 20);
  noted(1000);
  assert.equal(ids.idOf(1, 50, 20), 1);
  noted(1002);
  assert.equal(ids.idOf(1, 50, 20), 1);
  noted(5000);
  assert.equal(ids.idOf(1, 50, 20), 2);
  assert.equal(ids.size, 1);
});

test('ids survive a stop, and are never given twice after a crash', async () => {
  const dir = join(root, 'c');
  const ids = await ProcessIds.open(dir, log);
  ids.idOf(1, 50, 10);
  await ids.reserve(10);
  const lost = ids.idOf(1, 51, 10);
  await ids.reserve(10);
  // The process dies here: 51 was answered and never written.
  const crashed = await ProcessIds.open(dir, log);
  assert.equal(crashed.idOf(1, 50, 20), 1);
  const after51 = crashed.idOf(1, 51, 20);
  assert.ok(after51 > lost);
  await crashed.save(20);
  const again = await ProcessIds.open(dir, log);
  assert.equal(again.idOf(1, 51, 30), after51);
});

test('what is not seen for a day is forgotten', async () => {
  const dir = join(root, 'd');
  const ids = await ProcessIds.open(dir, log);
  ids.idOf(1, 50, 0);
  ids.idOf(1, 51, 80_000);
  await ids.save(86_400);
  assert.deepEqual([ids.peek(1, 50), ids.peek(1, 51), ids.size], [0, 2, 1]);
});

test('an agent with too many processes gets no more ids', async () => {
  const ids = await ProcessIds.open(join(root, 'e'), log);
  for (let pid = 1; pid <= 20_000; pid++) ids.idOf(1, pid, 0);
  assert.equal(ids.idOf(1, 20_001, 0), 0);
  assert.equal(ids.idOf(2, 1, 0), 20_001);
});

test('entries made smaller by leaving out what repeats', () => {
  const small = [{ protocol: 1, ipv4_0: 5, pid_0: 7 }, { ipv4_0: 6 }, { pid_0: 0 }];
  assert.equal(expandEntries(small, 0), small);
  assert.deepEqual(expandEntries(small, 1), [
    { protocol: 1, ipv4_0: 5, pid_0: 7 },
    { protocol: 1, ipv4_0: 6, pid_0: 7 },
    { protocol: 1, ipv4_0: 6, pid_0: 0 },
  ]);
});
