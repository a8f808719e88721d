/**
 * The part of `fetch` that this library uses, described structurally, so that any implementation fits: the built-in
 * one, undici's, node-fetch, a test double.
 */

/** Options handed to `fetch`. With a `dispatcher` in the client options it is passed along too. */
export interface FetchInit {
  readonly method: 'POST';
  readonly headers: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Redirects are followed by this library, which knows which headers must not leave the host. */
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

/** What is read of a response. */
export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body?: unknown;
  readonly type?: string;
  text(): Promise<string>;
}

/** A `fetch` function. */
export type FetchFunction = (url: string, init: FetchInit) => Promise<FetchResponse>;

interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** Bytes of a success body read to keep the connection usable; a longer body costs the connection. */
const DRAINED_BYTES = 16 * 1024;
/** Time for that, in milliseconds. */
const DRAIN_MS = 1000;

function readerOf(response: FetchResponse): BodyReader | undefined {
  const body = response.body as { getReader?: () => BodyReader } | null | undefined;
  return typeof body?.getReader === 'function' ? body.getReader() : undefined;
}

/** Reads at most `maxBytes` of a response body as text and lets go of the rest. Failures end the text. */
export async function readBody(response: FetchResponse, maxBytes: number): Promise<string> {
  const reader = readerOf(response);
  if (reader === undefined) {
    if (response.body === null || response.body === undefined) return '';
    const text = await response.text().catch(() => '');
    return truncate(new TextEncoder().encode(text), maxBytes);
  }
  const collected = new Uint8Array(maxBytes);
  let size = 0;
  try {
    while (size < maxBytes) {
      const { done, value } = await reader.read();
      if (done || value === undefined) break;
      const part = value.subarray(0, maxBytes - size);
      collected.set(part, size);
      size += part.length;
    }
  } catch {
    // What has arrived is worth more than the reason why the rest did not.
  }
  await settleQuietly(reader.cancel());
  return truncate(collected.subarray(0, size), maxBytes);
}

function truncate(bytes: Uint8Array, maxBytes: number): string {
  // `stream` leaves out a character cut in two at the end.
  return new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true });
}

/** Reads a body nobody needs, in the background and within limits, so that its connection can be used again. */
export function drain(response: FetchResponse): void {
  const reader = readerOf(response);
  if (reader === undefined) return;
  const timer = setTimeout(() => void settleQuietly(reader.cancel()), DRAIN_MS);
  (timer as { unref?: () => void }).unref?.();
  void settleQuietly(
    (async () => {
      let size = 0;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        size += value?.length ?? 0;
        if (size > DRAINED_BYTES) {
          await reader.cancel();
          return;
        }
      }
    })().finally(() => clearTimeout(timer)),
  );
}

async function settleQuietly(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // A body that cannot be read or cancelled has no bearing on the result of the write.
  }
}
