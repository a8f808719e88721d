import { grown, viewOf } from './byte-memory.ts';

/** A text that is ready before any row is: names of protocols, observation points and the like. */
export interface ConstantText {
  readonly start: number;
  readonly end: number;
}

const encoder = new TextEncoder();
let constants = new Uint8Array(4096);
let length = 0;

/** All of them, one after the other. */
export let constantsView = viewOf(constants);

/** Makes a ready-made text. For texts known when the program starts; they are kept for ever. */
export function constantText(text: string): ConstantText {
  const bytes = encoder.encode(text);
  if (length + bytes.length > constants.length) {
    constants = grown(constants, constants.length * 2 + bytes.length);
    constantsView = viewOf(constants);
  }
  constants.set(bytes, length);
  const start = length;
  length += bytes.length;
  return { start, end: length };
}
