import { isSluiceError } from '../base/errors.ts';
import type { HttpReply, HttpRequest, HttpRoute } from '../base/ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { contentEncoding, plainBody } from './request-body.ts';
import { type RequestRows, RequestRowsPool, type RequestRowsOptions } from './request-rows.ts';
import { errorReply, unavailableReply } from './write-reply.ts';

export interface WriteRouteOptions extends RequestRowsOptions {
  readonly path: string;
  /** Body of a request as it comes, and when it is uncompressed. */
  readonly limits: { readonly bodyBytes: number; readonly decodedBytes: number };
  /** What one request may need in all. */
  readonly memoryBytes: number;
  /** Makes rows of an uncompressed body, appends them, and answers. May reject as Append does: what was not appended then is dropped. */
  readonly write: (body: Uint8Array, rows: RequestRows, request: HttpRequest) => Promise<HttpReply>;
}

/** Outcomes of requests of which nothing is taken, by status. */
const refusals = { 400: 'malformed', 413: 'too_large', 415: 'unsupported' } as const;

/**
 * POST route that makes rows of bodies, gzipped or not. Counts requests that are refused and those that the journal did not take; the others are
 * `write`'s to count.
 *
 * 400, 413 and 415 with `{"error": ...}` for what cannot be read; 503 when the journal takes nothing at the moment: the request may be sent again.
 */
export function writeRoute(options: WriteRouteOptions): HttpRoute {
  const { path, input, limits, memoryBytes, metrics, write } = options;
  const pool = new RequestRowsPool(options);

  async function written(body: Uint8Array, request: HttpRequest): Promise<HttpReply> {
    const rows = pool.open();
    try {
      return await write(body, rows, request);
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      metrics.receivedRequests.inc({ input, outcome: error.code });
      return unavailableReply(error);
    } finally {
      rows.close();
    }
  }

  return {
    method: 'POST',
    path,
    scope: 'write',
    bodyLimit: limits.bodyBytes,
    memory: memoryBytes,
    check: (headers) =>
      contentEncoding(headers) === 'other'
        ? refused(options, 415, 'expected Content-Encoding gzip, or none')
        : undefined,
    handle: async (request) => {
      const began = performance.now();
      metrics.receivedBytes.inc({ input }, request.body.length);
      const body = await plainBody(request, limits.decodedBytes);
      if (body.kind !== 'plain') return refused(options, body.kind === 'too_large' ? 413 : 400, body.text);
      const reply = await written(body.bytes, request);
      metrics.acknowledgeSeconds.observe({ input }, (performance.now() - began) / 1000);
      return reply;
    },
  };
}

/** The answer to a request of which nothing is taken, which it counts. */
export function refused(
  { input, metrics }: { readonly input: string; readonly metrics: Metrics },
  status: keyof typeof refusals,
  text: string,
): HttpReply {
  metrics.receivedRequests.inc({ input, outcome: refusals[status] });
  return errorReply(status, text);
}
