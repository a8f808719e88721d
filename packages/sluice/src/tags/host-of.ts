/** Host of an address as targets and instances have it: `10.1.0.9:9100`, `[fd00::9]:9100`, `node-1:9100`, without port and brackets. */
export function hostOf(address: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1];
  if (bracketed !== undefined) return bracketed;
  return address.split(':').length > 2 ? address : address.replace(/:\d+$/, '');
}
