import { promisify } from 'node:util';
import {
  constants,
  gunzip,
  gunzipSync,
  inflate,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
  type ZlibOptions,
  type ZstdOptions,
} from 'node:zlib';

/** Encoders of a frame's body. */
const RAW = 0;
const ZLIB = 1;
const GZIP = 2;
const ZSTD = 3;

/** Why a body cannot be had. The frame is dropped, the connection goes on. */
export type BodyFault = 'corrupt_body' | 'body_too_large' | 'unknown_encoder';

/**
 * Bodies are uncompressed at once up to this size, which agents stay below (they compress what they gather up to 256 KiB); larger ones in the thread
 * pool, one after the other, so that neither the event loop nor memory is at the mercy of a sender.
 */
const AT_ONCE = 1024 * 1024;

/** Agents use 2^21; a sender could ask for up to 2^27 of memory otherwise. */
const ZSTD_MAX_WINDOW_LOG = 24;

const inflateLater = promisify<Uint8Array, ZlibOptions, Buffer>(inflate);
const gunzipLater = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);
const zstdLater = promisify<Uint8Array, ZstdOptions, Buffer>(zstdDecompress);

/** Uncompresses bodies of frames, none to more than `limit` bytes. */
export class Uncompressor {
  readonly #limit: number;
  #large: Promise<void> = Promise.resolve();

  constructor(limit: number) {
    this.#limit = limit;
  }

  uncompress(encoder: number, body: Uint8Array): Uint8Array | BodyFault | Promise<Uint8Array | BodyFault> {
    if (encoder === RAW) return body;
    if (encoder > ZSTD) return 'unknown_encoder';
    try {
      return now(encoder, body, Math.min(AT_ONCE, this.#limit));
    } catch (error) {
      if (!isTooLarge(error)) return 'corrupt_body';
      return this.#limit <= AT_ONCE ? 'body_too_large' : this.#uncompressLarge(encoder, body);
    }
  }

  #uncompressLarge(encoder: number, body: Uint8Array): Promise<Uint8Array | BodyFault> {
    const outcome = this.#large
      .then(() => later(encoder, body, this.#limit))
      .catch((error: unknown): BodyFault => (isTooLarge(error) ? 'body_too_large' : 'corrupt_body'));
    // Without its result, which may be tens of megabytes.
    this.#large = outcome.then(() => undefined);
    return outcome;
  }
}

function now(encoder: number, body: Uint8Array, limit: number): Buffer {
  if (encoder === ZSTD) return zstdDecompressSync(body, zstdOptions(limit));
  const options = { maxOutputLength: limit, chunkSize: CHUNK };
  return encoder === ZLIB ? inflateSync(body, options) : gunzipSync(body, options);
}

function later(encoder: number, body: Uint8Array, limit: number): Promise<Buffer> {
  if (encoder === ZSTD) return zstdLater(body, zstdOptions(limit));
  const options = { maxOutputLength: limit, chunkSize: CHUNK };
  return encoder === GZIP ? gunzipLater(body, options) : inflateLater(body, options);
}

const CHUNK = 64 * 1024;

function zstdOptions(limit: number): ZstdOptions {
  return {
    maxOutputLength: limit,
    chunkSize: CHUNK,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_MAX_WINDOW_LOG },
  };
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
