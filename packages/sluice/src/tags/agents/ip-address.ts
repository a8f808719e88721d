/** The output of `ip address`: the only place where an agent tells of its host's own interfaces. */

export interface HostInterface {
  readonly name: string;
  /** 48 bits; 0 = none. */
  readonly mac: number;
  readonly addresses: readonly HostAddress[];
}

export interface HostAddress {
  readonly ip: string;
  readonly prefixLength: number;
}

/**
 * Interfaces with the addresses that others can reach. Lines that are not understood are left out.
 *
 *     2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 ...
 *         link/ether 02:77:00:00:00:01 brd ff:ff:ff:ff:ff:ff
 *         inet 10.77.0.1/24 brd 10.77.0.255 scope global eth0
 *         inet6 fe80::77:ff:fe00:1/64 scope link
 */
export function readIpAddress(text: string): HostInterface[] {
  const found: { name: string; mac: number; addresses: HostAddress[] }[] = [];
  for (const line of text.split('\n')) {
    const name = /^\d{1,9}: ([^\s:@]{1,64})/.exec(line)?.[1];
    if (name !== undefined) {
      found.push({ name, mac: 0, addresses: [] });
      continue;
    }
    const last = found.at(-1);
    if (last === undefined) continue;
    const mac = /^\s{1,9}link\/ether ([0-9a-f]{2}(?::[0-9a-f]{2}){5})\b/i.exec(line)?.[1];
    if (mac !== undefined) last.mac = Number.parseInt(mac.replaceAll(':', ''), 16);
    const address = addressOf(line);
    if (address !== undefined) last.addresses.push(address);
  }
  return found;
}

function addressOf(line: string): HostAddress | undefined {
  const words = line.trim().split(/\s+/, 16);
  if (words[0] !== 'inet' && words[0] !== 'inet6') return undefined;
  const scope = words[words.indexOf('scope') + 1];
  if (!words.includes('scope') || scope === 'host' || scope === 'link') return undefined;
  const own = words[1] ?? '';
  // Of two ends of a line the prefix stands at the other one.
  const network = words[2] === 'peer' ? (words[3] ?? '') : own;
  return readAddress(own, network);
}

/** `10.1.0.9/24`; without a length it is one address. */
export function readAddress(text: string, network = text): HostAddress | undefined {
  const [ip = ''] = text.split('/', 1);
  const length = /\/(\d{1,3})$/.exec(network)?.[1];
  const most = ip.includes(':') ? 128 : 32;
  const prefixLength = length === undefined ? most : Number(length);
  return ip === '' || prefixLength > most ? undefined : { ip, prefixLength };
}
