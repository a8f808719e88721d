import type { RowBlock } from '../batch/row-block.ts';

/** Ages of rows that a table takes: older or further ahead ones are dropped, so that no segment is tried for ever. Milliseconds; Infinity = any. */
export interface AcceptWindow {
  readonly behindMs: number;
  readonly aheadMs: number;
}

/** DateTime columns end here, epoch milliseconds. */
const LAST_MS = 4_294_967_296_000 - 1;

/** Lets a block take rows of the window around `nowMs` (epoch milliseconds). What a DateTime cannot hold is outside, however open the window. */
export function openWindow(block: RowBlock, { behindMs, aheadMs }: AcceptWindow, nowMs: number): void {
  block.acceptFrom = Math.max(0, nowMs - behindMs);
  block.acceptUntil = Math.min(nowMs + aheadMs, LAST_MS);
}

/** Why a block does not take a row of that epoch second, if so. Decoders ask before they write one: `commit` would drop it without telling them. */
export function outsideWindow(block: RowBlock, seconds: number): 'too_old' | 'too_new' | undefined {
  const time = seconds * 1000;
  if (time < block.acceptFrom) return 'too_old';
  return time > block.acceptUntil ? 'too_new' : undefined;
}
