import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { verifyJournal } from '../../../src/journal/verify.ts';
import { drain, open, temporaryFolder } from '../../unit/journal/fixture.ts';

const ROUNDS = 6;

/** Runs the writer until it has acknowledged something, a little longer, and kills it; the ranges it acknowledged. */
async function writeAndKill(dataDir: string, sync: string, first: number): Promise<[from: number, to: number][]> {
  const script = join(import.meta.dirname, 'numbered-writer.ts');
  const report = join(dataDir, 'acknowledged');
  fs.writeFileSync(report, '');
  const child = spawn(process.execPath, ['--conditions=@sluice/source', script, dataDir, sync, String(first), report], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'close');
  const deadline = Date.now() + 20_000;
  while (fs.statSync(report).size === 0 && Date.now() < deadline && child.exitCode === null) await delay(5);
  await delay(Math.random() * 200);
  child.kill('SIGKILL');
  await exited;
  assert.equal(child.signalCode, 'SIGKILL');
  const lines = fs.readFileSync(report, 'utf8').matchAll(/^(\d+)-(\d+)$/gm);
  return [...lines].map((match) => [Number(match[1]), Number(match[2])]);
}

for (const sync of ['interval', 'always']) {
  test(
    `sync: ${sync} - SIGKILL at random moments: every acknowledged row is there once, in order`,
    { timeout: 120_000 },
    async (t) => {
      const dataDir = temporaryFolder(t);
      const stored: number[] = [];
      const acknowledged: [number, number][] = [];
      let first = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const ranges = await writeAndKill(dataDir, sync, first);
        assert.ok(ranges.length > 0, 'it wrote something');
        acknowledged.push(...ranges);
        // What was sent last may be there without its acknowledgement: the next numbers are above it.
        first = ranges.at(-1)![1] + 1000;
        const damage = (await verifyJournal(dataDir)).problems.filter(({ message }) =>
          /damaged|names a block/.test(message),
        );
        assert.deepEqual(damage, []);
        // Every second time the next process finds what this one left.
        if (round % 2 === 1) {
          const { journal } = await open({ dataDir });
          for (const value of await drain(journal)) stored.push(value);
          await journal.close();
        }
      }
      for (let i = 1; i < stored.length; i++)
        assert.ok(stored[i]! > stored[i - 1]!, `${stored[i]} after ${stored[i - 1]}`);
      const there = new Set(stored);
      let rows = 0;
      for (const [from, to] of acknowledged) {
        rows += to - from;
        for (let value = from; value < to; value++) assert.ok(there.has(value), `${value} was acknowledged`);
      }
      t.diagnostic(`${rows} acknowledged rows over ${ROUNDS} kills`);
    },
  );
}
