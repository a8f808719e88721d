/** Custom headers: which a user may set, and how those of client and write come together. */
import { isHeaderName, TENANT_HEADER } from './wire/headers.ts';

/** Headers that belong to the protocol, the connection or an option of their own (section 4.2). */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ['authorization', 'use basicAuth, bearerToken or authorization'],
  ['user-agent', 'use userAgent'],
  ...[
    'accept-encoding',
    'connection',
    'content-encoding',
    'content-length',
    'content-type',
    'expect',
    'host',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'retry-attempt',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'www-authenticate',
    'x-amz-content-sha256',
    'x-amz-date',
    'x-amz-security-token',
    'x-prometheus-remote-read-version',
    'x-prometheus-remote-write-version',
  ].map((name) => [name, 'it is set by the protocol'] as const),
]);

/**
 * Checks custom headers and lowers their names, so that later ones replace earlier ones in any case.
 *
 * @throws TypeError that names the header, never its value.
 */
export function customHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  tenant: string | undefined,
): Record<string, string> {
  const result: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers ?? {})) {
    const lower = name.toLowerCase();
    if (!isHeaderName(name)) throw new TypeError(`cannot use header ${JSON.stringify(name)}: not a valid header name`);
    const advice = RESERVED.get(lower);
    if (advice !== undefined) throw new TypeError(`cannot use header ${name}: the name is reserved; ${advice}`);
    if (lower in result) throw new TypeError(`cannot use header ${name}: given twice in different case`);
    result[lower] = headerValue(name, value);
  }
  if (tenant !== undefined) {
    const lower = TENANT_HEADER.toLowerCase();
    if (lower in result)
      throw new TypeError(`cannot use header ${TENANT_HEADER} together with tenant: give one of them`);
    if (tenant === '') throw new TypeError('cannot use tenant: expected a non-empty string');
    result[lower] = headerValue('tenant', tenant);
  }
  return result;
}

/** Checks a header value: what HTTP cannot carry would otherwise surface in fetch's error, value included. */
export function headerValue(name: string, value: unknown): string {
  if (typeof value !== 'string')
    throw new TypeError(`cannot use header ${name}: expected a string; got ${typeof value}`);
  const trimmed = value.trim();
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(trimmed)) {
    throw new TypeError(`cannot use header ${name}: its value has characters that HTTP headers cannot carry`);
  }
  return trimmed;
}
