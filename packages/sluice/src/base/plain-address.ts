import { isIP } from 'node:net';

/** An IPv4 address that a socket gives as IPv6 (`::ffff:192.0.2.1`) as IPv4; a zone (`fe80::1%eth0`) means nothing to others. */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%');
  const plain = zone === -1 ? address : address.slice(0, zone);
  const mapped = plain.toLowerCase().startsWith('::ffff:') ? plain.slice(7) : '';
  return isIP(mapped) === 4 ? mapped : plain;
}
