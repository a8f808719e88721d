import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../base/errors.ts';
import type { NativeBlock } from '../batch/native.ts';
import type { Log } from '../telemetry/log.ts';
import { ClickHouseNodes, type ClickHouseLogin, type ClickHouseNode } from './clickhouse-nodes.ts';
import { clickhouseCode, databaseError } from './database-error.ts';
import { NativeStream } from './native-stream.ts';
import { sql, statementText, type Sql } from './sql.ts';
import { DEFAULT_QUERY_TIMEOUT_MS, limitSettings } from './statement-settings.ts';
import type { QueryOptions, Store } from './store.ts';

const KILL_ATTEMPTS = 20;
const KILL_INTERVAL_MS = 500;

export interface ClickHouseOptions extends ClickHouseLogin {
  /** `http://host:8123` or `https://host:8443`, one per server of the cluster. */
  readonly urls: readonly string[];
  readonly log: Log;
  /** How much longer than a statement's own limit a server may be silent, in milliseconds. Default 5,000. */
  readonly graceMs?: number;
}

export interface FileInsert {
  /** Ends in `FORMAT Native`. */
  readonly statement: Sql;
  readonly path: string;
  /** Bytes [start, end) of the file. */
  readonly start: number;
  readonly end: number;
  readonly queryId: string;
  readonly timeoutMs: number;
  readonly settings: Readonly<Record<string, string | number>>;
}

/** ClickHouse servers over HTTP. */
export interface ClickHouseStore extends Store {
  readonly engine: 'clickhouse';
  readonly nodes: ClickHouseNodes;
  /** A SELECT on that very server. */
  selectOn(node: ClickHouseNode, statement: Sql, options?: QueryOptions): Promise<readonly NativeBlock[]>;
  /** Sends part of a file as the body of an INSERT to that very server; no retry. Resolves to the rows written when the server says so. */
  insertFile(node: ClickHouseNode, insert: FileInsert, signal: AbortSignal): Promise<number | undefined>;
  /** Ends a statement on that server, if it runs there. */
  kill(node: ClickHouseNode, queryId: string): Promise<void>;
}

/**
 * Servers are not contacted until the first statement. A SELECT or command that cannot reach one server is tried on the next; a statement that a
 * server refused is not.
 */
export function createClickHouse(options: ClickHouseOptions): ClickHouseStore {
  const { log, graceMs = 5000 } = options;
  const nodes = new ClickHouseNodes(options.urls, options, log);

  /** `again`: once more on the first one after all, as a kept connection may just have been closed by the other side. */
  async function onAnyNode<T>(
    what: string,
    { signal, again }: { readonly signal: AbortSignal | undefined; readonly again: boolean },
    run: (node: ClickHouseNode) => Promise<T>,
  ): Promise<T> {
    const order = nodes.inOrder();
    let last: unknown;
    for (const node of again ? [...order, ...order.slice(0, 1)] : order) {
      try {
        return await onNode(node, run);
      } catch (error) {
        last = error;
        // An answer with a ClickHouse error, however bad, is the answer.
        if (signal?.aborted === true || clickhouseCode(error) !== undefined || isSilence(error)) break;
        log.debug({ url: node.url, error: String(error) }, 'a database server cannot be reached');
      }
    }
    throw databaseError(what, last, signal);
  }

  async function onNode<T>(node: ClickHouseNode, run: (node: ClickHouseNode) => Promise<T>): Promise<T> {
    try {
      const result = await run(node);
      nodes.succeeded(node);
      return result;
    } catch (error) {
      if (clickhouseCode(error) === undefined && !isAbort(error)) nodes.failed(node);
      throw error;
    }
  }

  async function kill(node: ClickHouseNode, queryId: string): Promise<void> {
    try {
      await killOnce(node, queryId);
    } catch (error) {
      log.debug({ url: node.url, error: String(error) }, 'a statement could not be killed');
    }
  }

  /** Kills a statement that nobody waits for, until the server has let go of it: one that has only just arrived cannot be found yet. */
  async function killUntilGone(node: ClickHouseNode, queryId: string): Promise<void> {
    try {
      for (let attempt = 0, unseen = 0; attempt < KILL_ATTEMPTS && unseen < 2; attempt++) {
        if (attempt > 0) await delay(KILL_INTERVAL_MS, undefined, { ref: false });
        unseen = (await killOnce(node, queryId)) ? 0 : unseen + 1;
      }
    } catch (error) {
      log.debug({ url: node.url, error: String(error) }, 'a statement could not be killed');
    }
  }

  /** Runs with the statement's own time limit and kills it on the server when it is given up. */
  async function supervised<T>(
    node: ClickHouseNode,
    queryId: string,
    limit: QueryOptions,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    // The server's own limit acts first; this one is for a server that does not answer at all.
    const patience = AbortSignal.timeout((limit.timeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS) + graceMs);
    limit.signal?.throwIfAborted();
    const signal = limit.signal === undefined ? patience : AbortSignal.any([patience, limit.signal]);
    try {
      return await run(signal);
    } catch (error) {
      if (signal.aborted) void killUntilGone(node, queryId);
      if (patience.aborted && limit.signal?.aborted !== true) {
        throw new Silence(`no answer within ${(limit.timeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS) / 1000} s`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  async function collect(node: ClickHouseNode, statement: Sql, limit: QueryOptions): Promise<readonly NativeBlock[]> {
    const queryId = randomUUID();
    return supervised(node, queryId, limit, async (signal) => {
      const { stream } = await node.client.exec({
        query: `${statementText(statement)}\nFORMAT Native`,
        query_id: queryId,
        abort_signal: signal,
        // Held back on the server until complete: an error in the middle then has a status of its own.
        clickhouse_settings: { ...limitSettings(limit), ...limit.settings, wait_end_of_query: 1 },
      });
      const pieces: Uint8Array[] = [];
      for await (const piece of bytesOf(stream)) pieces.push(piece);
      const native = new NativeStream();
      const blocks = [...native.push(Buffer.concat(pieces))];
      return [...blocks, ...native.finish('query the database')];
    });
  }

  return {
    engine: 'clickhouse',
    nodes,
    kill,

    async command(statement, limit = {}) {
      await onAnyNode('run a statement in the database', { signal: limit.signal, again: false }, async (node) => {
        const queryId = randomUUID();
        await supervised(node, queryId, limit, (signal) =>
          node.client.command({
            query: statementText(statement),
            query_id: queryId,
            abort_signal: signal,
            clickhouse_settings: { ...limit.settings, wait_end_of_query: 1 },
          }),
        );
      });
    },

    select(statement, limit = {}) {
      return onAnyNode('query the database', { signal: limit.signal, again: true }, (node) =>
        collect(node, statement, limit),
      );
    },

    async selectOn(node, statement, limit = {}) {
      try {
        return await onNode(node, () => collect(node, statement, limit));
      } catch (error) {
        throw databaseError('query the database', error, limit.signal);
      }
    },

    async *stream(statement, limit = {}) {
      const what = 'query the database';
      const queryId = randomUUID();
      const left = new AbortController();
      const signals = [left.signal, ...(limit.signal === undefined ? [] : [limit.signal])];
      const signal = AbortSignal.any([
        ...signals,
        AbortSignal.timeout((limit.timeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS) + graceMs),
      ]);
      let node = nodes.first();
      let complete = false;
      try {
        limit.signal?.throwIfAborted();
        const { stream } = await onAnyNode(what, { signal: limit.signal, again: true }, (chosen) => {
          node = chosen;
          return chosen.client.exec({
            query: `${statementText(statement)}\nFORMAT Native`,
            query_id: queryId,
            abort_signal: signal,
            clickhouse_settings: { ...limitSettings(limit), ...limit.settings },
          });
        });
        const native = new NativeStream();
        for await (const piece of bytesOf(stream)) yield* native.push(piece);
        yield* native.finish(what);
        complete = true;
      } catch (error) {
        throw databaseError(what, error, limit.signal);
      } finally {
        if (!complete) {
          left.abort();
          void killUntilGone(node, queryId);
        }
      }
    },

    async insertFile(node, insert, signal) {
      const body = createReadStream(insert.path, { start: insert.start, end: insert.end - 1 });
      try {
        return await onNode(node, () =>
          supervised(node, insert.queryId, { timeoutMs: insert.timeoutMs, signal }, async (both) => {
            const result = await node.client.exec({
              query: statementText(insert.statement),
              values: body,
              query_id: insert.queryId,
              abort_signal: both,
              clickhouse_settings: { ...insert.settings, wait_end_of_query: 1 },
            });
            result.stream.resume();
            const written = result.summary?.written_rows;
            return written === undefined ? undefined : Number(written);
          }),
        );
      } catch (error) {
        throw databaseError('insert into the database', error, signal);
      } finally {
        body.destroy();
      }
    },

    close: () => nodes.close(),
  };
}

/** Resolves to whether it was found. */
async function killOnce(node: ClickHouseNode, queryId: string): Promise<boolean> {
  const statement = sql`KILL QUERY WHERE query_id = ${queryId} ASYNC`;
  const { stream } = await node.client.exec({
    query: `${statementText(statement)} FORMAT TSV`,
    abort_signal: AbortSignal.timeout(10_000),
  });
  let length = 0;
  for await (const piece of bytesOf(stream)) length += piece.length;
  return length > 0;
}

/** The server took the request and said nothing in time: asking the others as well would multiply the wait and the load. */
class Silence extends Error {}

function isSilence(error: unknown): boolean {
  return error instanceof Silence;
}

async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) if (piece instanceof Uint8Array) yield piece;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error instanceof SluiceError);
}
