import {
  add,
  and,
  atLeastUnsigned,
  type Code,
  differs,
  equals,
  get,
  greaterUnsigned,
  i32,
  isZero,
  leave,
  leaveIf,
  lessUnsigned,
  load32,
  load8,
  loop,
  multiply,
  or,
  set,
  shiftLeft,
  store32,
  subtract,
  when,
} from '../base/wasm-assembler.ts';
import { compareBytes } from './compare-code.ts';
import {
  fieldEnd,
  FORM,
  form,
  guess,
  left,
  length,
  METADATA,
  metadata,
  metadataTable,
  now,
  numbers,
  p,
  part,
  ranges,
  ref,
  right,
  stop,
  SYMBOL,
  symbol,
  symbols,
  symbolTable,
  word,
  wordEnd,
} from './familiar-locals.ts';

/*
 * The parts of the hot loop that only remote write 2.0 has. `depth` is that of the jump that leaves the loop.
 */

/** One packed field of references, shorter than 128 bytes, must come first; [p, fieldEnd) is set to them. */
export function references(depth: number): Code {
  return [...leaveIf(depth, differs(load8(get(p)), i32(0x0a))), ...shortField(depth)];
}

/** The field at `p`, of less than 128 bytes and within the TimeSeries: [p, fieldEnd) is set to its content. */
export function shortField(depth: number): Code {
  return [
    ...set(part, load8(get(p), 1)),
    ...leaveIf(depth, greaterUnsigned(get(part), i32(127))),
    ...set(p, add(get(p), i32(2))),
    ...set(fieldEnd, add(get(p), get(part))),
    ...leaveIf(depth, greaterUnsigned(get(fieldEnd), get(stop))),
  ];
}

/** The interned numbers of the references [p, fieldEnd) against those of the guess, which take `length` bytes. */
export function numbersOfReferences(depth: number): Code {
  // Within the loop and its `when` the way out is two levels longer.
  const inner = depth + 2;
  return [
    ...set(word, load32(get(form), FORM.address)),
    ...set(wordEnd, add(get(word), get(length))),
    ...loop(
      when(
        lessUnsigned(get(p), get(fieldEnd)),
        reference(inner),
        leaveIf(inner, atLeastUnsigned(get(word), get(wordEnd))),
        numberIs(inner, load32(get(word))),
        set(word, add(get(word), i32(4))),
        leave(1),
      ),
    ),
    ...leaveIf(depth, differs(get(p), get(fieldEnd))),
    ...leaveIf(depth, differs(get(word), get(wordEnd))),
  ];
}

/**
 * A metadata field, if one is at `p`: an empty one, or the one that the form's series was seen with and that is good for now, its parts in the usual
 * order.
 */
export function metadataField(depth: number): Code {
  const inField = depth + 1;
  const inContent = depth + 2;
  return when(
    and(lessUnsigned(get(p), get(stop)), equals(load8(get(p)), i32(0x2a))),
    shortField(inField),
    when(
      get(part),
      set(metadata, load32(get(form), FORM.metadata)),
      leaveIf(inContent, isZero(get(metadata))),
      set(metadata, add(get(metadataTable), shiftLeft(get(metadata), i32(METADATA.shift)))),
      leaveIf(inContent, atLeastUnsigned(get(now), load32(get(metadata), METADATA.goodUntil))),
      set(part, i32(0)),
      when(equals(load8(get(p)), i32(0x08)), set(part, load8(get(p), 1)), set(p, add(get(p), i32(2)))),
      // A type above 127, of more than one byte, is none that is known.
      leaveIf(inContent, greaterUnsigned(get(part), i32(127))),
      leaveIf(inContent, differs(get(part), load32(get(metadata), METADATA.type))),
      text(inContent, 0x18, METADATA.help),
      text(inContent, 0x20, METADATA.unit),
      leaveIf(inContent, differs(get(p), get(fieldEnd))),
    ),
  );
}

/** Help or unit; the reference is 0 when the field is absent. */
function text(depth: number, tag: number, offset: number): Code {
  return [
    ...set(ref, i32(0)),
    ...when(equals(load8(get(p)), i32(tag)), set(p, add(get(p), i32(1))), reference(depth + 1)),
    ...numberIs(depth, load32(get(metadata), offset)),
  ];
}

/** Reads `ref` at `p`: one byte, two or, above 16,383, three. Which is mostly the same at this place of every series, so branches are foretold. */
function reference(depth: number): Code {
  return [
    ...set(ref, load8(get(p))),
    ...when(
      greaterUnsigned(get(ref), i32(127)),
      set(part, load8(get(p), 1)),
      set(p, add(get(p), i32(1))),
      set(ref, or(and(get(ref), i32(127)), shiftLeft(and(get(part), i32(127)), i32(7)))),
      when(
        greaterUnsigned(get(part), i32(127)),
        set(part, load8(get(p), 1)),
        set(p, add(get(p), i32(1))),
        leaveIf(depth + 2, greaterUnsigned(get(part), i32(127))),
        set(ref, or(get(ref), shiftLeft(get(part), i32(14)))),
      ),
    ),
    ...set(p, add(get(p), i32(1))),
  ];
}

/** Leaves unless `ref` means the interned symbol of this number. */
function numberIs(depth: number, expected: Code): Code {
  const numberAt = add(get(numbers), shiftLeft(get(ref), i32(2)));
  const range = add(get(ranges), shiftLeft(get(ref), i32(3)));
  const guessed = add(get(symbolTable), multiply(get(guess), i32(SYMBOL.size)));
  return [
    ...leaveIf(depth, atLeastUnsigned(get(ref), get(symbols))),
    ...set(guess, expected),
    ...set(symbol, load32(numberAt)),
    ...when(
      isZero(get(symbol)),
      // First use in this message: if the guess is right, it is the symbol that is expected here.
      set(left, load32(range)),
      set(length, subtract(load32(range, 4), get(left))),
      leaveIf(depth + 1, differs(load32(guessed, SYMBOL.length), get(length))),
      set(right, load32(guessed, SYMBOL.address)),
      compareBytes(depth + 1),
      set(symbol, get(guess)),
      store32(numberAt, get(guess)),
    ),
    ...leaveIf(depth, differs(get(guess), get(symbol))),
  ];
}
