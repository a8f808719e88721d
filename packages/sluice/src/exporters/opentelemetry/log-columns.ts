import { bug } from '../../base/errors.ts';
import type { Batch, Column } from '../../batch/batch.ts';
import { valuesOf } from '../../batch/read.ts';
import { cellMaker, type CellSource } from '../cells-of.ts';
import type { NamedCells } from '../cells.ts';
import { columnNamed, uint32Values, uint8Values } from '../columns.ts';
import { Families } from '../families.ts';
import type { NameTables } from '../name-tables.ts';

/** Texts of a column: [start(row), end(row)) in `bytes`. */
export class TextColumn {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;

  constructor(column: Column) {
    const { bytes, ends } = column.kind === 'string' ? column : bug(`expected a text column; got ${column.kind}`);
    this.bytes = bytes;
    this.ends = ends;
  }

  start(row: number): number {
    let at = row === 0 ? 0 : this.ends[row - 1]!;
    while (this.bytes[at]! > 127) at++;
    return at + 1;
  }

  end(row: number): number {
    return this.ends[row]!;
  }
}

/** Numbers of which some rows have none (1 in `nulls`): 64 bits as two words a row, else one value. */
export interface OptionalColumn {
  readonly nulls: Uint8Array;
  readonly values: Uint8Array | Uint32Array;
}

/** Lists: elements [start(row), end(row)). */
export interface ListColumn<Element> {
  readonly start: (row: number) => number;
  readonly end: (row: number) => number;
  readonly elements: Element;
}

/** The columns of one Batch of flow_log.l7_flow_log in the forms in which spans are made of them. Each is looked up once. */
export class LogColumns {
  readonly batch: Batch;
  readonly #cells: CellSource;
  readonly #texts = new Map<string, TextColumn>();
  readonly #named = new Map<string, NamedCells>();

  constructor(batch: Batch, names: NameTables) {
    this.batch = batch;
    this.#cells = { batch, families: new Families(batch), names };
  }

  text(name: string): TextColumn {
    let text = this.#texts.get(name);
    if (text === undefined) {
      text = new TextColumn(columnNamed(this.batch, name));
      this.#texts.set(name, text);
    }
    return text;
  }

  bytes(name: string): Uint8Array {
    return uint8Values(columnNamed(this.batch, name));
  }

  shorts(name: string): Uint16Array {
    return valuesOf(columnNamed(this.batch, name), Uint16Array);
  }

  /** 32 bits a row; 64-bit values and addresses have several words. */
  words(name: string): Uint32Array {
    return uint32Values(columnNamed(this.batch, name));
  }

  /** Names in place of the ids or codes of a column, those of the exported field of this name. */
  named(name: string): NamedCells {
    let cells = this.#named.get(name);
    if (cells === undefined) {
      const { source } = this.batch;
      const field = source.exportFields?.find((one) => one.name === name) ?? bug(`there is no field ${name}`);
      const made = cellMaker(source, field, { names: true, enums: true })(this.#cells);
      cells = made.kind === 'named' ? made : bug(`expected names of ${name}; got ${made.kind}`);
      this.#named.set(name, cells);
    }
    return cells;
  }

  optional(name: string): OptionalColumn {
    const column = columnNamed(this.batch, name);
    if (column.kind !== 'nullable' || column.inner.kind !== 'fixed') return bug(`expected optional numbers of ${name}`);
    const values = column.inner.width === 1 ? column.inner.bytes : uint32Values(column.inner);
    return { nulls: column.nulls, values };
  }

  texts(name: string): ListColumn<TextColumn> {
    const { ends, element } = this.#list(name);
    return { ...bounds(ends), elements: new TextColumn(element) };
  }

  /** Doubles by their bytes, 8 each. */
  doubles(name: string): ListColumn<Uint8Array> {
    const { ends, element } = this.#list(name);
    return { ...bounds(ends), elements: uint8Values(element) };
  }

  #list(name: string): { readonly ends: Uint32Array; readonly element: Column } {
    const column = columnNamed(this.batch, name);
    return column.kind === 'array' ? column : bug(`expected lists of ${name}; got ${column.kind}`);
  }
}

function bounds(ends: Uint32Array): { start: (row: number) => number; end: (row: number) => number } {
  return { start: (row) => (row === 0 ? 0 : ends[row - 1]!), end: (row) => ends[row]! };
}
