/**
 * CRC-32C (Castagnoli): reflected polynomial 0x82F63B78, start and final exclusive or 0xFFFFFFFF. `zlib.crc32` is another polynomial.
 *
 * 8 bytes a step: table[256 k + b] is the remainder of the byte b followed by k zero bytes.
 */
const table = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  table[byte] = remainder;
}
for (let at = 256; at < table.length; at++) {
  const before = table[at - 256]!;
  table[at] = (before >>> 8) ^ table[before & 255]!;
}

/** CRC-32C of bytes[start, end) as an unsigned number. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const t = table;
  let crc = -1;
  let at = start;
  for (; end - at >= 8; at += 8) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      t[0x700 | (low & 255)]! ^
      t[0x600 | ((low >>> 8) & 255)]! ^
      t[0x500 | ((low >>> 16) & 255)]! ^
      t[0x400 | (low >>> 24)]! ^
      t[0x300 | (high & 255)]! ^
      t[0x200 | ((high >>> 8) & 255)]! ^
      t[0x100 | ((high >>> 16) & 255)]! ^
      t[high >>> 24]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
