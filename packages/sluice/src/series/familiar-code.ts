import type { LinearMemory } from '../base/linear-memory.ts';
import { STAGE, STAGE_ROWS } from '../base/sample-stage.ts';
import {
  add,
  and,
  and64,
  assemble,
  atLeastUnsigned,
  block,
  type Code,
  differs,
  differs64,
  equalBytes,
  equals,
  get,
  giveBack,
  greaterSigned64,
  greaterUnsigned,
  i32,
  i64,
  isZero,
  leave,
  leaveIf,
  lessSigned64,
  lessUnsigned,
  load128,
  load16,
  load32,
  load64,
  load8,
  loop,
  multiply,
  or,
  or64,
  set,
  shiftLeft,
  shiftRight,
  shiftRight64,
  store32,
  store64,
  subtract,
  when,
} from '../base/wasm-assembler.ts';

/*
 * The hot loop of remote write. It takes TimeSeries of a message one after the other as long as each is familiar:
 *
 *   - its labels (1.0: the bytes; 2.0: the interned numbers behind its references) are those that followed its predecessor's last time,
 *   - one sample follows and nothing else, in the usual form: `12 10 09 value 10 time`, or `12 07 10 time` for the value 0, with a time of six
 *     bytes (1987 to 2109) that is accepted,
 *   - no announcement of the series is due.
 *
 * Each becomes a row of the stage. At the first that is not familiar, at the message's end and when the stage is full it returns, with `at` before
 * what it did not take; it never judges anything wrong, that is left to the decoders. Reads up to 15 bytes behind the message.
 */

/** Adds rows to the stage at address `stage`; the other addresses are those of the tables' first records, `now` in seconds. */
export type TakeFamiliar = (
  stage: number,
  forms: number,
  records: number,
  ids: number,
  now: number,
  symbols: number,
) => number;

export interface FamiliarFunctions {
  readonly takeFamiliarV1: TakeFamiliar;
  readonly takeFamiliarV2: TakeFamiliar;
}

/** Byte offsets in the records of forms, series and symbols; the layouts stand in series-table.ts and symbol-table.ts. */
const FORM = { address: 0, sizeAndKind: 4, series: 8, successor: 12, seen: 20, shift: 5 } as const;
const SERIES = { seen: 0, due: 4, shift: 5 } as const;
const SYMBOL = { address: 0, length: 4, size: 12 } as const;
const ID_SHIFT = 4;

const [stage, forms, records, ids, now, symbolTable] = [0, 1, 2, 3, 4, 5] as const;
const [at, end, previous, rows, p, stop, form, number, length, tail] = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const [timeAt, left, right, series, part, word, wordEnd, ref, symbol] = [16, 17, 18, 19, 20, 21, 22, 23, 24] as const;
const [symbols, numbers, ranges, guess] = [25, 26, 27, 28] as const;
const I32_LOCALS = 23;
const [value, time, minTaken, maxTaken] = [29, 30, 31, 32] as const;

export function familiarFunctions({ memory }: LinearMemory): FamiliarFunctions {
  const locals = { parameters: 6, i32Locals: I32_LOCALS, i64Locals: 4 };
  return assemble(memory, [
    { name: 'takeFamiliarV1', ...locals, body: walk(0x0a, formGuess(0), labels()) },
    { name: 'takeFamiliarV2', ...locals, body: walk(0x2a, [...references(), ...formGuess(1)], numbersOfReferences()) },
  ]) as unknown as FamiliarFunctions;
}

/**
 * The loop; within `find` and `compare` a jump of depth 1 leaves it. `find` sets `form` to the record of the guess and `tail` to where its
 * labels must end if it is right; `compare` leaves the loop when it is not.
 */
function walk(tag: number, find: Code, compare: Code): readonly Code[] {
  const field = (offset: number): Code => load32(get(stage), offset);
  return [
    set(at, field(STAGE.at)),
    set(end, field(STAGE.end)),
    set(previous, field(STAGE.previous)),
    set(rows, field(STAGE.rows)),
    set(symbols, field(STAGE.symbols)),
    set(numbers, field(STAGE.numbers)),
    set(ranges, field(STAGE.ranges)),
    set(minTaken, load64(get(stage), STAGE.minTaken)),
    set(maxTaken, load64(get(stage), STAGE.maxTaken)),
    block(
      loop(
        leaveIf(1, atLeastUnsigned(get(at), get(end))),
        leaveIf(1, atLeastUnsigned(get(rows), i32(STAGE_ROWS))),
        leaveIf(1, differs(load8(get(at)), i32(tag))),
        // The length of the TimeSeries, of one or two bytes.
        set(length, load8(get(at), 1)),
        set(p, add(get(at), i32(2))),
        when(
          greaterUnsigned(get(length), i32(127)),
          set(part, load8(get(p))),
          leaveIf(2, greaterUnsigned(get(part), i32(127))),
          set(length, or(and(get(length), i32(127)), shiftLeft(get(part), i32(7)))),
          set(p, add(get(p), i32(1))),
        ),
        set(stop, add(get(p), get(length))),
        leaveIf(1, greaterUnsigned(get(stop), get(end))),
        find,
        sampleAtTail(),
        compare,
        row(),
        set(previous, get(number)),
        set(at, get(stop)),
        leave(0),
      ),
    ),
    store32(get(stage), get(at), STAGE.at),
    store32(get(stage), get(previous), STAGE.previous),
    store32(get(stage), get(rows), STAGE.rows),
    store64(get(stage), get(minTaken), STAGE.minTaken),
    store64(get(stage), get(maxTaken), STAGE.maxTaken),
    giveBack(get(at)),
  ];
}

function recordOf(table: number, record: Code, shift: number): Code {
  return add(get(table), shiftLeft(record, i32(shift)));
}

/** The form that followed last time, if it is one of this kind; `length` becomes its length, and for 1.0 `tail` its end in the message. */
function formGuess(kind: 0 | 1): Code {
  return [
    ...set(number, load32(recordOf(forms, get(previous), FORM.shift), FORM.successor)),
    ...leaveIf(1, isZero(get(number))),
    ...set(form, recordOf(forms, get(number), FORM.shift)),
    ...set(length, load32(get(form), FORM.sizeAndKind)),
    ...leaveIf(1, differs(and(get(length), i32(1)), i32(kind))),
    ...leaveIf(1, isZero(load32(get(form), FORM.series))),
    ...set(length, shiftRight(get(length), i32(1))),
    ...(kind === 0 ? set(tail, add(get(p), get(length))) : []),
  ];
}

/** Within a `when` within a block of the loop, three levels below its end. */
function unless(condition: Code): Code {
  return leaveIf(3, isZero(condition));
}

/** [tail, stop) must be one sample: sets `value` and `time`, or leaves the loop. */
function sampleAtTail(): Code {
  const groups: readonly Code[] = [0, 1, 2, 3, 4, 5].map((group) =>
    and64(shiftRight64(get(time), i64(BigInt(group))), i64(0x7fn << BigInt(group * 7))),
  );
  return [
    ...block(
      set(part, subtract(get(stop), get(tail))),
      when(
        equals(get(part), i32(18)),
        unless(equals(load16(get(tail)), i32(0x1012))),
        unless(equals(load8(get(tail), 2), i32(0x09))),
        unless(equals(load8(get(tail), 11), i32(0x10))),
        set(value, load64(get(tail), 3)),
        set(timeAt, add(get(tail), i32(12))),
        leave(1),
      ),
      when(
        equals(get(part), i32(9)),
        unless(equals(load16(get(tail)), i32(0x0712))),
        unless(equals(load8(get(tail), 2), i32(0x10))),
        set(value, i64(0n)),
        set(timeAt, add(get(tail), i32(3))),
        leave(1),
      ),
      leave(2),
    ),
    ...set(time, load64(get(timeAt))),
    ...leaveIf(1, differs64(and64(get(time), i64(0x808080808080n)), i64(0x008080808080n))),
    ...set(
      time,
      groups.reduce((sum, group) => or64(sum, group)),
    ),
    ...leaveIf(1, lessSigned64(get(time), load64(get(stage), STAGE.minAccepted))),
    ...leaveIf(1, greaterSigned64(get(time), load64(get(stage), STAGE.maxAccepted))),
  ];
}

/** Leaves `depth` levels unless `length` bytes at `left` and `right` are equal. */
function compareBytes(depth: number): Code {
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

/** 1.0: the label fields against the guess. */
function labels(): Code {
  return [...set(left, get(p)), ...set(right, load32(get(form), FORM.address)), ...compareBytes(1)];
}

/** 2.0: one packed field of references, shorter than 128 bytes, must come first; `p` and `tail` are set to its ends. */
function references(): Code {
  return [
    ...leaveIf(1, differs(load8(get(p)), i32(0x0a))),
    ...set(part, load8(get(p), 1)),
    ...leaveIf(1, greaterUnsigned(get(part), i32(127))),
    ...set(p, add(get(p), i32(2))),
    ...set(tail, add(get(p), get(part))),
    ...leaveIf(1, greaterUnsigned(get(tail), get(stop))),
  ];
}

/** 2.0: the interned numbers of the references against those of the guess. */
function numbersOfReferences(): Code {
  const numberAt = add(get(numbers), shiftLeft(get(ref), i32(2)));
  const range = add(get(ranges), shiftLeft(get(ref), i32(3)));
  const guessed = add(get(symbolTable), multiply(get(guess), i32(SYMBOL.size)));
  return [
    ...set(word, load32(get(form), FORM.address)),
    ...set(wordEnd, add(get(word), get(length))),
    ...loop(
      when(
        lessUnsigned(get(p), get(tail)),
        // Within the `when` the loop's end is three levels away.
        // One byte, two or, above 16,383, three. Which is mostly the same at this place of every series, so branches are foretold.
        set(ref, load8(get(p))),
        when(
          greaterUnsigned(get(ref), i32(127)),
          set(part, load8(get(p), 1)),
          set(p, add(get(p), i32(1))),
          set(ref, or(and(get(ref), i32(127)), shiftLeft(and(get(part), i32(127)), i32(7)))),
          when(
            greaterUnsigned(get(part), i32(127)),
            set(part, load8(get(p), 1)),
            set(p, add(get(p), i32(1))),
            leaveIf(5, greaterUnsigned(get(part), i32(127))),
            set(ref, or(get(ref), shiftLeft(get(part), i32(14)))),
          ),
        ),
        set(p, add(get(p), i32(1))),
        leaveIf(3, atLeastUnsigned(get(ref), get(symbols))),
        leaveIf(3, atLeastUnsigned(get(word), get(wordEnd))),
        set(symbol, load32(numberAt)),
        when(
          isZero(get(symbol)),
          // First use in this message: if the guess is right, it is the symbol that the form has here.
          set(guess, load32(get(word))),
          set(left, load32(range)),
          set(length, subtract(load32(range, 4), get(left))),
          leaveIf(4, differs(load32(guessed, SYMBOL.length), get(length))),
          set(right, load32(guessed, SYMBOL.address)),
          compareBytes(4),
          set(symbol, get(guess)),
          store32(numberAt, get(guess)),
        ),
        leaveIf(3, differs(load32(get(word)), get(symbol))),
        set(word, add(get(word), i32(4))),
        leave(1),
      ),
    ),
    ...leaveIf(1, differs(get(p), get(tail))),
    ...leaveIf(1, differs(get(word), get(wordEnd))),
  ];
}

/** Adds the row, unless the series must be announced, and marks form and series as seen. */
function row(): Code {
  const place = add(get(stage), shiftLeft(get(rows), i32(3)));
  const record = recordOf(records, get(series), SERIES.shift);
  const id = recordOf(ids, get(series), ID_SHIFT);
  return [
    ...set(series, load32(get(form), FORM.series)),
    ...leaveIf(1, atLeastUnsigned(get(now), load32(record, SERIES.due))),
    ...store32(record, get(now), SERIES.seen),
    ...store32(get(form), get(now), FORM.seen),
    ...store64(place, load64(id), STAGE.metricIds),
    ...store64(place, load64(id, 8), STAGE.seriesIds),
    ...store64(place, get(time), STAGE.times),
    ...store64(place, get(value), STAGE.values),
    ...when(lessSigned64(get(time), get(minTaken)), set(minTaken, get(time))),
    ...when(greaterSigned64(get(time), get(maxTaken)), set(maxTaken, get(time))),
    ...set(rows, add(get(rows), i32(1))),
  ];
}
