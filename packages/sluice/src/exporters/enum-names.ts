import { deviceTypeNames, namesOfCodes, namesOfNumbers } from '../catalog/enums.ts';
import { ByteMap, resolveText } from './byte-map.ts';
import type { NamedCells, NameTable } from './cells.ts';
import { GrowingTable } from './growing-table.ts';

/** Names of small numbers: where each stands in a table. */
export class NumberNames {
  readonly table: NameTable;
  /** Index by number, numbers from the length on have no name. */
  readonly #indexes: Uint32Array;

  constructor(names: ReadonlyMap<number, string>) {
    const table = new GrowingTable();
    this.#indexes = new Uint32Array(Math.max(0, ...names.keys()) + 1);
    for (const [number, name] of names) this.#indexes[number] = table.index(name);
    this.table = table;
  }

  cells(values: ArrayLike<number>, rows: number): NamedCells {
    const index = new Uint32Array(rows);
    const indexes = this.#indexes;
    for (let row = 0; row < rows; row++) {
      const value = values[row]!;
      if (value < indexes.length) index[row] = indexes[value]!;
    }
    return { kind: 'named', index, table: this.table };
  }
}

/** Names of codes that are texts themselves. */
export class CodeNames {
  readonly table: NameTable;
  readonly #indexes: ByteMap;

  constructor(names: ReadonlyMap<string, string>) {
    const table = new GrowingTable();
    const indexes = new Map([...names].map(([code, name]) => [code, table.index(name)]));
    this.#indexes = new ByteMap(resolveText((code) => indexes.get(code) ?? 0));
    this.table = table;
  }

  cells(bytes: Uint8Array, ends: Uint32Array): NamedCells {
    const index = new Uint32Array(ends.length);
    this.#indexes.fill(bytes, ends, index);
    return { kind: 'named', index, table: this.table };
  }
}

/** Names of kinds of resources. */
export const deviceTypes: NumberNames = new NumberNames(deviceTypeNames);

const numbers = new Map<string, NumberNames>();

/** Names of the numbers of an enum, undefined where its values are texts. */
export function numberNamesOf(name: string): NumberNames | undefined {
  const names = namesOfNumbers(name);
  if (names === undefined) return undefined;
  const known = numbers.get(name) ?? new NumberNames(names);
  numbers.set(name, known);
  return known;
}

/** Names of the texts of an enum, undefined where its values are numbers. */
export function codeNamesOf(name: string): CodeNames | undefined {
  const names = namesOfCodes(name);
  return names === undefined ? undefined : new CodeNames(names);
}
