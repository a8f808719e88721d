const EVERY_ADDRESS = new Set(['0.0.0.0', '[::]']);

/** Where a program on this machine reaches a listener: an address that stands for all addresses is none to connect to. */
export function reachableUrl(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  // A listener on :: takes IPv4 as well.
  return EVERY_ADDRESS.has(hostname) ? `${protocol}//127.0.0.1${port === '' ? '' : `:${port}`}` : url;
}
