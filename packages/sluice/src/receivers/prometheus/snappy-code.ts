import type { LinearMemory } from '../../base/linear-memory.ts';
import {
  add,
  and,
  assemble,
  atLeastUnsigned,
  block,
  type Code,
  copyMemory,
  get,
  giveBack,
  greaterUnsigned,
  i32,
  isZero,
  leave,
  leaveIf,
  lessUnsigned,
  load128,
  load32,
  load8,
  loop,
  select,
  set,
  shiftLeft,
  shiftRight,
  store128,
  store8,
  subtract,
  when,
} from '../../base/wasm-assembler.ts';

/*
 * Elements of a Snappy block after its length, by the low two bits of their first byte:
 *
 *   00 literal: length - 1 in the upper six bits; 60..63: in the 1..4 bytes that follow; then the bytes themselves
 *   01 copy:    length - 4 in bits 2..4, offset in bits 5..7 (upper) and one byte
 *   10 copy:    length - 1 in the upper six bits, offset in two bytes
 *   11 copy:    length - 1 in the upper six bits, offset in four bytes
 *
 * Which kind comes next cannot be foretold, so literals and copies go the same way without a branch: a table gives for each first byte the length, how
 * many bytes belong to the offset and its upper bits; both are then moves of up to 64 bytes, from the input or from what was written already. Whole
 * vectors are moved: up to 63 bytes behind the output are overwritten, and up to 15 behind the input read.
 *
 *   table, 8 bytes a first byte: u32 length (0 = long literal) | bytes of the offset << 8 | upper offset bits << 16;  u32 mask of the offset's bytes
 */
const TABLE_BYTES = 256 * 8;

/** Bytes behind the declared end of the output that may be overwritten. */
export const OUTPUT_SLACK = 64;

/** Returns 1 when the elements in [from, fromEnd) fill exactly [to, toEnd). */
export type UncompressElements = (from: number, fromEnd: number, to: number, toEnd: number, table: number) => number;

export function uncompressElements({ memory }: LinearMemory): UncompressElements {
  const exports = assemble(memory, [{ name: 'uncompress', parameters: 5, i32Locals: 8, body: body() }]);
  return exports['uncompress'] as UncompressElements;
}

/** Writes the table to `address`; it takes TABLE_BYTES. */
export function writeTable(memory: LinearMemory, address: number): void {
  for (let first = 0; first < TABLE_BYTES / 8; first++) {
    const kind = first & 3;
    const length = kind === 1 ? ((first >>> 2) & 7) + 4 : kind === 0 && first >= 240 ? 0 : (first >>> 2) + 1;
    const offsetBytes = [0, 1, 2, 4][kind]!;
    const upper = kind === 1 ? (first >>> 5) << 8 : 0;
    memory.view.setUint32(address + first * 8, length | (offsetBytes << 8) | (upper << 16), true);
    memory.view.setUint32(address + first * 8 + 4, [0, 0xff, 0xffff, 0xffffffff][kind]!, true);
  }
}

function body(): readonly Code[] {
  const [from, fromEnd, to, toEnd, table] = [0, 1, 2, 3, 4] as const;
  const [start, first, entry, length, source, next, offset, end] = [5, 6, 7, 8, 9, 10, 11, 12] as const;
  const failed = giveBack(i32(0));
  const move = (at: number): Code => store128(get(to), load128(get(source), at), at);
  const row = add(get(table), shiftLeft(get(first), i32(3)));
  const isLiteral = isZero(and(get(first), i32(3)));

  const longLiteral: Code = [
    // 1 to 4 bytes of length - 1.
    ...set(offset, subtract(shiftRight(get(first), i32(2)), i32(59))),
    ...when(greaterUnsigned(get(offset), subtract(get(fromEnd), get(next))), failed),
    ...set(
      length,
      add(and(load32(get(next)), shiftRight(i32(-1), subtract(i32(32), shiftLeft(get(offset), i32(3))))), i32(1)),
    ),
    ...set(next, add(get(next), get(offset))),
    ...when(isZero(get(length)), failed),
    ...when(greaterUnsigned(get(length), subtract(get(fromEnd), get(next))), failed),
    ...when(greaterUnsigned(get(length), subtract(get(toEnd), get(to))), failed),
    ...copyMemory(get(to), get(next), get(length)),
    ...set(to, add(get(to), get(length))),
    ...set(from, add(get(next), get(length))),
  ];

  /** A copy whose source overlaps what it writes within a vector: a repeated pattern, byte by byte. */
  const pattern: Code = [
    ...set(end, add(get(to), get(length))),
    ...loop(
      store8(get(to), load8(get(source))),
      set(to, add(get(to), i32(1))),
      set(source, add(get(source), i32(1))),
      leaveIf(0, lessUnsigned(get(to), get(end))),
    ),
  ];

  return [
    set(start, get(to)),
    block(
      loop(
        leaveIf(1, atLeastUnsigned(get(from), get(fromEnd))),
        set(first, load8(get(from))),
        set(entry, load32(row)),
        set(next, add(get(from), i32(1))),
        set(length, and(get(entry), i32(0xff))),
        when(isZero(get(length)), longLiteral, leave(1)),
        set(offset, add(and(load32(get(next)), load32(row, 4)), shiftRight(get(entry), i32(16)))),
        set(next, add(get(next), and(shiftRight(get(entry), i32(8)), i32(7)))),
        set(source, select(isLiteral, get(next), subtract(get(to), get(offset)))),
        set(from, add(get(next), select(isLiteral, get(length), i32(0)))),
        when(greaterUnsigned(get(from), get(fromEnd)), failed),
        // An offset of 0 wraps around to the greatest number. A literal has none: 0 < 1 passes.
        when(
          atLeastUnsigned(
            select(isLiteral, i32(0), subtract(get(offset), i32(1))),
            select(isLiteral, i32(1), subtract(get(to), get(start))),
          ),
          failed,
        ),
        when(greaterUnsigned(get(length), subtract(get(toEnd), get(to))), failed),
        when(lessUnsigned(subtract(get(to), get(source)), i32(16)), pattern, leave(1)),
        move(0),
        when(
          greaterUnsigned(get(length), i32(16)),
          move(16),
          when(greaterUnsigned(get(length), i32(32)), move(32), move(48)),
        ),
        set(to, add(get(to), get(length))),
        leave(0),
      ),
    ),
    // The function's value: all of the input was taken, all of the output is there.
    [...get(to), ...get(toEnd), 0x46],
  ];
}
