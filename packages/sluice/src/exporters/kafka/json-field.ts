import type { JsonBlock, ListEnds } from './json-block.ts';
import { Fragment, type JsonOut } from './json-out.ts';

/** One field of the rows of a Batch as `,"key":value`. Made once for a Batch. */
export interface JsonField {
  /** Bytes that no row's text exceeds, key included, beside what `lists` adds. */
  readonly most: number;
  readonly lists?: ListEnds | undefined;
  /** Writes the field behind what the rows of a block have, or nothing where it is left out. */
  put(block: JsonBlock): void;
}

/** Writes a field of a row from `at` on, or nothing where it is left out; tells where it ends. */
export type PutField = (out: JsonOut, at: number, row: number) => number;

/** Writes fields that are rare: others have loops of their own. */
export function eachRow(put: PutField, nulls: Uint8Array | undefined): JsonField['put'] {
  return ({ out, rows, ends, count }) => {
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      if (nulls === undefined || nulls[row] !== 1) ends[i] = put(out, ends[i]!, row);
    }
  };
}

/** A text that all rows have. */
function constantField(text: Fragment): JsonField {
  return {
    most: text.length + 8,
    put: ({ out, ends, count }) => {
      const { view } = out;
      for (let i = 0; i < count; i++) ends[i] = text.put(view, ends[i]!);
    },
  };
}

/** Of a field that is the same in all rows: its text. */
export function textOf(field: JsonField, block: JsonBlock): Uint8Array {
  block.begin(new Uint32Array(1), 0, 1);
  if (field.lists !== undefined) block.addRoom(field.lists);
  block.place(field.most);
  field.put(block);
  return block.out.bytes.slice(0, block.ends[0]);
}

/** Fields with those that follow one another and are the same in all rows as one. A list of theirs: their text, undefined for others. */
export function joined(fields: readonly (JsonField | Uint8Array)[]): JsonField[] {
  const all: JsonField[] = [];
  let constant: Uint8Array[] = [];
  const end = (): void => {
    const bytes = Buffer.concat(constant);
    if (bytes.length > 0) all.push(constantField(new Fragment(bytes)));
    constant = [];
  };
  for (const field of fields) {
    if (field instanceof Uint8Array) {
      constant.push(field);
      continue;
    }
    end();
    all.push(field);
  }
  end();
  return all;
}
