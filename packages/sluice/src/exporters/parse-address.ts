import { isIPv4, isIPv6 } from 'node:net';

/** The number of a dotted IPv4 address, or undefined. */
export function ipv4Number(text: string): number | undefined {
  if (!isIPv4(text)) return undefined;
  return text.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

/** The 16 bytes of an IPv6 address, or undefined. A zone (`%eth0`) is no part of it. */
export function ipv6Bytes(text: string): Uint8Array | undefined {
  const address = text.replace(/%.*$/, '');
  if (!isIPv6(address)) return undefined;
  const [head = '', tail] = address.split('::');
  const first = pieces(head);
  const last = pieces(tail ?? '');
  const zeros = Array.from({ length: 16 - first.length - last.length }, () => 0);
  return Uint8Array.from([...first, ...zeros, ...last]);
}

/** Bytes of groups with colons between them, the last of which may be a dotted address. */
function pieces(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
