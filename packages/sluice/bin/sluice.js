#!/usr/bin/env node
/**
 * Starts the program with what has to be set before Node runs: a larger libuv pool (with the default of 4 threads, four busy database statements
 * would hold up every file operation) and the condition that makes `promwrite` resolve to its source in this workspace. It becomes the program
 * (same process id), so signals and exit codes need no forwarding.
 */
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const args = ['--conditions=@sluice/source', '--disable-warning=ExperimentalWarning', program, ...process.argv.slice(2)];
const env = { ...process.env, UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? '16' };

if (typeof process.execve === 'function' && process.platform !== 'win32') {
  // Node warns on stderr that execve is experimental; the warning would be the first line everybody sees.
  process.removeAllListeners('warning');
  process.execve(process.execPath, [process.execPath, ...args], env);
} else {
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 3 : 128);
  });
}
