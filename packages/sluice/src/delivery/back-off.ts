import type { DeliverySettings } from './types.ts';

/** Longest wait that a receiver may ask for. */
const MOST_ASKED_MS = 300_000;

export interface BackOffOptions {
  readonly retry: DeliverySettings['retry'];
  /** Failures in a row, from 1. */
  readonly failures: number;
  /** What the receiver asked for, in milliseconds. */
  readonly afterMs?: number | undefined;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/**
 * Milliseconds until the next attempt: what the receiver asked for, within bounds; else a step that doubles from `initialMs` to `maxMs`, with jitter a
 * random part of it, so that many senders do not come back at once. An asked 0 is no wish: it would make a failing receiver a busy loop.
 */
export function backOffMs({ retry, failures, afterMs = 0, random }: BackOffOptions): number {
  if (afterMs > 0) return Math.min(afterMs, MOST_ASKED_MS);
  const step = Math.min(retry.maxMs, retry.initialMs * 2 ** Math.min(failures - 1, 52));
  return retry.jitter ? step * random() : step;
}
