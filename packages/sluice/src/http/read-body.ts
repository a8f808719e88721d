import type { IncomingMessage } from 'node:http';
import type { BodyPool } from './body-pool.ts';
import type { Connection } from './connections.ts';

/** Bytes per second below which a body that takes longer than its timeout is given up. */
const LEAST_RATE = 16 * 1024;
/** How long a body may pause before its memory goes to others who wait for it. */
const PATIENCE_MS = 400;

export type BodyOutcome =
  /** `release` once nothing reads the body any more. */
  | { readonly kind: 'complete'; readonly body: Buffer; readonly release: () => void }
  /** More came than the limit; the rest is unread. */
  | { readonly kind: 'too_large' }
  /** It came too slowly; the rest is unread. */
  | { readonly kind: 'slow' }
  /** There was no memory for it; the rest is unread. */
  | { readonly kind: 'no_memory' }
  /** Its chunks are not what HTTP says. */
  | { readonly kind: 'malformed' }
  /** The client went away in the middle. */
  | { readonly kind: 'gone' };

export interface ReadBodyOptions {
  readonly request: IncomingMessage;
  readonly connection: Connection;
  /** From Content-Length, within the limit; undefined for a chunked body. */
  readonly length: number | undefined;
  readonly limit: number;
  readonly timeoutMs: number;
  readonly pool: BodyPool;
  readonly memory: BodyMemory;
}

/** Memory for one body, granted as its bytes arrive: a length that is only declared costs nobody anything. */
export interface BodyMemory {
  /** Asks for `bytes` in all; false: not at once. */
  readonly tryReach: (bytes: number) => boolean;
  /** Likewise, with a short wait; false: there is none. */
  readonly reach: (bytes: number) => Promise<boolean>;
  /** Others wait for what this body holds. */
  readonly isShort: () => boolean;
}

/** Least step in which memory is asked for, in bytes. */
const STEP = 1 << 12;

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Reads a body into one buffer: the socket's own when everything came at once, one of the right size for a usual Content-Length; a chunked or large
 * body is copied into buffers that grow fourfold, so that many small chunks cost no more than a few large ones.
 * Memory is only taken once bytes arrive; while there is none the client is not read from.
 */
export function readBody(options: ReadBodyOptions): Promise<BodyOutcome> {
  const { request, connection, length, limit, timeoutMs, pool, memory } = options;
  const { promise, resolve } = Promise.withResolvers<BodyOutcome>();
  const startedAt = performance.now();
  let target = EMPTY;
  let pooled: Buffer | undefined;
  let received = 0;
  let single: Buffer | undefined;
  let granted = 0;
  let isSettled = false;
  let lookedAt = startedAt;
  let receivedThen = 0;

  const settle = (outcome: BodyOutcome) => {
    if (isSettled) return;
    isSettled = true;
    connection.watch = undefined;
    connection.onBroken = undefined;
    request.removeListener('data', onData);
    request.removeListener('end', onEnd);
    request.removeListener('close', onGone);
    if (outcome.kind !== 'complete') {
      request.pause();
      if (pooled !== undefined) pool.give(pooled);
    }
    resolve(outcome);
  };
  const reserve = (size: number) => {
    const larger = length === undefined || size >= 1 << 16 ? pool.take(size) : Buffer.allocUnsafe(size);
    target.copy(larger, 0, 0, received);
    if (pooled !== undefined) pool.give(pooled);
    pooled = length === undefined || size >= 1 << 16 ? larger : undefined;
    target = larger;
  };
  const onData = (chunk: Buffer) => {
    const end = received + chunk.length;
    if (end > limit) return settle({ kind: 'too_large' });
    if (end <= granted) return accept(chunk);
    // Twice what came: steps are few, and nobody gets much more than was paid for with bytes.
    const wanted = Math.min(length ?? limit, Math.max(end * 2, STEP));
    if (memory.tryReach(wanted)) {
      granted = wanted;
      return accept(chunk);
    }
    request.pause();
    void memory.reach(wanted).then((isGranted) => {
      if (isSettled) return;
      if (!isGranted) return settle({ kind: 'no_memory' });
      granted = wanted;
      accept(chunk);
      request.resume();
    });
  };
  const accept = (chunk: Buffer) => {
    const end = received + chunk.length;
    if (length === chunk.length) {
      single = chunk;
    } else {
      if (end > target.length) reserve(roomFor(end, length, limit));
      chunk.copy(target, received);
      freeNow(chunk);
    }
    received = end;
  };
  const onEnd = () => {
    const release = () => {
      if (single !== undefined) freeNow(single);
      if (pooled !== undefined) pool.give(pooled);
    };
    settle({ kind: 'complete', body: single ?? target.subarray(0, received), release });
  };
  const onGone = () => settle({ kind: 'gone' });

  connection.watch = (now) => {
    const elapsed = now - startedAt;
    if (elapsed >= timeoutMs && received < (elapsed / 1000) * LEAST_RATE) settle({ kind: 'slow' });
    if (now - lookedAt < PATIENCE_MS) return;
    // What came fast and stopped would hold its memory for as long as its average lasts.
    const isSlow = received - receivedThen < ((now - lookedAt) / 1000) * LEAST_RATE;
    if (isSlow && granted > 0 && !request.isPaused() && memory.isShort()) settle({ kind: 'no_memory' });
    lookedAt = now;
    receivedThen = received;
  };
  connection.onBroken = () => settle({ kind: 'malformed' });
  request.on('data', onData);
  request.on('end', onEnd);
  request.on('close', onGone);
  if (connection.isBroken) connection.onBroken();
  return promise;
}

/** Size of the next buffer: all of a usual body at once, large ones in steps, as nothing says that the declared rest ever comes. */
function roomFor(end: number, length: number | undefined, limit: number): number {
  return Math.min(length ?? limit, Math.max(end * 4, length === undefined ? 1 << 16 : 1 << 18));
}

/**
 * Returns the memory of a chunk to the allocator at once. Node gives every read a buffer of its own, up to 64 KiB; left to the garbage collector they
 * count as memory pressure, and a full collection runs for every 30 MB received, which costs more than all the rest of reading.
 */
function freeNow(chunk: Buffer): void {
  const { buffer } = chunk;
  // A slice of something larger may have other readers.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length && chunk.length > 4096) buffer.transfer(0);
}
