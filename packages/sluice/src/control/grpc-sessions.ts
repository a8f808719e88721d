import type { Socket } from 'node:net';
import {
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { ConnectionEnds } from './agents.ts';

/** An agent has two streams open and makes a few calls at a time. */
const MOST_STREAMS = 32;
/** Finds out about agents that are gone without a word; they hold a Push stream open. */
const PING_EVERY_MS = 60_000;
const PING_TIMEOUT_MS = 20_000;

export interface GrpcSessionsOptions {
  /** Called for every stream; it has to end it. */
  readonly serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ends: ConnectionEnds) => void;
  readonly pingEveryMs?: number;
  readonly pingTimeoutMs?: number;
}

/** The HTTP/2 sessions of all connections. */
export class GrpcSessions {
  readonly #serve: GrpcSessionsOptions['serve'];
  readonly #pingTimeoutMs: number;
  readonly #open = new Set<ServerHttp2Session>();
  /** Sessions that were asked whether they are there. */
  readonly #asked = new Set<ServerHttp2Session>();
  readonly #timer: NodeJS.Timeout;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: GrpcSessionsOptions) {
    this.#serve = options.serve;
    this.#pingTimeoutMs = options.pingTimeoutMs ?? PING_TIMEOUT_MS;
    this.#timer = setInterval(() => this.#pingAll(), options.pingEveryMs ?? PING_EVERY_MS).unref();
  }

  /** Speaks HTTP/2 on a connection. */
  add(socket: Socket, ends: ConnectionEnds): void {
    if (socket.destroyed) return;
    const session = performServerHandshake(socket, { settings: { maxConcurrentStreams: MOST_STREAMS } });
    this.#open.add(session);
    // What a peer does wrong ends its session, and is nobody else's trouble.
    session.on('error', () => undefined);
    session.once('close', () => {
      this.#open.delete(session);
      this.#asked.delete(session);
    });
    session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      this.#serve(stream, headers, ends);
    });
  }

  closeAll(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
    for (const session of this.#open) session.destroy();
  }

  #pingAll(): void {
    clearTimeout(this.#deadline);
    for (const session of this.#open) {
      if (session.destroyed) continue;
      this.#asked.add(session);
      const isSent = session.ping((error) => {
        if (error === null) this.#asked.delete(session);
      });
      if (!isSent) session.destroy();
    }
    this.#deadline = setTimeout(() => {
      for (const session of this.#asked) session.destroy();
    }, this.#pingTimeoutMs).unref();
  }
}
