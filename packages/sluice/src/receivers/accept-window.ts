/** Ages of rows that a table takes: older or further ahead ones are dropped (design 2.1, invariant 5). Milliseconds; Infinity = any. */
export interface AcceptWindow {
  readonly behindMs: number;
  readonly aheadMs: number;
}

/** DateTime columns end here: epoch seconds below 2^32. */
const END_OF_SECONDS = 4_294_967_296;

/** Why a row of that epoch second is dropped, if it is; `now` in epoch milliseconds. What a DateTime cannot hold is, however open the window. */
export function outsideWindow(window: AcceptWindow, seconds: number, now: number): 'too_old' | 'too_new' | undefined {
  if (seconds < 0 || seconds * 1000 < now - window.behindMs) return 'too_old';
  if (seconds * 1000 > now + window.aheadMs || seconds >= END_OF_SECONDS) return 'too_new';
  return undefined;
}
