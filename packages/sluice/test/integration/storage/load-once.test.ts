import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildFaults, noFaults, runChild } from './fault-library.ts';
import { numberedSamples, SegmentFiles } from './segment-files.ts';
import { tempFolder } from './temp-folder.ts';

const DAY = Date.UTC(2024, 10, 20, 12);
const ROWS = 600;
const child = fileURLToPath(new URL('load-child.ts', import.meta.url));

const mixed = (row: number) => DAY + (row % 3) * 86_400_000;

/** Three segments: one day in two blocks; three days in two mixed blocks; one day. So 5 INSERTs, 5 parts, 5 renames. */
function fill(folder: string): void {
  const journal = new SegmentFiles(join(folder, 'journal'));
  journal.add('prometheus.samples', [numberedSamples(0, 100, () => DAY), numberedSamples(100, 100, () => DAY)]);
  journal.add('prometheus.samples', [numberedSamples(200, 150, mixed), numberedSamples(350, 150, mixed)]);
  journal.add('prometheus.samples', [numberedSamples(500, 100, () => DAY)]);
}
const INSERTS = 5;

const load = (folder: string, environment: Record<string, string>) => runChild(child, [folder], environment);

describe('a part in the database is made once, whatever happens at its rename', { skip: noFaults }, () => {
  let library = '';
  let removals: (() => Promise<void>)[] = [];

  before(async () => {
    const folder = await tempFolder('faults');
    removals.push(folder.remove);
    library = join(folder.path, 'kill-at-rename.so');
    buildFaults(library);
  });
  after(async () => {
    for (const remove of removals) await remove();
    removals = [];
  });

  async function round(name: string, environment: Record<string, string>, diesAt: boolean): Promise<void> {
    const folder = await tempFolder(name);
    try {
      fill(folder.path);
      const first = await load(folder.path, { ...environment, LD_PRELOAD: library });
      assert.equal(first.signal, diesAt ? 'SIGKILL' : null, first.output + first.errors);
      const last = diesAt ? await load(folder.path, {}) : first;
      assert.equal(last.output, `loaded ${ROWS} ${ROWS} ${ROWS - 1}`, last.errors);
    } finally {
      await folder.remove();
    }
  }

  for (let at = 1; at <= INSERTS; at++) {
    it(`killed right before rename ${at}`, () => round('before', { KILL_AT: String(at) }, true));
    it(`killed right after rename ${at}`, () => round('after', { KILL_AT: String(at), KILL_AFTER: '1' }, true));
    it(`rename ${at} fails for want of disk, the process lives on`, () =>
      round('enospc', { KILL_AT: String(at), FAIL_WITH: '28' }, false));
  }

  it('the fault injection is real: there is no rename beyond the last INSERT', async () => {
    await round('beyond', { KILL_AT: String(INSERTS + 1) }, false);
  });
});

describe('fault injection', () => {
  it('is available in CI', () => {
    if (process.env['CI'] === 'true') assert.equal(noFaults, false);
  });
});
