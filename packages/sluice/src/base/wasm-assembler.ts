/**
 * A minimal WebAssembly assembler: just what the few functions need that JavaScript cannot do fast (comparing, hashing and copying bytes 8 or 16
 * at a time). An expression is the array of its opcodes, so a function reads like the expression tree it is; the module is put together at start,
 * there is no generated artefact. Opcodes: WebAssembly core specification 2.0, section 5.4.
 */
export type Code = readonly number[];

export interface WasmFunction {
  readonly name: string;
  /** Number of i32 parameters: locals 0, 1, ... */
  readonly parameters: number;
  /** Further locals, numbered on: first the i32 ones, then the i64 ones. */
  readonly i32Locals?: number;
  readonly i64Locals?: number;
  /** Leaves one i32. */
  readonly body: readonly Code[];
}

const MAGIC_AND_VERSION: Code = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const I32 = 0x7f;
const I64 = 0x7e;
const NOTHING = 0x40;

/** Builds and instantiates a module of functions that return an i32 and work on `memory`. */
export function assemble(memory: WebAssembly.Memory, functions: readonly WasmFunction[]): WebAssembly.Exports {
  const types = functions.map(({ parameters }) => [0x60, ...vector(repeat([I32], parameters)), 1, I32]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, index]);
  const bodies = functions.map(({ i32Locals = 0, i64Locals = 0, body }) => {
    const code = [
      ...vector([
        [i32Locals, I32],
        [i64Locals, I64],
      ]),
      ...body.flat(),
      0x0b,
    ];
    return [...unsigned(code.length), ...code];
  });
  const bytes = new Uint8Array([
    ...MAGIC_AND_VERSION,
    ...section(1, vector(types)),
    ...section(2, vector([[...text('host'), ...text('memory'), 2, 0, 1]])),
    ...section(3, vector(functions.map((_, index) => [index]))),
    ...section(7, vector(exported)),
    ...section(10, vector(bodies)),
  ]);
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { host: { memory } }).exports;
}

export const get = (local: number): Code => [0x20, local];
export const set = (local: number, value: Code): Code => [...value, 0x21, local];
export const i32 = (value: number): Code => [0x41, ...signed(BigInt(value | 0))];
export const i64 = (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))];

const binary =
  (opcode: number) =>
  (left: Code, right: Code): Code => [...left, ...right, opcode];
export const equals = binary(0x46);
export const differs = binary(0x47);
export const lessUnsigned = binary(0x49);
export const greaterUnsigned = binary(0x4b);
export const atLeastUnsigned = binary(0x4f);
export const add = binary(0x6a);
export const subtract = binary(0x6b);
export const and = binary(0x71);
export const or = binary(0x72);
export const shiftLeft = binary(0x74);
export const shiftRight = binary(0x76);
export const multiply = binary(0x6c);
export const differs64 = binary(0x52);
export const lessSigned64 = binary(0x53);
export const greaterSigned64 = binary(0x55);
export const add64 = binary(0x7c);
export const subtract64 = binary(0x7d);
export const and64 = binary(0x83);
export const or64 = binary(0x84);
export const xor64 = binary(0x85);
export const shiftLeft64 = binary(0x86);
export const shiftRight64 = binary(0x88);
export const rotate64 = binary(0x89);

export const isZero = (value: Code): Code => [...value, 0x45];
export const wrap = (value: Code): Code => [...value, 0xa7];
export const widen = (value: Code): Code => [...value, 0xad];
/** `condition ? yes : no`, both evaluated. */
export const select = (condition: Code, yes: Code, no: Code): Code => [...yes, ...no, ...condition, 0x1b];

// Addresses need no alignment.
const load =
  (...opcode: number[]) =>
  (address: Code, offset = 0): Code => [...address, ...opcode, 0, ...unsigned(offset)];
export const load8 = load(0x2d);
export const load16 = load(0x2f);
export const load32 = load(0x28);
export const load64 = load(0x29);
export const load128 = load(0xfd, 0x00);
const store =
  (...opcode: number[]) =>
  (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...opcode, 0, ...unsigned(offset)];
export const store8 = store(0x3a);
export const store32 = store(0x36);
export const store64 = store(0x37);
export const store128 = store(0xfd, 0x0b);
/** Bit i is set when byte i of the two vectors is equal. */
export const equalBytes = (left: Code, right: Code): Code => [...left, ...right, 0xfd, 0x23, 0xfd, 0x64];
/** Bit i is set when byte i of the vector is 128 or more. */
export const highBits = (bytes: Code): Code => [...bytes, 0xfd, 0x64];
export const copyMemory = (to: Code, from: Code, length: Code): Code => [...to, ...from, ...length, 0xfc, 0x0a, 0, 0];

/** Structured control: `leave` counts enclosing blocks from the inside; leaving a `loop` starts it again. */
export const block = (...body: readonly Code[]): Code => [0x02, NOTHING, ...body.flat(), 0x0b];
export const loop = (...body: readonly Code[]): Code => [0x03, NOTHING, ...body.flat(), 0x0b];
export const when = (condition: Code, ...body: readonly Code[]): Code => [
  ...condition,
  0x04,
  NOTHING,
  ...body.flat(),
  0x0b,
];
export const leave = (depth: number): Code => [0x0c, depth];
export const leaveIf = (depth: number, condition: Code): Code => [...condition, 0x0d, depth];
export const giveBack = (value: Code): Code => [...value, 0x0f];

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function repeat(item: Code, count: number): readonly Code[] {
  return Array.from({ length: count }, () => item);
}

function text(value: string): Code {
  return vector(Array.from(value, (character) => [character.charCodeAt(0)]));
}

function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return [...bytes, rest];
}

function signed(value: bigint): Code {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 127n);
    rest >>= 7n;
    if ((rest === 0n && (low & 64) === 0) || (rest === -1n && (low & 64) !== 0)) return [...bytes, low];
    bytes.push(low | 128);
  }
}
