/** A peer's address as agents are known by elsewhere: an IPv4 address inside IPv6 is the IPv4 address. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}
