import type { Server } from 'node:net';
import { formatHostPort, type HostPort } from './config-schema.ts';
import { bug, errorText, SluiceError } from './errors.ts';

const BACKLOG = 1024;

/**
 * Opens a TCP server (or one above TCP) and resolves to where it listens. `key` is its name in `listen`. `::` means every address: on a machine without
 * IPv6 those are the IPv4 ones. Throws SluiceError `listen_failed`.
 */
export async function listenOn(server: Server, { host, port }: HostPort, key: string): Promise<HostPort> {
  try {
    return await open(server, { host, port });
  } catch (cause) {
    const hasNoIpv6 = host === '::' && ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(cause));
    if (!hasNoIpv6) throw listenFailed(key, { host, port }, cause);
  }
  const everyIpv4 = { host: '0.0.0.0', port };
  try {
    return await open(server, everyIpv4);
  } catch (cause) {
    throw listenFailed(key, everyIpv4, cause);
  }
}

function open(server: Server, { host, port }: HostPort): Promise<HostPort> {
  const { promise, resolve, reject } = Promise.withResolvers<HostPort>();
  server.once('error', reject);
  server.listen({ host, port, backlog: BACKLOG }, () => {
    server.removeListener('error', reject);
    const bound = server.address();
    if (bound === null || typeof bound === 'string') bug('a TCP server without an address');
    resolve({ host: bound.address, port: bound.port });
  });
  return promise;
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another program listens there; stop it, or choose another port (0 = any free one)'],
  ['EACCES', 'this user may not use the port; choose one above 1023'],
  ['EADDRNOTAVAIL', 'this machine has no such address; choose one of its own'],
  ['ENOTFOUND', 'the name has no address; write an IP address'],
]);

/** Why an address cannot be listened on, and what to do about it. */
export function listenFailed(key: string, address: HostPort, cause: unknown): SluiceError {
  const why = ADVICE.get(codeOf(cause)) ?? errorText(cause);
  return new SluiceError('listen_failed', `cannot listen on ${formatHostPort(address)} (listen.${key}): ${why}`, {
    cause,
  });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}
