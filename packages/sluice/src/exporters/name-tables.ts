import type { Names } from '../base/ports.ts';
import type { NameTable } from './cells.ts';
import { GrowingTable } from './growing-table.ts';
import { IdIndexes } from './id-indexes.ts';

/** Ids that are remembered of one kind and organisation; beyond it a table is begun anew, so that senders of made-up ids cannot fill the memory. */
const MOST_IDS = 262_144;

/** VPCs are signed: -2 is the Internet. They are counted from here, so that the usual ones are small. */
export const LEAST_SIGNED_ID = -2;

/** Ids below this are looked up in an array. */
const MOST_DIRECT = 262_144;
const FIRST_DIRECT = 1024;
/** Elements of all arrays of one table: kinds that are made up as well must not cost more. */
const MOST_DIRECT_IN_ALL = 4_194_304;
const NOTHING = new Int32Array(0);

/** A small number for each resource of one organisation, asked for once. */
class IdNumbers {
  readonly #hashed = new IdIndexes();
  /** By kind (0 where ids need none) and id: the number, -1 where it was not asked for yet. */
  readonly #direct: Int32Array[] = Array.from({ length: 256 }, () => NOTHING);
  #directSize = 0;
  readonly #numberOf: (type: number, id: number) => number;

  constructor(numberOf: (type: number, id: number) => number) {
    this.#numberOf = numberOf;
  }

  get isFull(): boolean {
    return this.#hashed.size >= MOST_IDS;
  }

  /** Numbers of a column of ids. */
  ofIds(ids: Uint32Array, numbers: Uint32Array): void {
    for (let row = 0; row < ids.length; row++) {
      row = copyKnown(ids, this.#direct[0]!, numbers, row);
      if (row < ids.length) numbers[row] = this.#learn(0, ids[row]!);
    }
  }

  /** Numbers of columns of kinds and ids. */
  ofTypedIds(types: Uint8Array, ids: Uint32Array, numbers: Uint32Array): void {
    for (let row = 0; row < ids.length; row++) {
      row = copyKnownTyped({ types, ids, direct: this.#direct, numbers }, row);
      if (row < ids.length) numbers[row] = this.#learn(types[row]!, ids[row]!);
    }
  }

  /** Of an id that is not in the arrays. */
  #learn(type: number, id: number): number {
    const known = this.#hashed.find(type, id);
    if (known >= 0) return known;
    const number = this.#numberOf(type, id);
    const direct = id < MOST_DIRECT ? this.#directUpTo(type, id) : undefined;
    if (direct === undefined) this.#hashed.add(type, id, number);
    else direct[id] = number;
    return number;
  }

  /** Undefined = there is no room for it. */
  #directUpTo(type: number, id: number): Int32Array | undefined {
    const direct = this.#direct[type]!;
    if (id < direct.length) return direct;
    let length = Math.max(FIRST_DIRECT, direct.length);
    while (length <= id) length *= 2;
    if (this.#directSize + length - direct.length > MOST_DIRECT_IN_ALL) return undefined;
    this.#directSize += length - direct.length;
    const grown = new Int32Array(length).fill(-1);
    grown.set(direct);
    this.#direct[type] = grown;
    return grown;
  }
}

/** Names of one kind of resource in one organisation, and where each id's stands. */
export class IdNames extends IdNumbers {
  readonly table: NameTable;

  constructor(nameOf: (type: number, id: number) => string) {
    const table = new GrowingTable();
    super((type, id) => table.index(nameOf(type, id)));
    this.table = table;
  }
}

/** From `row` on, numbers of ids that are in the array; answers the first row of another. A function of its own: as small as loops are quick. */
function copyKnown(ids: Uint32Array, direct: Int32Array, numbers: Uint32Array, row: number): number {
  for (; row < ids.length; row++) {
    const id = ids[row]!;
    if (id >= direct.length) break;
    const known = direct[id]!;
    if (known < 0) break;
    numbers[row] = known;
  }
  return row;
}

interface TypedColumns {
  readonly types: Uint8Array;
  readonly ids: Uint32Array;
  readonly direct: readonly Int32Array[];
  readonly numbers: Uint32Array;
}

function copyKnownTyped({ types, ids, direct, numbers }: TypedColumns, row: number): number {
  for (; row < ids.length; row++) {
    const id = ids[row]!;
    const ofType = direct[types[row]!]!;
    if (id >= ofType.length) break;
    const known = ofType[id]!;
    if (known < 0) break;
    numbers[row] = known;
  }
  return row;
}

/**
 * Names in the forms that encoders copy, per kind and organisation, kept until the version of the names changes. Shared by all selectors over the same
 * names.
 */
export class NameTables {
  readonly #names: Names;
  #version = -1;
  readonly #tables = new Map<string, IdNames>();
  readonly #groupTypes = new Map<number, IdNumbers>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** Whether anything was loaded yet. */
  get isLoaded(): boolean {
    return this.#names.version !== 0;
  }

  /** Names of a kind (`pod`, `region` ...; `device`: by kind of resource and id; `l3_epc`: by id - LEAST_SIGNED_ID). Ask once for each Batch. */
  of(org: number, kind: string): IdNames {
    const names = this.#names;
    this.#forgetOld();
    const key = `${org}/${kind}`;
    let table = this.#tables.get(key);
    if (table === undefined || table.isFull) {
      table = new IdNames(
        kind === 'device'
          ? (type, id) => names.device(org, type, id)
          : kind === 'l3_epc'
            ? (_, id) => names.name(org, kind, (id + LEAST_SIGNED_ID) | 0)
            : (_, id) => names.name(org, kind, id),
      );
      this.#tables.set(key, table);
    }
    return table;
  }

  /** Kinds of workloads for a column of their ids. */
  podGroupTypes(org: number, ids: Uint32Array): Uint32Array {
    this.#forgetOld();
    let known = this.#groupTypes.get(org);
    if (known === undefined || known.isFull) {
      known = new IdNumbers((_, id) => this.#names.podGroupType(org, id));
      this.#groupTypes.set(org, known);
    }
    const types = new Uint32Array(ids.length);
    known.ofIds(ids, types);
    return types;
  }

  #forgetOld(): void {
    if (this.#names.version === this.#version) return;
    this.#version = this.#names.version;
    this.#tables.clear();
    this.#groupTypes.clear();
  }
}

const shared = new WeakMap<Names, NameTables>();

/** The tables over these names. */
export function nameTablesOf(names: Names): NameTables {
  let tables = shared.get(names);
  if (tables === undefined) {
    tables = new NameTables(names);
    shared.set(names, tables);
  }
  return tables;
}
