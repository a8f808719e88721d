#!/usr/bin/env node
/**
 * Starts the program with what has to be set before Node runs: a larger libuv pool (with the default of 4 threads, four busy database statements
 * would hold up every file operation), the condition that makes `promwrite` resolve to its source in this workspace, bounds on the heap (rows are no
 * objects; by default the space for new objects grows to 128 MiB, and garbage lies the longer the more memory the machine has), a bound on the arenas
 * of the C library (glibc: up to 8 a core, each of which keeps what was freed in it; with two 40 MB less are resident under the load of agents), no huge
 * pages for the allocator inside the Snappy library (it has a heap for each of the 16 threads, and each size of block in it would hold 2 MiB: 31 MB
 * after the first answers, 65 MB and more later, instead of 4), and a place for compiled code, which halves the time of a start. It becomes the program
 * (same process id), so signals and exit codes need no forwarding.
 */
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
if (Number.parseInt(process.versions.node, 10) < NEEDED_MAJOR) {
  process.stderr.write(
    `cannot run sluice with Node ${process.versions.node}: it needs Node ${NEEDED_MAJOR} or later. In a checkout, npm start runs the one that npm ci installs.\n`,
  );
  process.exit(2);
}

const program = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const args = [
  '--conditions=@sluice/source',
  '--max-semi-space-size=16',
  '--max-old-space-size=1024',
  '--disable-warning=ExperimentalWarning',
  program,
  ...process.argv.slice(2),
];
const compiled = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url));
const env = {
  UV_THREADPOOL_SIZE: '16',
  NODE_COMPILE_CACHE: compiled,
  MALLOC_ARENA_MAX: '2',
  MIMALLOC_ALLOW_THP: '0',
  ...process.env,
};

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
