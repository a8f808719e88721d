import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';

/*
 * A body of gRPC is messages one after the other:
 *
 *   0      1 byte   0 = as it is, 1 = compressed as the header grpc-encoding says
 *   1      u32 BE   length of the message
 *   5      the message
 */
const HEAD_BYTES = 5;

/** Memory for messages that have not come whole, over all calls: none of them is known to be worth it yet. */
export class MessageBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /** Whether there is room for that many more bytes; if so they are taken. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}

export interface WireMessage {
  readonly bytes: Buffer;
  readonly isCompressed: boolean;
}

/** Why a body is not read on. */
export type BodyProblem = 'too_large' | 'memory' | 'malformed';

const NOTHING = Buffer.alloc(0);

/** Finds the messages in the pieces in which a body comes. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #budget: MessageBudget;
  /** Of a message that has not come whole: the first `#length` bytes. */
  #held = NOTHING;
  #length = 0;

  constructor(maxBytes: number, budget: MessageBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Whether the body may end here. */
  get isBetweenMessages(): boolean {
    return this.#length === 0;
  }

  /** The messages that a piece makes whole; they are part of its memory. */
  read(piece: Buffer): readonly WireMessage[] | BodyProblem {
    let rest = piece;
    if (this.#length > 0) {
      if (!this.#append(piece)) return 'memory';
      rest = this.#held.subarray(0, this.#length);
    }
    const found: WireMessage[] = [];
    while (rest.length >= HEAD_BYTES) {
      const flag = rest[0] ?? 0;
      if (flag > 1) return 'malformed';
      const length = rest.readUInt32BE(1);
      if (length > this.#maxBytes) return 'too_large';
      const end = HEAD_BYTES + length;
      if (end > rest.length) break;
      found.push({ bytes: rest.subarray(HEAD_BYTES, end), isCompressed: flag === 1 });
      rest = rest.subarray(end);
    }
    if (found.length === 0 && this.#length > 0) return found;
    this.release();
    return this.#append(rest) ? found : 'memory';
  }

  /** Forgets what is held of a message that will not come whole. */
  release(): void {
    this.#budget.giveBack(this.#held.length);
    this.#held = NOTHING;
    this.#length = 0;
  }

  /** Copies: pieces may be a byte each, and each of them an object that holds on to what was read with it. */
  #append(piece: Buffer): boolean {
    const length = this.#length + piece.length;
    if (length > this.#held.length) {
      const capacity = Math.max(length, 2 * this.#held.length);
      if (!this.#budget.take(capacity - this.#held.length)) return false;
      const grown = Buffer.allocUnsafeSlow(capacity);
      this.#held.copy(grown, 0, 0, this.#length);
      this.#held = grown;
    }
    piece.copy(this.#held, this.#length);
    this.#length = length;
    return true;
  }
}

/** A message as it stands in a body. */
export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, HEAD_BYTES);
  return bytes;
}

/** Compressions of messages, beside none, by the name in the headers. */
const COMPRESSIONS = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

export type Compression = keyof typeof COMPRESSIONS;

export function isCompression(name: string): name is Compression {
  return Object.hasOwn(COMPRESSIONS, name);
}

/** What the header grpc-accept-encoding says. */
export const ACCEPTED_ENCODINGS = ['identity', ...Object.keys(COMPRESSIONS)].join(',');

/** Throws Error, with code `ERR_BUFFER_TOO_LARGE` for more than `maxBytes`. */
export function uncompress(bytes: Buffer, compression: Compression, maxBytes: number): Promise<Buffer> {
  return COMPRESSIONS[compression](bytes, { maxOutputLength: maxBytes });
}
