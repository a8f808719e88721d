import type { Socket } from 'node:net';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RefusedReason } from './refused.ts';

/** Requests that may wait on one connection for the one before them. */
const MAX_PIPELINED = 64;
/** Younger connections without a request are not closed in favour of new ones: their first request is on its way. */
const GRACE_MS = 1000;

export interface ConnectionsOptions {
  readonly limit: number;
  readonly metrics: Metrics;
  readonly refuse: (reason: RefusedReason) => void;
  readonly now?: () => number;
}

/** One open connection. Requests on it are handled one after the other, also when the client sends several at once. */
export class Connection {
  readonly openedAt: number;
  /** The socket to destroy: the TCP one, or the TLS one once its handshake is done. */
  socket: Socket;
  /** Called from time to time while a body is read. */
  watch: ((now: number) => void) | undefined = undefined;
  /** The body of the request under way is not complete: that request answers when the rest turns out not to be HTTP. */
  awaitsBody = false;
  /** Called when the body that is being read turns out not to be HTTP. */
  onBroken: (() => void) | undefined = undefined;
  #broken = false;
  readonly #owner: Connections;
  readonly #waiting: (() => void)[] = [];
  #busy = false;

  constructor(owner: Connections, socket: Socket, openedAt: number) {
    this.#owner = owner;
    this.socket = socket;
    this.openedAt = openedAt;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** What came in the place of a body cannot be read. */
  get isBroken(): boolean {
    return this.#broken;
  }

  break(): void {
    this.#broken = true;
    this.onBroken?.();
  }

  /** Nothing but unwanted bytes are expected: the connection may be closed in favour of a new one. */
  lingers(): void {
    this.#owner.idle(this);
  }

  /** Starts the work of a request, now or after the requests before it. */
  enter(start: () => void): void {
    if (this.socket.destroyed) return;
    if (!this.#busy) {
      this.#busy = true;
      this.#owner.busy(this);
      start();
    } else if (this.#waiting.length < MAX_PIPELINED) {
      this.#waiting.push(start);
    } else {
      this.#waiting.length = 0;
      this.#owner.cut(this, 'pipelined');
    }
  }

  /** The request is answered and its memory returned. */
  leave(): void {
    this.#busy = false;
    this.awaitsBody = false;
    if (this.socket.destroyed) return;
    this.#owner.idle(this);
    const next = this.#waiting.shift();
    if (next !== undefined) this.enter(next);
  }
}

/**
 * All connections of all HTTP listeners, bounded in number. When a new one would be too many, an idle one is closed for it: first one that never sent a
 * request, then the one that has been idle longest; without any the new one is refused.
 */
export class Connections {
  readonly #limit: number;
  readonly #metrics: Metrics;
  readonly #refuse: (reason: RefusedReason) => void;
  readonly #now: () => number;
  readonly #all = new Set<Connection>();
  // Sets keep the order of insertion: the first is the oldest.
  readonly #fresh = new Set<Connection>();
  readonly #idle = new Set<Connection>();
  #closing = false;

  constructor(options: ConnectionsOptions) {
    this.#limit = options.limit;
    this.#metrics = options.metrics;
    this.#refuse = options.refuse;
    this.#now = options.now ?? (() => performance.now());
  }

  get size(): number {
    return this.#all.size;
  }

  /** Takes in a new connection; undefined when it was refused and closed. */
  open(socket: Socket, listener: string): Connection | undefined {
    if (this.#closing || (this.#all.size >= this.#limit && !this.#makeRoom())) {
      this.#refuse(this.#closing ? 'stopping' : 'connections');
      socket.destroy();
      return undefined;
    }
    const connection = new Connection(this, socket, this.#now());
    this.#all.add(connection);
    this.#fresh.add(connection);
    const gauge = this.#metrics.httpConnections.labels(listener);
    gauge.inc();
    socket.once('close', () => {
      this.#forget(connection);
      gauge.dec();
    });
    return connection;
  }

  /** Closes a connection and counts why. */
  cut(connection: Connection, reason: RefusedReason): void {
    this.#refuse(reason);
    this.#forget(connection);
    connection.socket.destroy();
  }

  busy(connection: Connection): void {
    this.#fresh.delete(connection);
    this.#idle.delete(connection);
  }

  idle(connection: Connection): void {
    if (this.#closing) connection.socket.destroySoon();
    else if (this.#all.has(connection)) this.#idle.add(connection);
  }

  /** Lets the readers of bodies look at the clock. */
  sweep(): void {
    const now = performance.now();
    for (const connection of this.#all) connection.watch?.(now);
  }

  /** Takes no more connections and closes the idle ones; busy ones are closed when their request is answered. */
  close(): void {
    this.#closing = true;
    for (const connection of [...this.#fresh, ...this.#idle]) connection.socket.destroy();
  }

  destroyAll(): void {
    for (const connection of this.#all) connection.socket.destroy();
  }

  #makeRoom(): boolean {
    const fresh = first(this.#fresh);
    const candidate =
      fresh !== undefined && this.#now() - fresh.openedAt >= GRACE_MS ? fresh : (first(this.#idle) ?? undefined);
    if (candidate === undefined) return false;
    this.cut(candidate, 'idle');
    return true;
  }

  #forget(connection: Connection): void {
    this.#all.delete(connection);
    this.#fresh.delete(connection);
    this.#idle.delete(connection);
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
