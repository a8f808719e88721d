import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Session } from 'chdb';

/**
 * A ClickHouse server's HTTP interface over the embedded engine, as far as our driver uses it: the SQL of a current version behind a real socket. It is
 * our own HTTP layer, so it proves nothing about a server's own peculiarities.
 */
export interface ChdbFront {
  readonly url: string;
  /** Mishaps to happen, looked at for every statement. */
  readonly mishaps: Mishaps;
  /** Statements received, in order. */
  readonly statements: string[];
  /** Runs a statement past HTTP: TSV text. */
  ask(statement: string): Promise<string>;
  /** Cuts all connections and listens no more; the engine stays open. */
  stopListening(): Promise<void>;
  /** Listens again, on the same port. */
  listen(): Promise<void>;
  close(): Promise<void>;
}

export interface Mishaps {
  /** How many of the next INSERTs succeed but answer 500. */
  insertsAnsweredWithError: number;
  /** How many of the next INSERTs succeed, then the connection is cut without an answer. */
  insertsWithoutAnswer: number;
  /** How many of the next INSERTs lose their connection before they are begun. */
  insertsCutBefore: number;
  /** How many of the next INSERTs wait this long, unseen in the list of processes, before they begin. */
  insertsDelayed: number;
  delayMs: number;
  /** Every statement hangs while this is true. */
  hang: boolean;
  /** Answers of SELECTs are cut off after this many bytes, with the server's way of telling an error. */
  failAnswersAfterBytes: number | undefined;
}

export async function startChdbFront(directory: string): Promise<ChdbFront> {
  const args = { connectionArgs: ['--session_timezone=UTC', '--max_server_memory_usage=600000000'] };
  const idle: Session[] = [new Session(join(directory, 'server'), args)];
  const all = [...idle];
  const mishaps: Mishaps = {
    insertsAnsweredWithError: 0,
    insertsWithoutAnswer: 0,
    insertsCutBefore: 0,
    insertsDelayed: 0,
    delayMs: 0,
    hang: false,
    failAnswersAfterBytes: undefined,
  };
  const statements: string[] = [];
  const running = new Set<Promise<unknown>>();
  let port = 0;

  async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
    let session = idle.pop();
    if (session === undefined) {
      session = new Session(join(directory, 'server'), args);
      all.push(session);
    }
    const done = work(session);
    running.add(done);
    try {
      return await done;
    } finally {
      running.delete(done);
      idle.push(session);
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://front');
    if (url.pathname === '/ping') {
      response.end('Ok.\n');
      return;
    }
    if (mishaps.hang) await unhang(request);
    const queryId = url.searchParams.get('query_id') ?? randomUUID();
    const inUrl = url.searchParams.get('query');
    const statement = inUrl ?? (await text(request));
    statements.push(statement);
    response.setHeader('X-ClickHouse-Query-Id', queryId);
    try {
      if (/^\s*INSERT\b[\s\S]*\bFORMAT Native\s*$/.test(statement) && inUrl !== null) {
        await insert(request, response, statement, queryId);
      } else await answer(request, response, statement, queryId, url.searchParams);
    } catch (error) {
      if (!response.headersSent && !response.destroyed) fail(response, error);
      else response.destroy();
    }
  }

  async function insert(request: IncomingMessage, response: ServerResponse, statement: string, queryId: string) {
    const file = join(directory, `body-${randomUUID()}.native`);
    try {
      await pipeline(request, createWriteStream(file));
      if (mishaps.insertsCutBefore > 0) {
        mishaps.insertsCutBefore--;
        request.socket.destroy();
        return;
      }
      if (mishaps.insertsDelayed > 0) {
        mishaps.insertsDelayed--;
        await new Promise((resolve) => setTimeout(resolve, mishaps.delayMs));
      }
      const rows = await insertFile(statement, file, queryId);
      if (mishaps.insertsAnsweredWithError > 0) {
        mishaps.insertsAnsweredWithError--;
        throw new Error('Code: 999. DB::Exception: Session expired. (KEEPER_EXCEPTION)');
      }
      if (mishaps.insertsWithoutAnswer > 0) {
        mishaps.insertsWithoutAnswer--;
        request.socket.destroy();
        return;
      }
      const summary = { read_rows: rows, read_bytes: '0', written_rows: rows, written_bytes: '0', elapsed_ns: '1' };
      response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary));
      response.end();
    } finally {
      await rm(file, { force: true });
    }
  }

  /** `input()` of a server reads the body; here the body is a file. Resolves to the rows written, as text. */
  async function insertFile(statement: string, file: string, queryId: string): Promise<string> {
    const body = statement.replace(/\s*FORMAT Native\s*$/, '');
    const fromInput = body.includes(' FROM input(');
    const run = fromInput
      ? body.replace(' FROM input(', ` FROM file('${file}', 'Native', `)
      : `${body.replace(/(\sSETTINGS\s|$)/, ` FROM INFILE '${file}'$1`)} FORMAT Native`;
    const condition = /( WHERE [\s\S]*?) SETTINGS/.exec(run)?.[1] ?? '';
    return withSession(async (session) => {
      const count = fromInput
        ? `SELECT count() FROM file('${file}', 'Native')${condition}`
        : `SELECT count() FROM file('${file}', 'Native')`;
      const rows = (await session.queryAsync(count, { format: 'TSV' })).text().trim();
      await session.queryAsync(`/* front:${queryId} */ ${run}`, { format: 'TSV' });
      return rows;
    });
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    statement: string,
    queryId: string,
    parameters: URLSearchParams,
  ): Promise<void> {
    const killed = /^KILL QUERY WHERE query_id = '([^']+)'/.exec(statement)?.[1];
    const rewritten =
      killed === undefined
        ? statement.replace(/query_id = '([^']+)'/, "query LIKE '%front:$1%' AND query NOT LIKE '%system.processes%'")
        : `KILL QUERY WHERE query LIKE '%front:${killed}%' AND query NOT LIKE '%KILL QUERY%' ASYNC`;
    const settings = [...parameters]
      .filter(([name]) => /^(max_|readonly|output_|input_)/.test(name))
      .map(([name, value]) => `${name} = '${value.replaceAll("'", "\\'")}'`);
    const format = /\nFORMAT (\w+)\s*$/.exec(rewritten)?.[1];
    const body = format === undefined ? rewritten : rewritten.replace(/\nFORMAT \w+\s*$/, '');
    const isSelect = /^\s*(SELECT|WITH|SHOW)\b/i.test(body);
    const tail = settings.length > 0 && isSelect ? ` SETTINGS ${settings.join(', ')}` : '';
    const run = `/* front:${queryId} */ ${body}${tail}`;
    const zipped = parameters.get('enable_http_compression') === '1' && request.headers['accept-encoding'] === 'gzip';
    const out = zipped ? createGzip() : response;
    if (zipped) response.setHeader('Content-Encoding', 'gzip').flushHeaders();
    if (out !== response) out.pipe(response);
    if (!isSelect || parameters.get('wait_end_of_query') === '1') {
      const result = await withSession((session) => session.queryAsync(run, { format: format ?? 'TSV' }));
      out.end(cut(Buffer.from(result.bytes())));
      return;
    }
    await withSession(async (session) => {
      const stream = session.queryStream(run, { format: format ?? 'TSV' });
      let whole = false;
      try {
        for await (const chunk of stream) {
          if (response.destroyed) break;
          const bytes = Buffer.from(chunk.raw());
          if (!out.write(cut(bytes))) await drained(out);
          if (mishaps.failAnswersAfterBytes !== undefined) break;
        }
        whole = !response.destroyed;
      } catch (error) {
        if (!response.headersSent) throw error;
        out.write(`__exception__\r\nabcdef\r\n${String(error)}\r\n42 abcdef\r\n__exception__\r\n`);
      } finally {
        stream.cancel();
        // A stream that was left, failed or was killed holds its statement until the Session runs another one.
        if (!whole) await session.queryAsync('SELECT 1', { format: 'Null' }).catch(() => {});
      }
      out.end();
    });
  }

  function cut(bytes: Buffer): Buffer {
    if (mishaps.failAnswersAfterBytes === undefined) return bytes;
    const words = '__exception__\r\nabcdef\r\nCode: 241. DB::Exception: too much memory. (MEMORY_LIMIT_EXCEEDED)\r\n';
    return Buffer.concat([bytes.subarray(0, mishaps.failAnswersAfterBytes), Buffer.from(words)]);
  }

  async function unhang(request: IncomingMessage): Promise<void> {
    while (mishaps.hang && !request.destroyed) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const listen = () =>
    new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        if (typeof address === 'object' && address !== null) ({ port } = address);
        resolve();
      });
    });
  const stopListening = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen();

  return {
    url: `http://127.0.0.1:${port}`,
    mishaps,
    statements,
    ask: (statement) =>
      withSession(async (session) => (await session.queryAsync(statement, { format: 'TSV' })).text().trim()),
    listen,
    stopListening,
    async close() {
      mishaps.hang = false;
      if (server.listening) await stopListening();
      while (running.size > 0) await Promise.allSettled(running);
      for (const session of all) session.close();
    },
  };
}

/** Resolves when more can be written, or nobody listens any more. */
function drained(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      out.off('drain', done);
      out.off('close', done);
      resolve();
    };
    out.once('drain', done);
    out.once('close', done);
  });
}

function fail(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = /Code: (\d+)/.exec(message)?.[1] ?? '1000';
  response.setHeader('X-ClickHouse-Exception-Code', code);
  response.statusCode = code === '60' || code === '81' ? 404 : code === '62' ? 400 : 500;
  response.end(`${message.split('\n')[0]} (version 26.7.2.1)`);
}

async function text(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) if (Buffer.isBuffer(piece)) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
