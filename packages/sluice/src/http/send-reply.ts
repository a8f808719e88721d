import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpReply } from '../base/ports.ts';

export interface SendReplyOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: HttpReply;
  /**
   * What became of the request's body. `coming`: the client is still sending it; `held`: it waits for `100 Continue`, which it will not get.
   * In both cases the connection cannot be used again.
   */
  readonly unread: 'no' | 'coming' | 'held';
  /** No further request is wanted on this connection. */
  readonly lastOne: boolean;
  /** Time without progress after which the client is taken to have stopped reading. */
  readonly timeoutMs: number;
  readonly onSlowReader: () => void;
  /** Called when nothing is left to do but to let the client finish sending. */
  readonly onLinger: () => void;
}

const LINGER_MS = 1000;
const LINGER_BYTES = 4 << 20;

/**
 * Sends a reply and resolves when the response is closed: the last byte is with the operating system, or the connection is gone.
 *
 * An iterable's first part is awaited before the status is sent, so that a failure until then rejects and can still become a proper answer;
 * a later failure destroys the connection (a cut transfer is how a client learns of it) and rejects.
 */
export async function sendReply(options: SendReplyOptions): Promise<void> {
  const { request, response, reply, unread, timeoutMs } = options;
  const { body } = reply;
  const bodiless = request.method === 'HEAD' || reply.status === 204 || reply.status === 304;
  const headers: Record<string, string | number> = {};
  for (const name in reply.headers) headers[name.toLowerCase()] = reply.headers[name] ?? '';
  if (unread !== 'no' || options.lastOne) headers['connection'] = 'close';

  if (body !== undefined && !isWhole(body)) {
    if (!bodiless) return sendParts(options, body, headers);
    setType(headers, 'application/octet-stream');
    await ignoreErrors(() => body[Symbol.asyncIterator]().return?.());
  } else if (body !== undefined && reply.status !== 204) {
    setType(headers, typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream');
    headers['content-length'] = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  } else if (reply.status !== 204) {
    headers['content-length'] = 0;
  }

  const closed = whenClosed(response);
  response.writeHead(reply.status, headers);
  const payload = bodiless || body === undefined || !isWhole(body) || body.length === 0 ? undefined : body;
  if (unread === 'coming') await linger(options, payload);
  else response.end(payload);
  if (response.writableLength > 0) guardReader(response, timeoutMs, options.onSlowReader);
  await closed;
}

/** Runs down an iterable with the client's pace; leaves it when the client goes away. */
async function sendParts(
  options: SendReplyOptions,
  body: AsyncIterable<Uint8Array>,
  headers: Record<string, string | number>,
): Promise<void> {
  const { request, response, reply, timeoutMs, onSlowReader } = options;
  const iterator = body[Symbol.asyncIterator]();
  let wake: (() => void) | undefined;
  const closed = whenClosed(response).then(() => wake?.());
  // Settles with what comes first; a lasting promise in a race would collect a reaction for every part.
  const orClosed = <T>(work: Promise<T> | undefined, event?: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const settle = () => resolve(undefined);
    wake = settle;
    if (response.closed || response.destroyed) settle();
    work?.then(resolve, reject);
    if (event !== undefined) response.once(event, settle);
    return promise;
  };

  let finished = false;
  try {
    for (let first = true; ; first = false) {
      const step = await orClosed(iterator.next());
      if (step === undefined) return;
      if (first) {
        setType(headers, 'application/octet-stream');
        response.writeHead(reply.status, headers);
      }
      if (step.done === true) break;
      if (!response.write(step.value)) {
        guardReader(response, timeoutMs, onSlowReader);
        await orClosed(undefined, 'drain');
        response.setTimeout(0);
      }
    }
    finished = true;
    response.end();
    if (response.writableLength > 0) guardReader(response, timeoutMs, onSlowReader);
    // An unread body is not waited for here: what is streamed goes to a reader, whose requests are small.
    if (options.unread === 'coming') request.resume();
    await closed;
  } catch (error) {
    finished = true;
    if (response.headersSent) response.destroy();
    throw error;
  } finally {
    if (!finished) void ignoreErrors(() => iterator.return?.());
  }
}

/**
 * Answers in full, then takes and forgets what the client still sends, for a while. Closing at once would make the operating system reset the
 * connection, and the client might lose the answer that tells it why.
 */
async function linger(options: SendReplyOptions, payload: string | Uint8Array | undefined): Promise<void> {
  const { request, response, onLinger } = options;
  if (payload === undefined) response.flushHeaders();
  else response.write(payload);
  if (!request.destroyed && !request.readableEnded) {
    onLinger();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LINGER_MS);
    let dropped = 0;
    request.on('data', (chunk: Buffer) => {
      dropped += chunk.length;
      if (dropped > LINGER_BYTES) resolve();
    });
    request.once('close', resolve);
    request.once('end', resolve);
    request.resume();
    await promise;
    clearTimeout(timer);
  }
  response.end();
}

function guardReader(response: ServerResponse, timeoutMs: number, onSlowReader: () => void): void {
  response.removeAllListeners('timeout');
  response.setTimeout(timeoutMs, () => {
    onSlowReader();
    response.destroy();
  });
}

function whenClosed(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (response.closed || response.destroyed) resolve();
  else response.once('close', resolve);
  return promise;
}

function isWhole(body: NonNullable<HttpReply['body']>): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array;
}

function setType(headers: Record<string, string | number>, type: string): void {
  headers['content-type'] ??= type;
  // What a client is told to be text must not be guessed to be a page with scripts.
  headers['x-content-type-options'] ??= 'nosniff';
}

async function ignoreErrors(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch {
    // Whoever is told to stop has nothing left to say.
  }
}
