import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { SluiceError } from '../base/errors.ts';
import { valuesOf } from '../batch/read.ts';
import { isAbove } from './chdb-target.ts';
import type { ClickHouseNode } from './clickhouse-nodes.ts';
import type { ClickHouseStore } from './clickhouse.ts';
import { clickhouseCode } from './database-error.ts';
import {
  insertedColumns,
  isPlain,
  positionQuery,
  readPosition,
  selectPiece,
  type LoadTarget,
  type Piece,
} from './load-target.ts';
import { identifier, joinSql, sql, trustedSql, type Sql } from './sql.ts';
import { ONE_PART, settingList } from './statement-settings.ts';
import { tableNames } from './tables.ts';

const INSERT_TIMEOUT_MS = 600_000;
const QUESTION_TIMEOUT_MS = 30_000;
/** An INSERT must begin on the server within this long after it was prepared, doubled with every attempt. */
const START_WITHIN_MS = 10_000;
const START_WITHIN_MAX_MS = 300_000;

/** Settings of every INSERT: synchronous whatever the user's profile says, Native columns by name. */
const PLAIN: Readonly<Record<string, string | number>> = {
  async_insert: 0,
  input_format_skip_unknown_fields: 1,
  input_format_parallel_parsing: 0,
};

/** Exactly once into servers: `clusterTarget` when they form a cluster, else `serverTarget`. */
export function createClickHouseTarget(store: ClickHouseStore, cluster: string | undefined): LoadTarget {
  return cluster === undefined ? serverTarget(store) : clusterTarget(store, cluster);
}

/**
 * One server with plain tables: the same marker as for the embedded database. A statement whose fate is unknown may also still be on its way, so two
 * things more are needed before a piece is sent again: the statement is not running (it is killed), and it cannot begin any more, as it inserts
 * nothing when it begins after the deadline written into it (by the server's own clock).
 */
function serverTarget(store: ClickHouseStore): LoadTarget {
  const node = store.nodes.first();
  /** Statements that the server has answered: they neither run nor wait. */
  const answered = new Set<string>();

  async function position(piece: Piece, partitionId?: string, signal?: AbortSignal) {
    const names = tableNames(piece.source, piece.org);
    const limit = { timeoutMs: QUESTION_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) };
    return readPosition(await store.selectOn(node, positionQuery(names, partitionId), limit));
  }

  async function isRunning(queryId: string, signal: AbortSignal): Promise<boolean> {
    const query = sql`SELECT toUInt8(count() > 0) AS running FROM system.processes WHERE query_id = ${queryId}`;
    const blocks = await store.selectOn(node, query, { timeoutMs: QUESTION_TIMEOUT_MS, signal });
    return blocks[0] !== undefined && valuesOf(blocks[0].columns[0]!.data, Uint8Array)[0] === 1;
  }

  return {
    async prepare(piece, attempt) {
      const { uuid, block, now } = await position(piece);
      const within = Math.min(START_WITHIN_MS * 2 ** (attempt - 1), START_WITHIN_MAX_MS);
      return { table: uuid, floor: block, query: randomUUID(), deadline: Math.ceil(now + within) };
    },

    async landed(piece, marker, signal) {
      const query = String(marker['query']);
      for (;;) {
        const { uuid, block, now } = await position(piece, piece.partitionId, signal);
        if (isAbove(marker, uuid, block)) return true;
        const late = now >= Number(marker['deadline']);
        // In this order: whatever began before the clock was read is either seen running here, or has ended and shows in the last look.
        if (!answered.has(query) && (await isRunning(query, signal))) {
          await store.kill(node, query);
          await delay(250, undefined, { signal });
        } else if (late || answered.has(query)) {
          const last = await position(piece, piece.partitionId, signal);
          return isAbove(marker, last.uuid, last.block);
        } else {
          await delay(Math.min(Number(marker['deadline']) - now, 1000), undefined, { signal });
        }
      }
    },

    async insert(piece, marker, signal) {
      const names = tableNames(piece.source, piece.org);
      const inTime = sql`toUnixTimestamp64Milli(now64(3)) < ${Number(marker['deadline'])}`;
      const grouped = selectPiece(piece, sql`input(${structureOf(piece)})`, inTime);
      const statement = sql`INSERT INTO ${identifier(names.database, names.stored)} (${insertedColumns(piece)}) ${grouped} SETTINGS ${settingList({ ...ONE_PART, ...PLAIN })} FORMAT Native`;
      const queryId = String(marker['query']);
      try {
        const rows = await send(store, node, piece, statement, queryId, signal);
        answered.add(queryId);
        if (rows !== undefined && rows > 0) return rows;
        // None, or it is not said: too late, unless the clock that judged it is still before the deadline. Then no row fell into the slice.
        const { now } = await position(piece, undefined, signal);
        if (now >= Number(marker['deadline'])) {
          throw new SluiceError('storage_unavailable', 'cannot insert into the database: it began too late');
        }
        return rows;
      } catch (error) {
        if (clickhouseCode(error) !== undefined) answered.add(queryId);
        throw error;
      } finally {
        if (answered.size > 1000) answered.delete(answered.values().next().value ?? '');
      }
    },
  };
}

/**
 * A cluster with replicated tables: token and part are committed together, so a piece is simply sent again with its token. It must go to the same
 * shard, as each knows only its own tokens: the marker holds the shard, which the token picked.
 */
function clusterTarget(store: ClickHouseStore, cluster: string): LoadTarget {
  async function learnShards(): Promise<readonly number[]> {
    const query = sql`SELECT toUInt32(shard_num) AS shard FROM system.clusters WHERE cluster = ${cluster} AND is_local LIMIT 1`;
    let last: unknown;
    const isAnyKnown = store.nodes.all.some((node) => node.shard !== 0);
    for (const node of store.nodes.all) {
      if (node.shard !== 0) continue;
      // A server that is down must not hold up every INSERT for as long as it takes to notice.
      if (isAnyKnown && node.restUntil > performance.now()) continue;
      try {
        const blocks = await store.selectOn(node, query, { timeoutMs: QUESTION_TIMEOUT_MS });
        const shard = blocks[0] === undefined ? undefined : valuesOf(blocks[0].columns[0]!.data, Uint32Array)[0];
        // A proxy, or a server that is not in the cluster itself: it counts as the first shard.
        node.shard = shard ?? 1;
      } catch (error) {
        last = error;
      }
    }
    const shards = [...new Set(store.nodes.all.map((node) => node.shard))].filter((shard) => shard !== 0);
    if (shards.length === 0) throw last;
    return shards.toSorted((a, b) => a - b);
  }

  return {
    async prepare(piece, _attempt, previous) {
      if (typeof previous?.['shard'] === 'number') return { shard: previous['shard'] };
      const shards = await learnShards();
      return { shard: shards[crc32(piece.token) % shards.length]! };
    },

    landed: () => Promise.resolve(false),

    async insert(piece, marker, signal) {
      const names = tableNames(piece.source, piece.org, cluster);
      const settings = {
        ...ONE_PART,
        ...PLAIN,
        insert_deduplicate: 1,
        insert_deduplication_token: piece.token,
        insert_keeper_max_retries: 20,
      };
      const rows = isPlain(piece) ? sql`` : sql`${selectPiece(piece, sql`input(${structureOf(piece)})`)} `;
      const statement = sql`INSERT INTO ${identifier(names.database, names.stored)} (${insertedColumns(piece)}) ${rows}SETTINGS ${settingList(settings)} FORMAT Native`;
      await learnShards();
      let last: unknown = new SluiceError('storage_unavailable', `no server of shard ${marker['shard']} is known`);
      for (const node of store.nodes.inOrder(Number(marker['shard']))) {
        try {
          await send(store, node, piece, statement, randomUUID(), signal);
          // How many rows of a piece that came twice are counted as written differs between versions.
          return undefined;
        } catch (error) {
          last = error;
          if (signal.aborted || clickhouseCode(error) !== undefined) break;
        }
      }
      throw last;
    },
  };
}

async function send(
  store: ClickHouseStore,
  node: ClickHouseNode,
  piece: Piece,
  statement: Sql,
  queryId: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { path, start, end } = piece;
  const settings = { max_execution_time: INSERT_TIMEOUT_MS / 1000 };
  return store.insertFile(
    node,
    { statement, path, start, end, queryId, timeoutMs: INSERT_TIMEOUT_MS, settings },
    signal,
  );
}

/** Columns of the piece with their types, as the text that `input()` wants. */
function structureOf(piece: Piece): string {
  const specs = piece.columns.map((name) => {
    const written = piece.rollUp?.from ?? piece.source;
    const column = written.columns.find((candidate) => candidate.name === name);
    return sql`${identifier(name)} ${trustedSql(column?.type ?? 'String')}`;
  });
  return joinSql(specs, ', ').text;
}
