import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Session } from 'chdb';
import { SluiceError } from '../base/errors.ts';
import { decodeNative, type NativeBlock } from '../batch/native.ts';
import { chdbArguments, CHDB_QUERY_MEMORY } from './chdb-arguments.ts';
import { whyNotOpened } from './chdb-refusal.ts';
import { databaseError } from './database-error.ts';
import { NativeStream } from './native-stream.ts';
import { SessionPool } from './session-pool.ts';
import { statementText, type Sql } from './sql.ts';
import { DEFAULT_QUERY_TIMEOUT_MS, selectSettings } from './statement-settings.ts';
import type { QueryOptions, Store } from './store.ts';

export interface ChdbOptions {
  /** The database's own folder; made when missing. One process at a time. */
  readonly path: string;
  /** Memory that the engine may take for data, in bytes; its code (about 200 MB of file pages) comes on top. */
  readonly maxMemory: number;
}

/** The embedded database. Opens in the main thread only: worker threads hang it when they end. */
export interface ChdbStore extends Store {
  readonly engine: 'chdb';
  /** Runs an INSERT; resolves to the rows it read. Insert statements have sessions of their own, so queries never make them wait. */
  insert(statement: Sql, options?: QueryOptions): Promise<number>;
}

/** How many statements of a kind run at once; together (13) they stay below the launcher's libuv pool of 16. */
const WRITERS = 2;
const STREAMS = 6;
/** More than a small machine has cores: a question that takes a second must not wait for two that take twenty. */
const READERS = 4;

/**
 * Opens the database. Rejects with `storage_unavailable` and the reason: held by another process, damaged, no memory, no package for this machine.
 *
 * A Session runs one statement at a time; there are some for inserts, some for questions, one for everything else, and one more while a stream is
 * open, as any other statement on a stream's Session would end the stream.
 */
export async function openChdb(options: ChdbOptions): Promise<ChdbStore> {
  const path = resolve(options.path);
  if (/[*?{}]/.test(path)) {
    // The engine reads the paths of segments as patterns: it would find no file, or others as well, and report success.
    throw new SluiceError(
      'storage_unavailable',
      `cannot use ${path}: choose a data directory without * ? { } in its path`,
    );
  }
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const { Session: SessionClass } = await import('chdb');
    const settings = chdbArguments(options.maxMemory);
    const open = () => new SessionClass(path, { connectionArgs: settings });
    const control = open();
    try {
      // An engine that opened but cannot answer is not open.
      await control.queryAsync('SELECT 1', { format: 'Native' });
    } catch (error) {
      control.close();
      throw error;
    }
    return new ChdbSessions(control, open);
  } catch (error) {
    const why = await whyNotOpened(path, error);
    throw new SluiceError('storage_unavailable', `cannot open the embedded database in ${path}: ${why}`, {
      cause: error,
    });
  }
}

type PoolName = 'control' | 'writers' | 'readers' | 'streams';

class ChdbSessions implements ChdbStore {
  readonly engine = 'chdb';
  readonly #pools: Readonly<Record<PoolName, SessionPool<Session>>>;
  /** Only ever runs KILL, synchronously: it works when every libuv thread is busy. */
  readonly #killer: Session;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(first: Session, open: () => Session) {
    this.#killer = first;
    this.#pools = {
      control: new SessionPool(1, open),
      writers: new SessionPool(WRITERS, open),
      readers: new SessionPool(READERS, open),
      streams: new SessionPool(STREAMS, open),
    };
  }

  async command(statement: Sql, options: QueryOptions = {}): Promise<void> {
    await this.#run('control', statementText(statement), options, 'run a statement in the database');
  }

  async insert(statement: Sql, options: QueryOptions = {}): Promise<number> {
    const result = await this.#run('writers', statementText(statement), options, 'insert into the database');
    return result.rowsRead;
  }

  async select(statement: Sql, options: QueryOptions = {}): Promise<readonly NativeBlock[]> {
    const text = withSettings(statement, options);
    const result = await this.#run('readers', text, options, 'query the database');
    const bytes = result.bytes();
    const blocks: NativeBlock[] = [];
    for (let at = 0; at < bytes.length;) {
      const block = decodeNative(bytes, at);
      if (block === undefined)
        throw new SluiceError('storage_unavailable', 'cannot query the database: answer cut off');
      if (block.rows > 0) blocks.push(block);
      at = block.end;
    }
    return blocks;
  }

  async *stream(statement: Sql, options: QueryOptions = {}): AsyncGenerator<NativeBlock> {
    const session = await this.#pools.streams.acquire(options.signal);
    const tag = randomUUID();
    const ended = Promise.withResolvers<void>();
    this.#track(ended.promise);
    const watch = this.#watch(tag, options);
    const what = 'query the database';
    try {
      const stream = session.queryStream(`${tagged(tag)}${withSettings(statement, options)}`, { format: 'Native' });
      const native = new NativeStream();
      try {
        for await (const chunk of stream) {
          if (options.signal?.aborted === true) throw new Error('aborted');
          yield* native.push(chunk.raw());
        }
        yield* native.finish(what);
      } finally {
        stream.cancel();
      }
    } catch (error) {
      await letGo(session);
      throw databaseError(what, error, options.signal);
    } finally {
      watch.done();
      this.#pools.streams.release(session);
      ended.resolve();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const stopped = new SluiceError('storage_unavailable', 'cannot query the database: it is closed');
    const sessions = Object.values(this.#pools).flatMap((pool) => pool.close(stopped));
    // A Session closed under a running statement would only be closed later, behind our back.
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    for (const session of sessions) session.close();
    this.#killer.close();
    const { drainPending } = await import('chdb');
    await drainPending();
  }

  /** Runs a statement; the promise settles at once when the signal aborts, the Session is free again only when the engine has let go. */
  async #run(pool: PoolName, text: string, options: QueryOptions, what: string) {
    const session = await this.#pools[pool].acquire(options.signal);
    const tag = randomUUID();
    const native = session.queryAsync(tagged(tag) + text, { format: 'Native' });
    const watch = this.#watch(tag, options);
    const settled = native
      .then(
        () => {},
        () => letGo(session),
      )
      .then(() => this.#pools[pool].release(session));
    this.#track(settled.finally(() => watch.done()));
    try {
      return await Promise.race([native, watch.aborted]);
    } catch (error) {
      throw databaseError(what, error, options.signal);
    }
  }

  #track(running: Promise<unknown>): void {
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /**
   * Kills the statement when the signal aborts, or when it runs on 5 s beyond its time (not everything heeds `max_execution_time`). Asks again until
   * the engine lets go: a statement that still waits for a thread cannot be found yet.
   */
  #watch(tag: string, options: QueryOptions): { readonly aborted: Promise<never>; readonly done: () => void } {
    const { signal } = options;
    const ended = new AbortController();
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => {});
    const kill = async () => {
      while (!ended.signal.aborted) {
        this.#kill(tag);
        await delay(250, undefined, { signal: ended.signal }).catch(() => {});
      }
    };
    const onAbort = () => {
      aborted.reject(new Error('aborted'));
      void kill();
    };
    const timer = setTimeout(() => void kill(), (options.timeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS) + 5000);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      ended.abort();
    };
    return { aborted: aborted.promise, done };
  }

  #kill(tag: string): void {
    try {
      // ASYNC: the synchronous form waits for the victim's Session to run another statement, possibly for ever.
      this.#killer.query(
        `KILL QUERY WHERE query LIKE '%sluice:${tag}%' AND query NOT LIKE '%KILL QUERY%' ASYNC`,
        'Null',
      );
    } catch {
      // It may have ended already; the statement's own promise tells.
    }
  }
}

/** What failed or was killed is among the statements that run until its Session runs another one. */
async function letGo(session: Session): Promise<void> {
  await session.queryAsync('SELECT 1', { format: 'Null' }).catch(() => {});
}

function tagged(tag: string): string {
  return `/* sluice:${tag} */ `;
}

function withSettings(statement: Sql, options: QueryOptions): string {
  const settings = selectSettings({ maxMemory: CHDB_QUERY_MEMORY, ...options });
  return `${statementText(statement)}\n${statementText(settings)}`;
}
