export interface BackOff {
  /** Failures in a row, from 1. */
  readonly failures: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

/** How long a source waits after so many failures: twice as long each time, up to the longest, anything from half of that. */
export function backOffMs({ failures, firstMs, longestMs }: BackOff, random: () => number = Math.random): number {
  const most = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 52));
  return most / 2 + (most / 2) * random();
}

/** Resolves after `ms`, or when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms).unref();
  const end = () => resolve();
  signal.addEventListener('abort', end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
}
