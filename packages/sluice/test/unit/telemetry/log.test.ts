import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const module = new URL('../../../src/telemetry/log.ts', import.meta.url).href;

test("a process whose log's reader is gone goes on, and ends", { timeout: 60_000 }, async () => {
  // One line of the level that pino would write out by all means.
  const script = `
    const { createLog } = await import(${JSON.stringify(module)});
    await new Promise((resolve) => process.stdin.once('data', resolve));
    const log = createLog();
    for (let i = 0; i < 2000; i++) log.info({ text: 'x'.repeat(500) }, 'line');
    log.fatal('the last one');
    process.exit(7);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdout.destroy();
  child.stdin.write('begin');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 7);
});
