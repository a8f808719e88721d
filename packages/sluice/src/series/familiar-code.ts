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
  load32,
  load64,
  load8,
  loop,
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
import { compareBytes } from './compare-code.ts';
import {
  at,
  end,
  fieldEnd,
  FORM,
  form,
  forms,
  I32_LOCALS,
  I64_LOCALS,
  ID_SHIFT,
  ids,
  left,
  length,
  maxTaken,
  minTaken,
  now,
  number,
  numbers,
  p,
  PARAMETERS,
  part,
  previous,
  ranges,
  records,
  right,
  rows,
  SERIES,
  series,
  stage,
  stop,
  symbols,
  time,
  value,
} from './familiar-locals.ts';
import { metadataField, numbersOfReferences, references, shortField } from './familiar-references-code.ts';

/*
 * The hot loop of remote write. It takes TimeSeries of a message one after the other as long as each is familiar:
 *
 *   - its labels (1.0: the bytes; 2.0: the interned numbers behind its references) are those that followed its predecessor's last time,
 *   - one sample follows, in the usual form: `12 10 09 value 10 time`, or `12 07 10 time` for the value 0, with a time of six bytes (1987 to 2109) that
 *     is accepted, and perhaps a start time `18 time` behind it, which is not kept,
 *   - before or behind the sample metadata may stand (2.0), if it is empty or what was said with these labels last time and is not to be written again
 *     yet; and nothing else,
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
  metadata: number,
) => number;

export interface FamiliarFunctions {
  readonly takeFamiliarV1: TakeFamiliar;
  readonly takeFamiliarV2: TakeFamiliar;
}

/** In the body of the loop a jump of this depth leaves it. */
const OUT = 1;

export function familiarFunctions({ memory }: LinearMemory): FamiliarFunctions {
  const locals = { parameters: PARAMETERS, i32Locals: I32_LOCALS, i64Locals: I64_LOCALS };
  const fieldsV1 = [formGuess(0), labels(), sample()];
  const fieldsV2 = [
    references(OUT),
    formGuess(1),
    numbersOfReferences(OUT),
    metadataField(OUT),
    sample(),
    metadataField(OUT),
  ];
  return assemble(memory, [
    { name: 'takeFamiliarV1', ...locals, body: walk(0x0a, fieldsV1) },
    { name: 'takeFamiliarV2', ...locals, body: walk(0x2a, fieldsV2) },
  ]) as unknown as FamiliarFunctions;
}

/** The loop; `fields` go through the fields of the TimeSeries from `p` on, and must get to `stop`. */
function walk(tag: number, fields: readonly Code[]): readonly Code[] {
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
        ...fields,
        leaveIf(1, differs(get(p), get(stop))),
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

function field(offset: number): Code {
  return load32(get(stage), offset);
}

function recordOf(table: number, record: Code, shift: number): Code {
  return add(get(table), shiftLeft(record, i32(shift)));
}

/** The form that followed last time, if it is one of this kind; `length` becomes its length. */
function formGuess(kind: 0 | 1): Code {
  return [
    ...set(number, load32(recordOf(forms, get(previous), FORM.shift), FORM.successor)),
    ...leaveIf(OUT, isZero(get(number))),
    ...set(form, recordOf(forms, get(number), FORM.shift)),
    ...set(length, load32(get(form), FORM.sizeAndKind)),
    ...leaveIf(OUT, differs(and(get(length), i32(1)), i32(kind))),
    ...leaveIf(OUT, isZero(load32(get(form), FORM.series))),
    ...set(length, shiftRight(get(length), i32(1))),
  ];
}

/** 1.0: the label fields at `p` against the guess. */
function labels(): Code {
  return [
    ...leaveIf(OUT, greaterUnsigned(get(length), subtract(get(stop), get(p)))),
    ...set(left, get(p)),
    ...set(p, add(get(p), get(length))),
    ...set(right, load32(get(form), FORM.address)),
    ...compareBytes(OUT),
  ];
}

/** One sample at `p`: sets `value` and `time`. */
function sample(): Code {
  const groups: readonly Code[] = [0, 1, 2, 3, 4, 5].map((group) =>
    and64(shiftRight64(get(time), i64(BigInt(group))), i64(0x7fn << BigInt(group * 7))),
  );
  return [
    ...leaveIf(OUT, differs(load8(get(p)), i32(0x12))),
    ...shortField(OUT),
    ...set(value, i64(0n)),
    ...when(equals(load8(get(p)), i32(0x09)), set(value, load64(get(p), 1)), set(p, add(get(p), i32(9)))),
    ...leaveIf(OUT, differs(load8(get(p)), i32(0x10))),
    ...set(time, load64(get(p), 1)),
    ...leaveIf(OUT, isNoTime(get(time))),
    ...set(p, add(get(p), i32(7))),
    ...when(
      differs(get(p), get(fieldEnd)),
      // The start time: only that it is well-formed matters.
      leaveIf(OUT + 1, differs(load8(get(p)), i32(0x18))),
      leaveIf(OUT + 1, isNoTime(load64(get(p), 1))),
      set(p, add(get(p), i32(7))),
      leaveIf(OUT + 1, differs(get(p), get(fieldEnd))),
    ),
    ...set(
      time,
      groups.reduce((sum, group) => or64(sum, group)),
    ),
    ...leaveIf(OUT, lessSigned64(get(time), load64(get(stage), STAGE.minAccepted))),
    ...leaveIf(OUT, greaterSigned64(get(time), load64(get(stage), STAGE.maxAccepted))),
  ];
}

/** Whether the bytes do not begin with a varint of six bytes. */
function isNoTime(bytes: Code): Code {
  return differs64(and64(bytes, i64(0x808080808080n)), i64(0x008080808080n));
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
