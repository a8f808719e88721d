import { errorText } from '../../base/errors.ts';

export interface BoundedGet {
  readonly mostBytes: number;
  /** For the whole answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface GotAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * One GET, its body read to the end, uncompressed, within a limit and a time. Nothing is followed elsewhere. Throws an Error that says what went
 * wrong; an answer of any status is none.
 */
export async function boundedGet(url: URL, { mostBytes, timeoutMs, signal }: BoundedGet): Promise<GotAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([signal, timeout]),
    });
    return { status: answer.status, body: await bodyOf(answer, mostBytes) };
  } catch (error) {
    if (timeout.aborted && !signal.aborted) throw new Error(`no whole answer within ${timeoutMs} ms`, { cause: error });
    throw new Error(causeOf(error), { cause: error });
  }
}

async function bodyOf(answer: Response, mostBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (answer.body === null) return Buffer.alloc(0);
  // Leaving the loop cancels the rest.
  for await (const part of answer.body) {
    bytes += part.length;
    if (bytes > mostBytes) throw new Error(`expected an answer of at most ${mostBytes} bytes; got more`);
    parts.push(part);
  }
  return Buffer.concat(parts, bytes);
}

/** `fetch failed` says nothing; what is behind it does. */
function causeOf(error: unknown): string {
  const inner = error instanceof TypeError && error.cause instanceof Error ? error.cause : undefined;
  return inner === undefined ? errorText(error) : `${errorText(error)}: ${errorText(inner)}`;
}
