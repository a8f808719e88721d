/** One attempt: one body to one endpoint, and what came of it. Retries and negotiation are the client's. */
import type { AuthorizationProvider } from './authorization.ts';
import { WriteAbortedError, WriteError, WriteTimeoutError, type WriteStats } from './errors.ts';
import { parseRetryAfter } from './retry.ts';
import { drain, readBody, type FetchFunction, type FetchInit, type FetchResponse } from './transport.ts';
import {
  CONTENT_ENCODING,
  CONTENT_TYPE_V1,
  CONTENT_TYPE_V2,
  EXEMPLARS_WRITTEN_HEADER,
  HISTOGRAMS_WRITTEN_HEADER,
  REQUEST_V2,
  RETRY_ATTEMPT_HEADER,
  SAMPLES_WRITTEN_HEADER,
  VERSION_HEADER,
  VERSION_V1,
  VERSION_V2,
  type ProtobufMessage,
} from './wire/headers.ts';

/** Where and how a client sends. */
export interface Endpoint {
  readonly url: URL;
  readonly fetch: FetchFunction;
  readonly dispatcher: unknown;
  readonly authorization: AuthorizationProvider | undefined;
  readonly userAgent: string;
  readonly followRedirects: boolean;
  readonly maxErrorBodyBytes: number;
}

/** One attempt. */
export interface Attempt {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly message: ProtobufMessage;
  /** Custom headers, checked, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for the attempt, credentials and error body included. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** How many attempts at this data came before. */
  readonly earlierAttempts: number;
}

/** A 2xx. `stats` are what a 2.0 receiver reported; `undefined` if it sent none of its three headers. */
export interface Accepted {
  readonly status: number;
  readonly stats: WriteStats | undefined;
}

const MOST_REDIRECTS = 10;

/** The endpoint for messages to people: without user, password, query and fragment, which may hold secrets. */
export function displayUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/**
 * Makes one attempt.
 *
 * @throws WriteError, WriteTimeoutError or WriteAbortedError; `attempts` counts from `earlierAttempts`.
 */
export async function sendOnce(endpoint: Endpoint, attempt: Attempt): Promise<Accepted> {
  const { signal, timeout } = attempt;
  const attempts = attempt.earlierAttempts + 1;
  const where = displayUrl(endpoint.url);
  const aborted = (): WriteAbortedError =>
    new WriteAbortedError(`cannot write to ${where}: the write was aborted`, { attempts, cause: signal?.reason });
  if (signal?.aborted) throw aborted();

  const controller = new AbortController();
  let timedOut = false;
  const timer = Number.isFinite(timeout)
    ? setTimeout(
        () => {
          timedOut = true;
          controller.abort(new Error(`no answer within ${timeout} ms`));
        },
        Math.min(timeout, 0x7fffffff),
      )
    : undefined;
  const forward = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', forward);
  try {
    const interrupted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
    });
    // A transport or provider that ignores its signal must not outlive the attempt's time.
    interrupted.catch(() => undefined);
    return await Promise.race([exchange(endpoint, attempt, controller.signal, attempts), interrupted]);
  } catch (error) {
    if (signal?.aborted) throw aborted();
    if (timedOut) {
      throw new WriteTimeoutError(`cannot write to ${where}: expected an answer within ${timeout} ms; got none`, {
        attempts,
        retryable: true,
        cause: error,
      });
    }
    if (error instanceof WriteError) throw error;
    const code = errorCode(error);
    if (endpoint.dispatcher !== undefined && code === 'UND_ERR_INVALID_ARG') {
      throw new WriteError(
        `cannot write to ${where}: fetch cannot use the dispatcher (${code}); both must come from the same undici: give its fetch as option fetch`,
        { attempts, cause: error },
      );
    }
    throw new WriteError(`cannot write to ${where}: ${transportProblem(code)}`, {
      attempts,
      retryable: true,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', forward);
  }
}

async function exchange(
  endpoint: Endpoint,
  attempt: Attempt,
  signal: AbortSignal,
  attempts: number,
): Promise<Accepted> {
  const where = displayUrl(endpoint.url);
  const protocol: Record<string, string> = {
    'content-encoding': CONTENT_ENCODING,
    'content-type': attempt.message === REQUEST_V2 ? CONTENT_TYPE_V2 : CONTENT_TYPE_V1,
    'user-agent': endpoint.userAgent,
    [VERSION_HEADER.toLowerCase()]: attempt.message === REQUEST_V2 ? VERSION_V2 : VERSION_V1,
  };
  if (attempt.earlierAttempts > 0) protocol[RETRY_ATTEMPT_HEADER.toLowerCase()] = String(attempt.earlierAttempts);
  const personal: Record<string, string> = { ...attempt.headers };
  if (endpoint.authorization !== undefined) {
    try {
      personal['authorization'] = await endpoint.authorization();
    } catch (error) {
      throw new WriteError(`cannot write to ${where}: the credentials could not be obtained`, {
        attempts,
        retryable: true,
        cause: error,
      });
    }
  }
  // The time may have run out, or the caller given up, while credentials were fetched.
  signal.throwIfAborted();

  let url = endpoint.url;
  for (let redirects = 0; ; redirects++) {
    const trusted = keepsCredentials(endpoint.url, url);
    const init: FetchInit & { dispatcher?: unknown } = {
      method: 'POST',
      headers: trusted ? { ...personal, ...protocol } : protocol,
      body: attempt.body,
      redirect: 'manual',
      signal,
    };
    if (endpoint.dispatcher !== undefined) init.dispatcher = endpoint.dispatcher;
    const response = await endpoint.fetch(url.href, init);
    const next = redirects < MOST_REDIRECTS && endpoint.followRedirects ? redirectTarget(response, url) : undefined;
    if (next === undefined) return judge(endpoint, attempt, response, attempts);
    drain(response);
    url = next;
  }
}

/** Where a redirect leads; `undefined` if the response is none that a POST can follow. */
function redirectTarget(response: FetchResponse, from: URL): URL | undefined {
  // 303 asks for a GET of another page, which cannot take the data.
  if (![301, 302, 307, 308].includes(response.status)) return undefined;
  const location = response.headers.get('location');
  if (location === null || !URL.canParse(location, from.href)) return undefined;
  const target = new URL(location, from);
  if (target.protocol !== 'http:' && target.protocol !== 'https:') return undefined;
  if (target.username !== '' || target.password !== '') return undefined;
  return target;
}

/** Credentials and custom headers stay with the origin they were given for, or its upgrade from http to https. */
function keepsCredentials(configured: URL, target: URL): boolean {
  if (target.origin === configured.origin) return true;
  return (
    target.hostname === configured.hostname &&
    configured.protocol === 'http:' &&
    target.protocol === 'https:' &&
    configured.port === '' &&
    target.port === ''
  );
}

async function judge(
  endpoint: Endpoint,
  attempt: Attempt,
  response: FetchResponse,
  attempts: number,
): Promise<Accepted> {
  const { status } = response;
  const stats = attempt.message === REQUEST_V2 ? readStats(response) : undefined;
  if (status >= 200 && status < 300) {
    drain(response);
    return { status, stats };
  }
  const where = displayUrl(endpoint.url);
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    drain(response);
    throw new WriteError(
      `cannot write to ${where}: expected status 2xx; got ${status === 0 ? 'a redirect' : `redirect ${status}`} that is not followed; use the final address as url`,
      { statusCode: status === 0 ? undefined : status, attempts, stats },
    );
  }
  const retryAfter = parseRetryAfter(response.headers.get('retry-after'), Date.now());
  const body = await readBody(response, endpoint.maxErrorBodyBytes);
  const shown = body.replace(/\p{Cc}+/gu, ' ').trim();
  throw new WriteError(
    `cannot write to ${where}: expected status 2xx; got ${status}${shown === '' ? '' : `: ${shown}`}`,
    {
      statusCode: status,
      body,
      retryable: status === 429 || (status >= 500 && status < 600),
      attempts,
      stats,
      retryAfter,
    },
  );
}

function readStats(response: FetchResponse): WriteStats | undefined {
  const samples = readCount(response, SAMPLES_WRITTEN_HEADER);
  const histograms = readCount(response, HISTOGRAMS_WRITTEN_HEADER);
  const exemplars = readCount(response, EXEMPLARS_WRITTEN_HEADER);
  if (samples === undefined && histograms === undefined && exemplars === undefined) return undefined;
  return { samples: samples ?? 0, histograms: histograms ?? 0, exemplars: exemplars ?? 0, confirmed: true };
}

function readCount(response: FetchResponse, header: string): number | undefined {
  const text = response.headers.get(header)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The code of a failed `fetch`, whose own message is often just "fetch failed" with the cause inside. */
function errorCode(error: unknown): string | undefined {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code ?? (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

function transportProblem(code: string | undefined): string {
  return `no answer was received${code === undefined ? '' : ` (${code})`}; check that the address is right and reachable`;
}
