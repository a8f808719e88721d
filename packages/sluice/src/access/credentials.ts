/** What an `Authorization` header says. */
export type Credentials =
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'unknown' };

const UNKNOWN: Credentials = { kind: 'unknown' };
// bcrypt itself ends at 72 bytes; a longer text than this is nobody's password.
const MAX_LENGTH = 4096;

/** Reads the header: basic (RFC 7617, UTF-8) and bearer (RFC 6750); the scheme's letter case does not matter. */
export function parseAuthorization(header: string): Credentials {
  if (header.length > MAX_LENGTH) return UNKNOWN;
  const match = /^(basic|bearer) +([^ ]+) *$/i.exec(header);
  const [scheme, value] = [match?.[1]?.toLowerCase(), match?.[2] ?? ''];
  if (scheme === 'bearer') return { kind: 'bearer', token: value };
  if (scheme !== 'basic' || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return UNKNOWN;
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return UNKNOWN;
  return { kind: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) };
}
