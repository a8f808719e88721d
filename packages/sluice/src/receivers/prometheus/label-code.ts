import type { LinearMemory } from '../../base/linear-memory.ts';
import {
  add,
  and,
  assemble,
  block,
  type Code,
  copyMemory,
  get,
  giveBack,
  greaterUnsigned,
  highBits,
  i32,
  isZero,
  leave,
  leaveIf,
  load128,
  loop,
  or,
  set,
  shiftLeft,
  shiftRight,
  store8,
  subtract,
  when,
} from '../../base/wasm-assembler.ts';

/** Work on labels of new series that goes byte by byte. */
export interface LabelFunctions {
  /** 1 when the `length` bytes at `address` are ASCII. Reads up to 15 bytes more. */
  readonly isAscii: (address: number, length: number) => number;
  /** Writes a label's canonical field (base/label-fields.ts) to the address `to`; returns where it ends. */
  readonly putLabel: (to: number, name: number, nameLength: number, value: number, valueLength: number) => number;
}

export function labelFunctions({ memory }: LinearMemory): LabelFunctions {
  return assemble(memory, [isAscii(), putLabel()]) as unknown as LabelFunctions;
}

function isAscii() {
  const [address, length] = [0, 1] as const;
  const bits = highBits(load128(get(address)));
  return {
    name: 'isAscii',
    parameters: 2,
    body: [
      block(
        loop(
          leaveIf(1, isZero(greaterUnsigned(get(length), i32(15)))),
          when(bits, giveBack(i32(0))),
          set(address, add(get(address), i32(16))),
          set(length, subtract(get(length), i32(16))),
          leave(0),
        ),
      ),
      giveBack(isZero(and(bits, subtract(shiftLeft(i32(1), get(length)), i32(1))))),
    ],
  };
}

function putLabel() {
  const [to, name, nameLength, value, valueLength] = [0, 1, 2, 3, 4] as const;
  const [rest, size] = [5, 6] as const;
  const putByte = (byte: Code): Code => [...store8(get(to), byte), ...set(to, add(get(to), i32(1)))];
  const putVarint = (number: Code): Code => [
    ...set(rest, number),
    ...loop(
      when(
        greaterUnsigned(get(rest), i32(127)),
        putByte(or(get(rest), i32(128))),
        set(rest, shiftRight(get(rest), i32(7))),
        leave(1),
      ),
    ),
    ...putByte(get(rest)),
  ];
  const addSize = (number: Code): Code => [
    ...set(rest, number),
    ...set(size, add(get(size), add(get(rest), i32(2)))),
    ...loop(
      when(
        greaterUnsigned(get(rest), i32(127)),
        set(size, add(get(size), i32(1))),
        set(rest, shiftRight(get(rest), i32(7))),
        leave(1),
      ),
    ),
  ];
  const putText = (tag: number, address: number, length: number): Code => [
    ...putByte(i32(tag)),
    ...putVarint(get(length)),
    ...copyMemory(get(to), get(address), get(length)),
    ...set(to, add(get(to), get(length))),
  ];
  return {
    name: 'putLabel',
    parameters: 5,
    i32Locals: 2,
    body: [
      set(size, i32(0)),
      addSize(get(nameLength)),
      addSize(get(valueLength)),
      putByte(i32(0x0a)),
      putVarint(get(size)),
      putText(0x0a, name, nameLength),
      putText(0x12, value, valueLength),
      giveBack(get(to)),
    ],
  };
}
