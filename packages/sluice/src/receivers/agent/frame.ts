import { MESSAGE_NAMES, MessageType } from '../../base/message-type.ts';

/**
 * A frame as agents send it over TCP. Sizes count everything on the wire, headers included.
 *
 *   offset  size  order  field
 *   0       4     BE     size of the frame
 *   4       1            message type
 *   5       2     LE     version: 0x8000; anything else is the header of agents up to 6.5.8
 *   7       1            encoder of the body: 0 raw, 1 zlib, 2 gzip, 3 zstd
 *   8       4     LE     team, 0 = 1
 *   12      2     LE     organisation, 0 = 1
 *   14      2            reserved
 *   16      2     LE     agent, 0 = not registered yet
 *   18      1            reserved
 *   19      ...          body: records, each with its length (u32 LE) before it
 *
 * Types 0 and 1 have the first 5 bytes only. In the header of old agents bytes 5 to 8 are a version number and 17 to 18 the agent; organisation and
 * team are 1, and the body is raw. A datagram holds one frame; its own length counts, not the one in the header.
 */
export const BASE_BYTES = 5;
export const HEADER_BYTES = 19;

const CURRENT_VERSION = 0x8000;

/** Why the bytes at hand are no frame. Nothing behind them can be found again: the connection ends. */
export type FrameFault = 'unknown_type' | 'bad_size' | 'too_large';

export interface FrameHeader {
  readonly encoder: number;
  /** As in the message: 0 = not said. */
  readonly org: number;
  readonly team: number;
  readonly agent: number;
}

const WITHOUT_HEADER: FrameHeader = { encoder: 0, org: 0, team: 0, agent: 0 };

/** Bytes before the body of a frame of this type. */
export function headerBytes(type: number): number {
  return type === MessageType.COMPRESS || type === MessageType.SYSLOG ? BASE_BYTES : HEADER_BYTES;
}

/** Size of the TCP frame that begins at `at`, from its first 5 bytes, or why it is none. `limit`: greatest body in bytes. */
export function frameSize(bytes: Uint8Array, at: number, limit: number): number | FrameFault {
  const type = bytes[at + 4]!;
  if (type >= MESSAGE_NAMES.length) return 'unknown_type';
  const size = readU32BE(bytes, at);
  const least = type === MessageType.COMPRESS ? BASE_BYTES + 1 : headerBytes(type);
  if (size < least) return 'bad_size';
  return size - headerBytes(type) > limit ? 'too_large' : size;
}

/** Header of the complete frame that begins at `at`. */
export function parseHeader(bytes: Uint8Array, at: number): FrameHeader {
  if (headerBytes(bytes[at + 4]!) === BASE_BYTES) return WITHOUT_HEADER;
  if (readU16(bytes, at + 5) !== CURRENT_VERSION) {
    return { encoder: 0, org: 1, team: 1, agent: readU16(bytes, at + 17) };
  }
  return {
    encoder: bytes[at + 7]!,
    team: readU32(bytes, at + 8),
    org: readU16(bytes, at + 12),
    agent: readU16(bytes, at + 16),
  };
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function readU32BE(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
