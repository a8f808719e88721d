import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { numberedSamples, SegmentFiles } from './segment-files.ts';
import { tempFolder } from './temp-folder.ts';

const DAY = Date.UTC(2024, 10, 20, 12);
const ROWS = 600;
const child = fileURLToPath(new URL('load-child.ts', import.meta.url));
const faults = fileURLToPath(new URL('../../fixtures/kill-at-rename.c', import.meta.url));

const mixed = (row: number) => DAY + (row % 3) * 86_400_000;

/** Three segments: one day in two blocks; three days in two mixed blocks; one day. So 5 INSERTs, 5 parts, 5 renames. */
function fill(folder: string): void {
  const journal = new SegmentFiles(join(folder, 'journal'));
  journal.add('prometheus.samples', [numberedSamples(0, 100, () => DAY), numberedSamples(100, 100, () => DAY)]);
  journal.add('prometheus.samples', [numberedSamples(200, 150, mixed), numberedSamples(350, 150, mixed)]);
  journal.add('prometheus.samples', [numberedSamples(500, 100, () => DAY)]);
}
const INSERTS = 5;

const compiler = ['cc', 'gcc', 'clang'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const possible = process.platform === 'linux' && compiler !== undefined;
const skip = possible ? false : 'needs Linux and a C compiler (cc) for the fault injection library';

async function load(folder: string, environment: Record<string, string>) {
  const args = ['--conditions=@sluice/source', child, folder];
  const loading = spawn(process.execPath, args, {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  loading.stdout.on('data', (data: Buffer) => (output += data.toString()));
  loading.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const signal = await new Promise<string | null>((resolve) => loading.on('close', (_code, killed) => resolve(killed)));
  return { output: output.trim(), errors, signal };
}

describe(
  'a part in the database is made once, whatever happens at its rename',
  { skip: possible ? false : skip },
  () => {
    let library = '';
    let removals: (() => Promise<void>)[] = [];

    before(async () => {
      const folder = await tempFolder('faults');
      removals.push(folder.remove);
      library = join(folder.path, 'kill-at-rename.so');
      execFileSync(compiler!, ['-shared', '-fPIC', '-O1', '-o', library, faults, '-ldl']);
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
  },
);

describe('fault injection', () => {
  it('is available in CI', () => {
    if (process.env['CI'] === 'true') assert.ok(possible, skip === false ? '' : skip);
  });
});
