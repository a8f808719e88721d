import { bug } from '../base/errors.ts';
import type { RowBlock } from '../batch/row-block.ts';
import type { FieldPlan, MessagePlans } from './wire-plans.ts';

/**
 * What is done with the value of a field, and to what: an entry of the table is target * 32 + kind. The target is a register, a text, a message or a
 * column; of plain numbers, where the column begins in the block's memory, counted in numbers.
 */
export const KIND = {
  SKIP: 0,
  U8: 1,
  U16: 2,
  U32: 3,
  U64: 4,
  F64: 5,
  REGISTER: 6,
  TEXT: 7,
  SPAN: 8,
  MESSAGE: 9,
  NULLABLE: 10,
  TEXTS: 11,
  NUMBERS: 12,
  DECIMALS: 13,
  SPANS: 14,
  /** No field has number 0. */
  NO_FIELD: 15,
} as const;

/** `fieldBits`: plans may name the fields 1 to 127. */
export const LAYOUT = { kindBits: 5, kindMask: 31, fieldBits: 7 } as const;

const { kindBits, kindMask, fieldBits } = LAYOUT;

/** Bytes by which the target of a plain number is counted, by kind. */
const UNIT = [1, 1, 2, 4, 4, 8];

/** Plans of messages compiled for blocks of one table: an entry for each message (its number in the upper bits) and field number. */
export class WireTable {
  readonly entries: Int32Array;
  readonly #plans: MessagePlans;
  readonly #names: readonly string[];
  /** Slots that hold plain numbers, and their columns. */
  readonly #numberSlots: number[] = [];
  readonly #numberColumns: number[] = [];
  #isCompiled = false;

  constructor(plans: MessagePlans) {
    this.#plans = plans;
    this.#names = Object.keys(plans);
    this.entries = new Int32Array(this.#names.length << fieldBits);
  }

  get messages(): number {
    return this.#names.length;
  }

  message(name: string): number {
    const number = this.#names.indexOf(name);
    return number < 0 ? bug(`no plan for message ${name}`) : number;
  }

  /** Points the plain numbers to the memory of a block; none for plans without columns. */
  bind(block: RowBlock | undefined): void {
    if (!this.#isCompiled) this.#compile(block);
    if (block === undefined) return;
    const { entries } = this;
    for (let index = 0; index < this.#numberSlots.length; index++) {
      const slot = this.#numberSlots[index]!;
      const kind = entries[slot]! & kindMask;
      entries[slot] = ((block.fixed[this.#numberColumns[index]!]!.start / UNIT[kind]!) << kindBits) | kind;
    }
  }

  #compile(block: RowBlock | undefined): void {
    for (const [message, fields] of Object.values(this.#plans).entries()) {
      this.entries[message << fieldBits] = KIND.NO_FIELD;
      for (const [number, plan] of Object.entries(fields)) {
        const [kind, target] = this.#resolve(plan, block);
        const slot = (message << fieldBits) | Number(number);
        this.entries[slot] = (target << kindBits) | kind;
        if (kind !== KIND.SKIP && kind <= KIND.F64) {
          this.#numberSlots.push(slot);
          this.#numberColumns.push(target);
        }
      }
    }
    this.#isCompiled = true;
  }

  #resolve(plan: FieldPlan, block: RowBlock | undefined): [kind: number, target: number] {
    switch (plan.kind) {
      case 'message':
        return [KIND.MESSAGE, this.message(plan.message)];
      case 'register':
        return [KIND.REGISTER, plan.register];
      case 'span':
        return [KIND.SPAN, plan.register];
      case 'spans':
        return [KIND.SPANS, plan.list];
      case 'column':
      case 'texts':
      case 'numbers':
      case 'decimals':
        return columnEntry(plan, block ?? bug('a record that goes into columns needs a block'));
    }
  }
}

/** Number of registers of a kind: one more than the greatest. */
export function registersOf(plans: MessagePlans, kind: 'register' | 'span'): number {
  let count = 0;
  for (const fields of Object.values(plans)) {
    for (const plan of Object.values(fields)) {
      if (plan.kind === kind) count = Math.max(count, plan.register + 1);
    }
  }
  return count;
}

export function listsOf(plans: MessagePlans): number {
  let count = 0;
  for (const fields of Object.values(plans)) {
    for (const plan of Object.values(fields)) if (plan.kind === 'spans') count = Math.max(count, plan.list + 1);
  }
  return count;
}

function columnEntry(
  plan: Extract<FieldPlan, { readonly column: string }>,
  block: RowBlock,
): [kind: number, target: number] {
  const column = block.column(plan.column);
  switch (plan.kind) {
    case 'texts':
      return [KIND.TEXTS, column];
    case 'numbers':
      return [KIND.NUMBERS, column];
    case 'decimals':
      return [KIND.DECIMALS, column];
    case 'column': {
      const text = block.textOf[column]!;
      if (text >= 0) return [KIND.TEXT, text];
      return [block.nulls[column] === undefined ? numberKind(block, column) : KIND.NULLABLE, column];
    }
  }
}

function numberKind(block: RowBlock, column: number): number {
  if (block.isDouble(column)) return KIND.F64;
  const kind = new Map([
    [1, KIND.U8],
    [2, KIND.U16],
    [4, KIND.U32],
    [8, KIND.U64],
  ]).get(block.fixed[column]?.width ?? 0);
  return kind ?? bug(`column ${column} of ${block.source.id} does not take a number of the wire`);
}
