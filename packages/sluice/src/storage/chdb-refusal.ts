import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { clickhouseCode } from './database-error.ts';
import { errorText } from '../base/errors.ts';

/**
 * Why the engine did not open, as far as it can be told from outside: it prints the real reason to stderr only and says "Failed to create connection"
 * to its caller.
 */
export async function whyNotOpened(path: string, error: unknown): Promise<string> {
  if (error instanceof Error && 'code' in error) {
    if (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND' || error.code === 'CHDB_PLATFORM') {
      return `the engine is not installed for this machine (${errorText(error)}). Install the optional packages of chdb, or use storage.engine: clickhouse`;
    }
  }
  const holder = await lockHolder(path);
  if (holder !== undefined && holder !== process.pid) {
    return `process ${holder} holds it. Only one process at a time may use a data directory`;
  }
  const code = clickhouseCode(error);
  if (code === 241) return `out of memory (${errorText(error)}). Raise storage.max-memory`;
  const text = errorText(error).split('\n')[0] ?? '';
  return `${text}. The engine's own words are on stderr; if the folder is damaged, move it away and Sluice starts an empty one`;
}

/** The process that holds the lock on `<path>/status`, found through /proc/locks; undefined where that cannot be told. */
async function lockHolder(path: string): Promise<number | undefined> {
  try {
    const { ino } = await stat(join(path, 'status'));
    for (const line of (await readFile('/proc/locks', 'utf8')).split('\n')) {
      // 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
      const fields = line.trim().split(/\s+/);
      if (fields[5]?.endsWith(`:${ino}`) === true) return Number(fields[4]);
    }
  } catch {
    // No status file, or no /proc here.
  }
  return undefined;
}
