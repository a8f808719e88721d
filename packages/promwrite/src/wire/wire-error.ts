/** What was wrong with bytes that could not be read. */
export type WireErrorKind =
  /** The bytes break the rules of their format (a receiver answers 400). */
  | 'malformed'
  /** The bytes may be fine but exceed a limit the caller set (a receiver answers 413 or 400). */
  | 'limit';

/**
 * Bytes could not be decoded: corrupt Snappy, malformed protobuf, or a limit exceeded.
 *
 * The message never contains payload bytes, so it is safe to log and to answer to a peer.
 */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly kind: WireErrorKind;
  /** Byte offset in the input at which the problem was noticed. */
  readonly offset: number;

  constructor(message: string, kind: WireErrorKind, offset: number) {
    super(`${message} (at byte ${offset})`);
    this.kind = kind;
    this.offset = offset;
  }
}
