import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Faults at the renames of parts: a C library that a child process is started with. */

const source = fileURLToPath(new URL('../../fixtures/kill-at-rename.c', import.meta.url));

const compiler = ['cc', 'gcc', 'clang'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** Why there are no faults here, or false. */
export const noFaults =
  process.platform === 'linux' && compiler !== undefined
    ? false
    : 'needs Linux and a C compiler (cc) for the fault injection library';

export function buildFaults(library: string): void {
  execFileSync(compiler!, ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
}

export interface ChildEnd {
  readonly output: string;
  readonly errors: string;
  readonly signal: string | null;
}

/** Runs a script of the tests with these arguments and environment until it ends. */
export async function runChild(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ChildEnd> {
  const child = spawn(process.execPath, ['--conditions=@sluice/source', script, ...args], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const signal = await new Promise<string | null>((resolve) => child.on('close', (_code, killed) => resolve(killed)));
  return { output: output.trim(), errors, signal };
}
