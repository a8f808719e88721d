import { bug } from '../../base/errors.ts';
import type { Batch, Column } from '../../batch/batch.ts';
import { valuesOf } from '../../batch/read.ts';
import type { FieldColumns } from './field-columns.ts';

/** Texts of a column, by number. */
export class TextColumn {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #ends: Uint32Array;

  constructor(column: Column) {
    if (column.kind !== 'string') bug(`expected a text column; got ${column.kind}`);
    this.bytes = column.bytes;
    this.view = new DataView(column.bytes.buffer, column.bytes.byteOffset, column.bytes.length);
    this.#ends = column.ends;
  }

  /** Where text `index` begins, behind its length. */
  start(index: number): number {
    let at = index === 0 ? 0 : this.#ends[index - 1]!;
    while (this.bytes[at]! > 127) at++;
    return at + 1;
  }

  end(index: number): number {
    return this.#ends[index]!;
  }

  isEmpty(index: number): boolean {
    return this.start(index) === this.end(index);
  }

  read(index: number): string {
    return decoder.decode(this.bytes.subarray(this.start(index), this.end(index)));
  }
}

// A leading U+FEFF is part of the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Lists of texts: those of a row are [start, end) of all. */
export class ListColumn {
  readonly texts: TextColumn;
  readonly #ends: Uint32Array;

  constructor(column: Column) {
    if (column.kind !== 'array') bug(`expected an array column; got ${column.kind}`);
    this.texts = new TextColumn(column.element);
    this.#ends = column.ends;
  }

  start(row: number): number {
    return row === 0 ? 0 : this.#ends[row - 1]!;
  }

  end(row: number): number {
    return this.#ends[row]!;
  }
}

/** The columns of a Batch that custom fields are in. */
export class FieldTexts {
  readonly columns: FieldColumns;
  readonly time: Uint32Array;
  readonly vpc: Int32Array | undefined;
  readonly namespace: Uint16Array | undefined;
  readonly team: Uint16Array | undefined;
  /** Together they are what the table is called; none: it has a name of its own. */
  readonly tableTexts: readonly TextColumn[];
  readonly names: ListColumn | undefined;
  readonly values: ListColumn | undefined;
  readonly metrics: ListColumn | undefined;
  readonly paired: number;
  readonly plain: readonly { readonly name: string; readonly value: TextColumn }[];
  readonly application: TextColumn | undefined;
  readonly instance: TextColumn | undefined;

  constructor(batch: Batch, columns: FieldColumns) {
    this.columns = columns;
    const at = (index: number) => batch.columns[index] ?? bug(`${batch.source.id} has no column ${index}`);
    const listAt = (index: number) => (index < 0 ? undefined : new ListColumn(at(index)));
    const textAt = (index: number) => (index < 0 ? undefined : new TextColumn(at(index)));
    const { time, vpc, namespace, team, tableColumns, names, values, metrics, plain, application, instance } = columns;
    this.time = valuesOf(at(time), Uint32Array);
    this.vpc = vpc < 0 ? undefined : valuesOf(at(vpc), Int32Array);
    this.namespace = namespace < 0 ? undefined : valuesOf(at(namespace), Uint16Array);
    this.team = team < 0 ? undefined : valuesOf(at(team), Uint16Array);
    this.tableTexts = tableColumns.map((index) => new TextColumn(at(index)));
    this.names = listAt(names);
    this.values = listAt(values);
    this.metrics = listAt(metrics);
    this.paired = columns.paired;
    this.plain = plain.map(({ name, column }) => ({ name, value: new TextColumn(at(column)) }));
    this.application = textAt(application);
    this.instance = textAt(instance);
  }

  /** What the table of a row is called. */
  tableOf(row: number): { readonly database: string; readonly table: string } {
    const { source, table } = this.columns;
    const parts = this.tableTexts.map((text) => text.read(row));
    return { database: source.database, table: parts.length === 0 ? table : parts.join('.') };
  }
}
