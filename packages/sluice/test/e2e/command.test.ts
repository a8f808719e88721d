/** The command line itself: what it prints and its exit codes (0 stopped cleanly, 1 configuration, 2 cannot start). */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { Hub, Running, Scratch, command, until } from './processes.ts';

const TIME = { timeout: 120_000 };

/** Runs the command to its end. */
function run(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly code: number; readonly output: string }>();
  const child = execFile(process.execPath, [command, ...args], { timeout: 30_000 }, (_error, stdout, stderr) =>
    resolve({ code: child.exitCode ?? -1, output: (stdout + stderr).trim() }),
  );
  return promise;
}

test('help and version', TIME, async () => {
  const version = await run('--version');
  assert.deepEqual([version.code, /^\d+\.\d+\.\d+$/.test(version.output)], [0, true]);
  const help = await run('check', '--help');
  assert.equal(help.code, 0);
  assert.match(help.output, /sluice check --config FILE/);
});

test('a wrong command line is refused with what was expected', TIME, async () => {
  for (const [args, expected] of [
    [['start'], /there is no command "start"/],
    [['config', 'sluice.yaml'], /expected config without arguments; got sluice\.yaml/],
    [['check'], /expected check --config FILE; got no file/],
    [['journal', 'check'], /expected journal verify; got journal check/],
    [['serve', '--port', '1'], /Unknown option '--port'/],
    [['--set', 'listen.htp=1'], /--set listen\.htp: unknown key "htp" in listen; did you mean "http"\?/],
  ] as const) {
    const { code, output } = await run(...args);
    assert.equal(code, 1, args.join(' '));
    assert.match(output, expected);
  }
});

test('a data directory that the database would take for a pattern is refused, an odd one works', TIME, async () => {
  using scratch = new Scratch();
  for (const name of ['a*', 'a?', '{a,b}']) {
    const { code, output } = await run('--data-dir', `${scratch.path}/${name}`);
    assert.equal(code, 1);
    assert.match(output, /--data-dir: data-dir: expected a path without \* \? \{ \}/);
  }
  await using hub = await Hub.start(`${scratch.path}/with space, ünïcode, 'quote' and %41`);
  await hub.ready();
  assert.equal(await hub.end(), 0);
});

test('a directory or address in use ends the second hub with 2 and says why', TIME, async () => {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/one`);
  const address = new URL(hub.http).host;
  const off = ['--set', 'listen.integration=null', '--set', 'listen.agent=null', '--set', 'listen.control=null'];
  const locked = await run('--data-dir', `${scratch.path}/one`, '--set', 'listen.http=127.0.0.1:0', ...off);
  assert.equal(locked.code, 2);
  assert.match(locked.output, /cannot use data directory .*: another process \(\d+\) holds it/);
  const taken = await run('--data-dir', `${scratch.path}/two`, '--set', `listen.http=${address}`, ...off);
  assert.equal(taken.code, 2);
  assert.match(taken.output, /cannot listen on 127\.0\.0\.1:\d+ \(listen\.http\): another program listens there/);
  assert.equal(await hub.end(), 0);
});

test('signals during the start: SIGHUP is survived, SIGTERM ends it cleanly', TIME, async () => {
  using scratch = new Scratch();
  const off = ['integration', 'agent', 'control'].flatMap((name) => ['--set', `listen.${name}=null`]);
  const args = ['--set', 'listen.http=127.0.0.1:0', ...off];
  await using hub = new Running('sluice', process.execPath, [command, '--data-dir', `${scratch.path}/hub`, ...args]);
  // The directory is made first; everything in it is still to be opened.
  await until(
    () => (existsSync(`${scratch.path}/hub`) ? true : undefined),
    20_000,
    () => 'the data directory',
  );
  hub.child.kill('SIGHUP');
  assert.equal(await hub.end('SIGTERM'), 0);
  assert.match(hub.output(), /"msg":"stopping"/);
});
