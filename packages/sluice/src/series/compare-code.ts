import {
  add,
  and,
  type Code,
  differs,
  equalBytes,
  get,
  greaterUnsigned,
  i32,
  leave,
  leaveIf,
  load128,
  loop,
  set,
  shiftLeft,
  subtract,
  when,
} from '../base/wasm-assembler.ts';
import { left, length, right } from './familiar-locals.ts';

/** Leaves `depth` levels unless `length` bytes at `left` and `right` are equal. Reads up to 15 bytes behind them. */
export function compareBytes(depth: number): Code {
  const bits = subtract(shiftLeft(i32(1), get(length)), i32(1));
  const equalBits = equalBytes(load128(get(left)), load128(get(right)));
  return [
    ...loop(
      when(
        greaterUnsigned(get(length), i32(15)),
        leaveIf(depth + 2, differs(equalBits, i32(0xffff))),
        set(left, add(get(left), i32(16))),
        set(right, add(get(right), i32(16))),
        set(length, subtract(get(length), i32(16))),
        leave(1),
      ),
    ),
    ...leaveIf(depth, differs(and(equalBits, bits), bits)),
  ];
}
