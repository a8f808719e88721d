import { promisify } from 'node:util';
import {
  gunzip,
  gunzipSync,
  inflate,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
  type ZlibOptions,
  type ZstdOptions,
} from 'node:zlib';
import { isBeyondLimit, zlibLimit, zstdLimit } from '../uncompress-limit.ts';

/** Encoders of a frame's body; 2, between these, is gzip. */
const RAW = 0;
const ZLIB = 1;
const ZSTD = 3;

/** Why a body cannot be had. The frame is dropped, the connection goes on. */
export type BodyFault = 'corrupt_body' | 'body_too_large' | 'unknown_encoder';

/**
 * Bodies are uncompressed at once up to this size, which agents stay below (they compress what they gather up to 256 KiB); larger ones in the thread
 * pool, one after the other, so that neither the event loop nor memory is at the mercy of a sender.
 */
const AT_ONCE = 1024 * 1024;

const inflateLater = promisify<Uint8Array, ZlibOptions, Buffer>(inflate);
const gunzipLater = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);
const zstdLater = promisify<Uint8Array, ZstdOptions, unknown>(zstdDecompress);

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
      if (!isBeyondLimit(error)) return 'corrupt_body';
      return this.#limit <= AT_ONCE ? 'body_too_large' : this.#uncompressLarge(encoder, body);
    }
  }

  /**
   * Gives back the memory of a body that came out of `uncompress`, which must not be looked at any more. Left to the garbage collector, bodies make it
   * run several times a second on a busy hub, for a quarter of a core.
   */
  release(body: Uint8Array): void {
    const { buffer } = body;
    // Small ones lie in a memory that others share.
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= PIECE_BYTES) buffer.transfer(0);
  }

  #uncompressLarge(encoder: number, body: Uint8Array): Promise<Uint8Array | BodyFault> {
    const outcome = this.#large
      .then(() => later(encoder, body, this.#limit))
      .catch((error: unknown): BodyFault => (isBeyondLimit(error) ? 'body_too_large' : 'corrupt_body'));
    // Without its result, which may be tens of megabytes.
    this.#large = outcome.then(() => undefined);
    return outcome;
  }
}

/** A body of the usual size (agents gather 256 KiB) comes in one piece, of a memory of its own; pages that it does not need are never touched. */
const PIECE_BYTES = 512 * 1024;

function now(encoder: number, body: Uint8Array, limit: number): Buffer {
  if (encoder === ZSTD) {
    return onlyFrame(zstdDecompressSync(body, { ...zstdLimit(limit), chunkSize: PIECE_BYTES, info: true }), body);
  }
  const options = { ...zlibLimit(limit), chunkSize: PIECE_BYTES };
  return encoder === ZLIB ? inflateSync(body, options) : gunzipSync(body, options);
}

async function later(encoder: number, body: Uint8Array, limit: number): Promise<Buffer> {
  if (encoder === ZSTD) return onlyFrame(await zstdLater(body, { ...zstdLimit(limit), info: true }), body);
  return encoder === ZLIB ? inflateLater(body, zlibLimit(limit)) : gunzipLater(body, zlibLimit(limit));
}

/**
 * What `body` holds, from an answer with `info: true`. The library stops behind the first zstd frame and says nothing of what follows, which might be
 * records: agents send one frame, and anything else is no body. Throws an Error.
 */
function onlyFrame(answer: unknown, body: Uint8Array): Buffer {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the types know no `info` for zstd
  const { buffer, engine } = answer as { buffer: Buffer; engine: { bytesWritten: number } };
  if (engine.bytesWritten !== body.length) throw new Error('expected the zstd frame to end with the body');
  return buffer;
}
