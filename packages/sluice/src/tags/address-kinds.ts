/** What kind an address in a column is. IPv6 addresses are four words in the order of their bytes. */

/** 127.0.0.0/8, ::1. */
export function isLoopback(isIpv4: boolean, ip4: number, ip6: Uint32Array, at: number): boolean {
  if (isIpv4) return ip4 >>> 24 === 127;
  return ip6[at] === 0 && ip6[at + 1] === 0 && ip6[at + 2] === 0 && ip6[at + 3] === LAST_BYTE_ONE;
}

/** 224.0.0.0/4, ff00::/8. */
export function isMulticast(isIpv4: boolean, ip4: number, ip6: Uint32Array, at: number): boolean {
  return isIpv4 ? ip4 >>> 28 === 14 : (ip6[at]! & 0xff) === 0xff;
}

/** Whether one machine in the world, or in a private network, can have it: not unspecified, loopback, multicast, link-local or broadcast. */
export function isGlobalUnicast(isIpv4: boolean, ip4: number, ip6: Uint32Array, at: number): boolean {
  if (isLoopback(isIpv4, ip4, ip6, at) || isMulticast(isIpv4, ip4, ip6, at)) return false;
  if (isIpv4) return ip4 !== 0 && ip4 !== 0xffff_ffff && ip4 >>> 16 !== 0xa9fe;
  const first = ip6[at]!;
  if ((first & 0xc0ff) === 0x80fe) return false;
  return (first | ip6[at + 1]! | ip6[at + 2]! | ip6[at + 3]!) !== 0;
}

/** The word of the bytes 0, 0, 0, 1. */
const LAST_BYTE_ONE = 0x0100_0000;
