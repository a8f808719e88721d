/*
 * A Network Time Protocol packet, 48 bytes, big-endian:
 *
 *   0   leap indicator (2 bits) | version (3 bits) | mode (3 bits: 3 = client, 4 = server)
 *   1   stratum        2  poll interval        3  precision, log2 of seconds
 *   4   u32 root delay     8  u32 root dispersion     12  u32 reference id
 *   16  reference time     24  originate time     32  receive time     40  transmit time
 *
 * A time is seconds since 1900 and a fraction, u32 each; the seconds wrap in 2036, which clients undo.
 */
export const NTP_BYTES = 48;

const SECONDS_1900_TO_1970 = 2_208_988_800;
const SERVER = 4;
const STRATUM = 2;
/** About 1 ms: what the clock here is read with. */
const PRECISION = -10;
const LOCAL_CLOCK = 0x4c4f434c;

/** The answer to a client's packet at `nowMs` (Unix milliseconds); undefined when it is no such packet. */
export function answerNtp(request: Uint8Array, nowMs: number): Buffer | undefined {
  if (request.length < NTP_BYTES) return undefined;
  const answer = Buffer.alloc(NTP_BYTES);
  const version = ((request[0] ?? 0) >> 3) & 7;
  answer[0] = (version << 3) | SERVER;
  answer[1] = STRATUM;
  answer[2] = request[2] ?? 0;
  answer.writeInt8(PRECISION, 3);
  answer.writeUInt32BE(LOCAL_CLOCK, 12);
  const seconds = (Math.floor(nowMs / 1000) + SECONDS_1900_TO_1970) % 2 ** 32;
  const fraction = Math.floor(((nowMs % 1000) / 1000) * 2 ** 32);
  for (const at of [16, 32, 40]) {
    answer.writeUInt32BE(seconds, at);
    answer.writeUInt32BE(fraction, at + 4);
  }
  answer.set(request.subarray(40, NTP_BYTES), 24);
  return answer;
}
