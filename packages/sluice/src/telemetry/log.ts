import { writeSync } from 'node:fs';
import { pino, type DestinationStream, type Logger } from 'pino';

/** Structured log lines: a constant message and fields. `error` only for lost data or when somebody must act. */
export type Log = Logger;

export interface LogOptions {
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly destination?: DestinationStream;
}

export function createLog(options: LogOptions = {}): Log {
  const settings = {
    level: options.level ?? 'info',
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    // Never a secret in a log: whatever a caller passes by mistake under these names is left out.
    redact: { paths: ['password', 'token', 'authorization', '*.password', '*.token', '*.authorization'], remove: true },
  };
  return pino(settings, options.destination ?? standardOutput);
}

/**
 * Standard output, a line at a time. What cannot be written because nobody reads any more is lost: that must neither end the hub nor hold it up (pino's own
 * stream tries a fatal line for ever). A reader that is only slow is waited for, as the pipe has it.
 */
const standardOutput: DestinationStream = {
  write(line) {
    try {
      const bytes = Buffer.from(line);
      for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
    } catch {
      // There is no other place to tell it.
    }
  },
};

/** Lets one line of a kind through per interval; the next one says how many were held back. */
export function rateLimited(
  intervalMs: number,
  now: () => number = () => performance.now(),
): (log: (suppressed: number) => void) => void {
  let next = -Infinity;
  let suppressed = 0;
  return (log) => {
    const time = now();
    if (time < next) {
      suppressed++;
      return;
    }
    next = time + intervalMs;
    const count = suppressed;
    suppressed = 0;
    log(count);
  };
}
