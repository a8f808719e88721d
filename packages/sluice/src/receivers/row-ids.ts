import type { DataSource } from '../catalog/types.ts';

/**
 * Ids of rows, unique over the hubs of one ClickHouse:
 *
 *   bits 63-32 second of the row | 31-22 hub id | 21-0 counter of the table
 *
 * A counter goes on where an earlier process left off, so that rows of one second from before and after a restart differ.
 */
export class RowIds {
  readonly #hub: number;
  readonly #reserve: RowIdOptions['reserve'];
  readonly #saved: ReadonlyMap<string, number>;
  readonly #counters = new Map<DataSource, Counter>();

  constructor({ hubId, saved = new Map(), reserve }: RowIdOptions) {
    this.#hub = (hubId & 0x3ff) << 22;
    this.#saved = saved;
    this.#reserve = reserve;
  }

  /** Writes the next id of a table, for a row of that epoch second: low half into ids[0], high half into ids[1]. */
  next(source: DataSource, seconds: number, ids: Uint32Array): void {
    const counter = this.#counters.get(source) ?? this.#begin(source);
    if (++counter.last > counter.reserved) {
      counter.reserved = counter.last + RESERVED_AT_ONCE - 1;
      this.#reserve?.(source.id, counter.reserved);
    }
    ids[0] = this.#hub | (counter.last & 0x3f_ffff);
    ids[1] = seconds;
  }

  #begin(source: DataSource): Counter {
    const last = this.#saved.get(source.id) ?? 0;
    const counter = { last, reserved: last };
    this.#counters.set(source, counter);
    return counter;
  }
}

export interface RowIdOptions {
  /** 0 to 1023. */
  readonly hubId: number;
  /** Greatest counter reserved before, by id of the data source. */
  readonly saved?: ReadonlyMap<string, number>;
  /** Records that counters up to this one may be in use; called before the first of them is, once in 65,536 rows of a table. */
  readonly reserve?: (table: string, upTo: number) => void;
}

const RESERVED_AT_ONCE = 65_536;

interface Counter {
  last: number;
  reserved: number;
}
