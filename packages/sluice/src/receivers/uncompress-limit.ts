import { constants, type ZlibOptions, type ZstdOptions } from 'node:zlib';

/** Uncompressed in pieces of this size: what a sender claims is not allocated before it has come. */
const CHUNK_BYTES = 64 * 1024;
/** Agents use 2^21; a sender could ask for up to 2^27 of memory otherwise. */
const ZSTD_MAX_WINDOW_LOG = 24;

/** Options for gzip and zlib streams of at most `limit` bytes. */
export function zlibLimit(limit: number): ZlibOptions {
  return { maxOutputLength: limit, chunkSize: CHUNK_BYTES };
}

/** Options for zstd frames of at most `limit` bytes, with windows that agents use. */
export function zstdLimit(limit: number): ZstdOptions {
  return {
    maxOutputLength: limit,
    chunkSize: CHUNK_BYTES,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_MAX_WINDOW_LOG },
  };
}

/** Whether uncompressing failed because there was more than the limit, not because the stream is broken. */
export function isBeyondLimit(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
