import { uncompress } from 'snappy';
import { ProtobufWriter, compressBlock } from 'promwrite/wire';
import type { HttpReply, HttpRequest, HttpRoute } from '../../../src/base/ports.ts';

/** Calls a route's handler as the HTTP server would. */
export async function ask(
  routes: readonly HttpRoute[],
  request: Partial<HttpRequest> & { path: string },
): Promise<HttpReply> {
  const method = request.method ?? 'GET';
  for (const route of routes) {
    const pattern = new RegExp(`^${route.path.replaceAll('*', '([^/]+)')}$`);
    const match = pattern.exec(request.path);
    if (match === null || route.method !== method) continue;
    return route.handle({
      method,
      wildcards: match.slice(1).map(decodeURIComponent),
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.alloc(0),
      org: 1,
      signal: new AbortController().signal,
      ...request,
    });
  }
  throw new Error(`no route ${method} ${request.path}`);
}

/** The whole body of a reply. */
export async function bodyOf(reply: HttpReply): Promise<Buffer> {
  if (reply.body === undefined) return Buffer.alloc(0);
  if (typeof reply.body === 'string') return Buffer.from(reply.body);
  if (reply.body instanceof Uint8Array) return Buffer.from(reply.body);
  const parts: Uint8Array[] = [];
  for await (const part of reply.body) parts.push(part.slice());
  return Buffer.concat(parts);
}

export async function uncompressed(reply: HttpReply): Promise<Buffer> {
  const body = await uncompress(await bodyOf(reply), { asBuffer: true });
  return Buffer.from(body);
}

export interface TestQuery {
  readonly start: number;
  readonly end: number;
  readonly matchers: readonly (readonly [name: string, type: number, value: string])[];
}

/** The body of a remote-read request. */
export function readRequest(queries: readonly TestQuery[], accepted: readonly number[] = []): Buffer {
  const out = new ProtobufWriter();
  for (const { start, end, matchers } of queries) {
    out.varint32(10);
    const query = out.open(2);
    out.varint32(8);
    out.int64(start);
    out.varint32(16);
    out.int64(end);
    for (const [name, type, value] of matchers) {
      out.varint32(26);
      const matcher = out.open(1);
      out.varint32(8);
      out.varint32(type);
      out.stringField(18, name);
      out.stringField(26, value);
      out.close(matcher, 1);
    }
    out.close(query, 2);
  }
  for (const type of accepted) {
    out.varint32(16);
    out.varint32(type);
  }
  return Buffer.from(compressBlock(out.written()));
}
