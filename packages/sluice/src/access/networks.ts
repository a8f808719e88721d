import { BlockList, isIP } from 'node:net';
import type { Network } from './config.ts';

/** Returns a test for peer addresses as sockets report them; an IPv4 address inside IPv6 (`::ffff:10.0.0.1`) counts as IPv4. */
export function createNetworkTest(networks: readonly Network[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  for (const network of networks) list.addSubnet(network.address, network.prefix, network.family);
  return (address) => {
    if (address === undefined) return false;
    const zone = address.indexOf('%');
    const plain = (zone === -1 ? address : address.slice(0, zone)).replace(/^::ffff:(?=\d+\.)/i, '');
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
}
