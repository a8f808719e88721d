import { isIPv4, isIPv6 } from 'node:net';

/** Bytes of an address in network order, 4 or 16; IPv4 mapped into IPv6 is IPv4. Undefined when the text is none, or names a zone. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return ipv4Bytes(text);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const bytes = ipv6Bytes(text);
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

function ipv4Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(4);
  const parts = text.split('.');
  for (let i = 0; i < 4; i++) bytes[i] = Number(parts[i]);
  return bytes;
}

function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const before = groupBytes(head);
  const bytes = new Uint8Array(16);
  bytes.set(before);
  if (tail !== undefined) {
    const after = groupBytes(tail);
    bytes.set(after, 16 - after.length);
  }
  return bytes;
}

/** Groups between colons; the last one may be an IPv4 address. */
function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...ipv4Bytes(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
}
