import type { LinearMemory } from '../../base/linear-memory.ts';
import { STAGE } from '../../base/sample-stage.ts';
import {
  add,
  and,
  assemble,
  atLeastUnsigned,
  block,
  differs,
  equals,
  get,
  giveBack,
  greaterUnsigned,
  i32,
  isZero,
  leave,
  leaveIf,
  load32,
  load8,
  loop,
  or,
  set,
  shiftLeft,
  store32,
  when,
} from '../../base/wasm-assembler.ts';

/**
 * The first pass over a 2.0 Request: notes the ranges of symbols (field 4) in the stage's table, their numbers as not asked yet (0), and counts
 * TimeSeries (field 5). Stops, and returns where, at any other field, at one whose length takes more than two bytes or reaches beyond the message, at
 * the message's end, and when the table holds `room` symbols.
 */
export type ScanSymbols = (stage: number, at: number, end: number, room: number) => number;

export function scanSymbols({ memory }: LinearMemory): ScanSymbols {
  const [stage, at, end, room] = [0, 1, 2, 3] as const;
  const [count, ranges, numbers, tag, length, p, part] = [4, 5, 6, 7, 8, 9, 10] as const;
  const field = (offset: number) => load32(get(stage), offset);
  const body = [
    set(count, field(STAGE.symbols)),
    set(ranges, field(STAGE.ranges)),
    set(numbers, field(STAGE.numbers)),
    block(
      loop(
        leaveIf(1, atLeastUnsigned(get(at), get(end))),
        leaveIf(1, atLeastUnsigned(get(count), get(room))),
        set(tag, load8(get(at))),
        leaveIf(1, and(differs(get(tag), i32(0x22)), differs(get(tag), i32(0x2a)))),
        set(length, load8(get(at), 1)),
        set(p, add(get(at), i32(2))),
        when(
          greaterUnsigned(get(length), i32(127)),
          set(part, load8(get(p))),
          leaveIf(2, greaterUnsigned(get(part), i32(127))),
          set(length, or(and(get(length), i32(127)), shiftLeft(get(part), i32(7)))),
          set(p, add(get(p), i32(1))),
        ),
        set(length, add(get(p), get(length))),
        leaveIf(1, greaterUnsigned(get(length), get(end))),
        when(
          equals(get(tag), i32(0x22)),
          store32(add(get(ranges), shiftLeft(get(count), i32(3))), get(p)),
          store32(add(get(ranges), shiftLeft(get(count), i32(3))), get(length), 4),
          store32(add(get(numbers), shiftLeft(get(count), i32(2))), i32(0)),
          set(count, add(get(count), i32(1))),
          set(at, get(length)),
          leave(1),
        ),
        when(isZero(field(STAGE.firstEntry)), store32(get(stage), get(at), STAGE.firstEntry)),
        store32(get(stage), add(field(STAGE.entries), i32(1)), STAGE.entries),
        set(at, get(length)),
        leave(0),
      ),
    ),
    store32(get(stage), get(count), STAGE.symbols),
    giveBack(get(at)),
  ];
  const exports = assemble(memory, [{ name: 'scanSymbols', parameters: 4, i32Locals: 7, body }]);
  return exports['scanSymbols'] as ScanSymbols;
}
