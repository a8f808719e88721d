/**
 * What decoding a protobuf message would make, counted on its bytes before anything is allocated: two bytes on the wire can be an object of a few
 * hundred bytes. Counts every text, byte string and message, at any depth of the messages that are known; also checks that the bytes are whole, so
 * that a decoder after it meets no surprise. Groups (wire types 3 and 4), which the protocol does not use, are refused: decoders recurse on them.
 */

/** The fields of a message that are messages themselves, by number. */
export interface MessageShape {
  readonly messages: ReadonlyMap<number, MessageShape>;
}

/** Throws Error when the bytes are no whole message or would make more than `limit` values. */
export function checkMessage(bytes: Uint8Array, shape: MessageShape, limit: number): void {
  walk({ bytes, limit, count: 0, at: 0 }, shape, bytes.length);
}

interface Walk {
  readonly bytes: Uint8Array;
  readonly limit: number;
  count: number;
  at: number;
}

function walk(state: Walk, shape: MessageShape, end: number): void {
  while (state.at < end) {
    const tag = readVarint(state, end);
    const wireType = tag % 8;
    const field = Math.floor(tag / 8);
    if (field === 0) throw new Error('expected a field; got number 0');
    if (wireType === 0) readVarint(state, end);
    else if (wireType === 1) skip(state, 8, end);
    else if (wireType === 5) skip(state, 4, end);
    else if (wireType === 2) {
      const length = readVarint(state, end);
      if (++state.count > state.limit) throw new Error(`expected at most ${state.limit} values in a message; got more`);
      const inner = shape.messages.get(field);
      if (inner === undefined) skip(state, length, end);
      else if (length > end - state.at) throw torn();
      else walk(state, inner, state.at + length);
    } else throw new Error(`expected wire type 0, 1, 2 or 5; got ${wireType}`);
  }
}

function skip(state: Walk, length: number, end: number): void {
  if (length > end - state.at) throw torn();
  state.at += length;
}

/** As a double: exact as far as lengths and tags go, never negative. */
function readVarint(state: Walk, end: number): number {
  let value = 0;
  let scale = 1;
  for (let index = 0; index < 10; index++) {
    if (state.at >= end) throw torn();
    const byte = state.bytes[state.at++] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw new Error('expected a varint of at most 10 bytes; got a longer one');
}

function torn(): Error {
  return new Error('expected a whole message; got a torn one');
}
