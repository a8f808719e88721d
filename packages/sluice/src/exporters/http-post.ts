import { request as httpRequest, type Agent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Post {
  readonly url: URL;
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As much of it as is read: at most 64 KiB. */
  readonly body: Buffer;
}

/** Bytes of an answer that are read: for its text, and so that its connection can be used again. */
const READ_BYTES = 64 * 1024;
/** Time for that, in milliseconds. */
const READ_MS = 1000;

/** Sends one request and waits for what is worth of its answer. Rejects when there is none: refused, cut off, aborted. */
export async function post(request: Post): Promise<Answer> {
  try {
    return await exchange(request);
  } catch (error) {
    // A connection that was kept may have been closed by the other side in this moment: that says nothing about the request.
    if (!(error instanceof StaleConnection) || request.signal.aborted) throw error;
    return exchange(request);
  }
}

class StaleConnection extends Error {}

function exchange({ url, agent, headers, body, signal }: Post): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const sent = start(url, { method: 'POST', agent, headers: { ...headers, 'content-length': body.length }, signal });
    let isAnswered = false;
    sent.on('response', (response) => {
      isAnswered = true;
      read(response).then(resolve, reject);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // What happens to a request after its answer changes nothing: a receiver need not read a body that it refuses.
      if (isAnswered) return;
      const isStale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    sent.on('close', () => {
      if (!isAnswered) reject(new Error('the connection was closed without an answer'));
    });
    sent.end(body);
  });
}

/** The body as far as it is of use. The status has decided already, whatever becomes of the rest. */
async function read(response: IncomingMessage): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  const parts: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(finish, READ_MS);
    function finish(): void {
      clearTimeout(timer);
      resolve();
    }
    response.on('data', (part: Buffer) => {
      if (bytes < READ_BYTES) parts.push(part.subarray(0, READ_BYTES - bytes));
      bytes += part.length;
      if (bytes > READ_BYTES) finish();
    });
    response.on('end', finish);
    response.on('error', finish);
    response.on('close', finish);
  });
  if (!response.complete) response.destroy();
  return { status, headers, body: Buffer.concat(parts) };
}
