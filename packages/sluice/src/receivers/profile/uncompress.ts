import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';

/** Agents compress a profile in one go: its window is as large as the profile, or 2^21. A sender could ask for up to 2^27 of memory otherwise. */
const ZSTD_MAX_WINDOW_LOG = 24;
const CHUNK = 64 * 1024;

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
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_MAX_WINDOW_LOG };
  return attempt(() => zstdDecompressSync(bytes, { maxOutputLength: limit, chunkSize: CHUNK, params }));
}

/** The content of a gzip stream; what is none stays as it is, within the limit. */
export function uncompressGzip(bytes: Uint8Array, limit: number): Uncompressed {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.length > limit ? 'too_large' : bytes;
  return attempt(() => gunzipSync(bytes, { maxOutputLength: limit, chunkSize: CHUNK }));
}

function attempt(uncompress: () => Uint8Array): Uncompressed {
  try {
    return uncompress();
  } catch (error) {
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return isTooLarge ? 'too_large' : 'malformed';
  }
}
