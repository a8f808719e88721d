import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Batch } from '../../../src/batch/batch.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { network1m } from '../../../src/catalog/network.ts';
import { rollUpReaders } from '../../../src/storage/roll-up-query.ts';
import { buildFaults, noFaults, runChild } from './fault-library.ts';
import { SegmentFiles } from './segment-files.ts';
import { tempFolder } from './temp-folder.ts';

const START = Date.UTC(2024, 10, 20, 23);
const child = fileURLToPath(new URL('roll-up-child.ts', import.meta.url));

/** A row a minute for each of `hosts` addresses. */
function minutes(first: number, count: number, hosts: number): Batch {
  const block = new RowBlock(network1m);
  const [time, ip4, bytes, rtt] = ['time', 'ip4', 'byte_tx', 'rtt_sum'].map((name) => block.column(name));
  for (let minute = first; minute < first + count; minute++) {
    for (let host = 0; host < hosts; host++) {
      const at = START + minute * 60_000;
      block.setNumber(time!, at / 1000);
      block.setNumber(ip4!, 0x0a000000 + host);
      block.setInteger(bytes!, minute * 1000 + host);
      block.setDouble(rtt!, 0.5);
      block.commit(at);
    }
  }
  return block.finish(1);
}

/** Two hours on two days, then a segment with two weeks in it: 2 + 2, 1 + 2 and 1 + 1 statements for minutes, hours and days, a part each. */
function fill(folder: string): void {
  for (const name of ['minutes', ...rollUpReaders.keys()]) {
    const journal = new SegmentFiles(join(folder, name));
    journal.add(network1m.id, [minutes(0, 120, 3)]);
    journal.add(network1m.id, [minutes(120, 10, 3), minutes(120 + 7 * 1440, 10, 3)]);
  }
}

const ROWS = 140 * 3;
let bytes = 0;
for (const minute of [...Array(130).keys(), ...Array.from({ length: 10 }, (_, index) => 120 + 7 * 1440 + index)]) {
  for (let host = 0; host < 3; host++) bytes += minute * 1000 + host;
}
const expected = [
  `network.1m ${ROWS} ${bytes} ${ROWS / 2} 140`,
  `network.1h ${ROWS} ${bytes} ${ROWS / 2} 4`,
  `network.1d ${ROWS} ${bytes} ${ROWS / 2} 3`,
].join('\n');

describe('sums over hours and days equal those over minutes', () => {
  const removals: (() => Promise<void>)[] = [];
  after(async () => {
    for (const remove of removals) await remove();
  });

  async function round(name: string, environment: Record<string, string>, diesAt: boolean): Promise<void> {
    const folder = await tempFolder(name);
    removals.push(folder.remove);
    fill(folder.path);
    const first = await runChild(child, [folder.path], environment);
    assert.equal(first.signal, diesAt ? 'SIGKILL' : null, first.output + first.errors);
    const last = diesAt ? await runChild(child, [folder.path], {}) : first;
    assert.equal(last.output, expected, last.errors);
  }

  it('when nothing happens', () => round('calm', {}, false));

  describe('whatever happens at the rename of a part', { skip: noFaults }, () => {
    let library = '';
    before(async () => {
      const folder = await tempFolder('faults');
      removals.push(folder.remove);
      library = join(folder.path, 'kill-at-rename.so');
      buildFaults(library);
    });

    // The first renames are those of the minutes, which have tests of their own.
    for (let at = 5; at <= 9; at++) {
      it(`killed right before rename ${at}`, () => round('before', { KILL_AT: String(at), LD_PRELOAD: library }, true));
      it(`killed right after rename ${at}`, () =>
        round('after', { KILL_AT: String(at), KILL_AFTER: '1', LD_PRELOAD: library }, true));
      it(`rename ${at} fails for want of disk, the process lives on`, () =>
        round('enospc', { KILL_AT: String(at), FAIL_WITH: '28', LD_PRELOAD: library }, false));
    }
    it('there is no rename beyond the last', () => round('beyond', { KILL_AT: '10', LD_PRELOAD: library }, false));
  });
});
