import { promisify } from 'node:util';
import { gunzip, type ZlibOptions } from 'node:zlib';
import type { HttpRequest } from '../base/ports.ts';
import { isBeyondLimit, zlibLimit } from './uncompress-limit.ts';

export type ContentEncoding = 'none' | 'gzip' | 'other';

/** How the body of a request is compressed. */
export function contentEncoding(headers: HttpRequest['headers']): ContentEncoding {
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return 'none';
  return encoding === 'gzip' ? 'gzip' : 'other';
}

export type PlainBody =
  | { readonly kind: 'plain'; readonly bytes: Uint8Array }
  | { readonly kind: 'too_large' | 'corrupt'; readonly text: string };

const gunzipLater = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

/** The body of a request, of at most `limit` bytes, uncompressed when it says that it is gzip. */
export async function plainBody({ headers, body }: HttpRequest, limit: number): Promise<PlainBody> {
  const tooLarge: PlainBody = {
    kind: 'too_large',
    text: `cannot take the body: expected at most ${limit} bytes when uncompressed`,
  };
  if (contentEncoding(headers) === 'none') {
    return body.length > limit ? tooLarge : { kind: 'plain', bytes: body };
  }
  try {
    return { kind: 'plain', bytes: await gunzipLater(body, zlibLimit(limit)) };
  } catch (error) {
    return isBeyondLimit(error)
      ? tooLarge
      : { kind: 'corrupt', text: 'cannot uncompress the body: expected a whole gzip stream; got something else' };
  }
}
