import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CursorMarker } from '../journal/types.ts';
import type { ChdbStore } from './chdb.ts';
import {
  insertedColumns,
  isPlain,
  positionQuery,
  readPosition,
  selectPiece,
  type LoadTarget,
  type Piece,
} from './load-target.ts';
import { identifier, sql, type Sql } from './sql.ts';
import { ONE_PART, settingList } from './statement-settings.ts';
import { tableNames, type TableNames } from './tables.ts';

/** A wide segment of a million rows on a busy machine; beyond that the statement is killed and judged by the marker. */
const INSERT_TIMEOUT_MS = 600_000;

/**
 * Exactly once into the embedded database: one statement makes one part, and the marker is the table's highest block number before it. A part of the
 * partition above that number means that the statement landed, as nobody else writes to the table.
 *
 * No deduplication token: chDB writes its log before it renames the part, so a death in between would make the retry a silent loss.
 *
 * `scratchDir` takes single blocks cut out of a segment; what an earlier process left there is removed.
 */
export async function createChdbTarget(store: ChdbStore, scratchDir: string): Promise<LoadTarget> {
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  for (const name of await readdir(scratchDir)) await rm(join(scratchDir, name), { recursive: true, force: true });
  let scratchFiles = 0;

  async function position(piece: Piece, partitionId?: string) {
    return readPosition(await store.select(positionQuery(namesOf(piece), partitionId), { timeoutMs: 60_000 }));
  }

  return {
    async prepare(piece) {
      const { uuid, block } = await position(piece);
      return { table: uuid, floor: block };
    },

    async landed(piece, marker) {
      const { uuid, block } = await position(piece, piece.partitionId);
      return isAbove(marker, uuid, block);
    },

    async insert(piece, _marker, signal) {
      // The signal is the hub's stop: the marker tells the next start whether the part landed all the same.
      const options = { timeoutMs: INSERT_TIMEOUT_MS, signal };
      if (piece.whole) return store.insert(insertStatement(piece, piece.path), options);
      const file = join(scratchDir, `${process.pid}-${scratchFiles++}.native`);
      try {
        const bytes = createReadStream(piece.path, { start: piece.start, end: piece.end - 1 });
        await pipeline(bytes, createWriteStream(file, { mode: 0o600 }));
        return await store.insert(insertStatement(piece, file), options);
      } finally {
        await rm(file, { force: true });
      }
    },
  };
}

/** Judges a marker made of a table's identity and highest block number. */
export function isAbove(marker: CursorMarker, uuid: string, block: number): boolean {
  // In a table that was made anew, nothing of an earlier one can be.
  return marker['table'] === uuid && typeof marker['floor'] === 'number' && block > marker['floor'];
}

function namesOf(piece: Piece): TableNames {
  return tableNames(piece.source, piece.org);
}

function insertStatement(piece: Piece, path: string): Sql {
  const names = namesOf(piece);
  const table = identifier(names.database, names.stored);
  const columns = insertedColumns(piece);
  const settings = settingList(ONE_PART);
  if (isPlain(piece)) {
    return sql`INSERT INTO ${table} (${columns}) FROM INFILE ${path} SETTINGS ${settings} FORMAT Native`;
  }
  return sql`INSERT INTO ${table} (${columns}) ${selectPiece(piece, sql`file(${path}, 'Native')`)} SETTINGS ${settings}`;
}
