/** What a WireWalker does with the fields of messages, as a table to be written down. */

/** What to do with one field. */
export type FieldPlan =
  | { readonly kind: 'column'; readonly column: string }
  | { readonly kind: 'texts'; readonly column: string }
  | { readonly kind: 'numbers'; readonly column: string }
  | { readonly kind: 'decimals'; readonly column: string }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'span'; readonly register: number }
  | { readonly kind: 'spans'; readonly list: number }
  | { readonly kind: 'message'; readonly message: string };

/** Fields of each message by number; the first message is the record itself. */
export type MessagePlans = Readonly<Record<string, Readonly<Record<number, FieldPlan>>>>;

/** A number or a text into a column: a varint is cut to the column's width, a Float64 column takes it as a number, eight bytes as they are. */
export const toColumn = (column: string): FieldPlan => ({ kind: 'column', column });
/** A repeated text into an Array(String) column. */
export const toTexts = (column: string): FieldPlan => ({ kind: 'texts', column });
/** A repeated number, packed or not, into an array column; eight-byte values as doubles. */
export const toNumbers = (column: string): FieldPlan => ({ kind: 'numbers', column });
/** A repeated 64-bit number, packed or not, as decimal texts joined by commas into a text column. */
export const toDecimals = (column: string): FieldPlan => ({ kind: 'decimals', column });
/** A number into `low[register]` and `high[register]`. */
export const toRegister = (register: number): FieldPlan => ({ kind: 'register', register });
/** Bytes into `start[register]` and `end[register]`; of several, the last. */
export const toSpan = (register: number): FieldPlan => ({ kind: 'span', register });
/** Repeated bytes into `lists[list]`, for the decoder to go through. */
export const toSpans = (list: number): FieldPlan => ({ kind: 'spans', list });
/** A sub-message of `message`'s plan; `entered` tells that it came. */
export const toMessage = (message: string): FieldPlan => ({ kind: 'message', message });
