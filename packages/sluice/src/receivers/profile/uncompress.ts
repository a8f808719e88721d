import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { isBeyondLimit, zlibLimit, zstdLimit } from '../uncompress-limit.ts';

export type Uncompressed = Uint8Array | 'malformed' | 'too_large';

/** Whether bytes begin as a zstd frame does. */
export function isZstd(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start > 4 &&
    bytes[start] === 0x28 &&
    bytes[start + 1] === 0xb5 &&
    bytes[start + 2] === 0x2f &&
    bytes[start + 3] === 0xfd
  );
}

export function uncompressZstd(bytes: Uint8Array, limit: number): Uncompressed {
  return attempt(() => zstdDecompressSync(bytes, zstdLimit(limit)));
}

/** The content of a gzip stream; what is none stays as it is, within the limit. */
export function uncompressGzip(bytes: Uint8Array, limit: number): Uncompressed {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.length > limit ? 'too_large' : bytes;
  return attempt(() => gunzipSync(bytes, zlibLimit(limit)));
}

function attempt(uncompress: () => Uint8Array): Uncompressed {
  try {
    return uncompress();
  } catch (error) {
    return isBeyondLimit(error) ? 'too_large' : 'malformed';
  }
}
