import { isIP, isIPv4 } from 'node:net';
import { z } from 'zod';
import type { Scope } from '../base/ports.ts';
import { filePath, secretFile, secretRef, shown } from '../base/config-schema.ts';
import type { Secret } from '../base/secret.ts';

/** Configuration of who may do what: `auth`, `tls` and `allow`, the same for HTTP, control and agent listeners. */

/** How a user's password is known: as a hash in a password file, or as a secret from the environment or a file. */
type PasswordSource =
  | { readonly kind: 'password-file'; readonly path: string }
  | { readonly kind: 'password'; readonly password: Secret };

export interface UserOptions {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly source: PasswordSource;
}

interface TokenOptions {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly token: Secret;
}

interface CertificateOptions {
  readonly subject: string;
  readonly scopes: readonly Scope[];
}

/** Parsed `auth`. */
export interface AuthOptions {
  readonly users: readonly UserOptions[];
  readonly tokens: readonly TokenOptions[];
  readonly certificates: readonly CertificateOptions[];
}

/** Parsed `tls`. */
export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
  readonly clientCertificates: 'required' | 'optional';
  readonly minVersion: '1.2' | '1.3';
}

/** One network of an `allow` list. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

const scopes = z
  .array(z.enum(['write', 'read', 'admin']))
  .min(1, { error: 'expected at least one of write, read, admin' })
  .meta({ description: 'What these credentials may do: `write` data in, `read` it back, `admin` everything' });

// The name ends up in an HTTP header before a colon and in log lines.
const userName = z.string().regex(/^[^:\p{Cc}]{1,128}$/u, {
  error: 'expected a name of 1 to 128 characters without a colon or control characters',
});

const user = z.strictObject({
  name: userName.meta({ description: 'User name of HTTP basic authentication' }),
  scopes,
  'password-file': filePath
    .optional()
    .meta({ description: "File that holds this user's line `user:hash`; default: the common `password-file`" }),
  password: secretRef
    .optional()
    .meta({ description: 'The password itself by reference, in place of a hash in a file' }),
});

const token = z.strictObject({
  name: userName.meta({ description: 'What log lines call the holder of this token' }),
  scopes,
  'token-file': secretFile.optional().meta({ description: 'File whose only content is the bearer token' }),
  token: secretRef.optional().meta({ description: 'The bearer token by reference, in place of `token-file`' }),
});

const certificate = z.strictObject({
  subject: z.string().min(1).meta({
    description:
      'Subject of a client certificate that `tls.client-ca-file` vouches for, as printed by `openssl x509 -noout -subject -nameopt RFC2253`',
  }),
  scopes,
});

const authObject = z
  .strictObject({
    'password-file': filePath.optional().meta({
      description:
        'Lines `user:hash`; hash = bcrypt (as `htpasswd -B` and the web.yml of Prometheus use) or `$scrypt$`',
    }),
    users: z.array(user).optional().meta({ description: 'Users of HTTP basic authentication' }),
    tokens: z.array(token).optional().meta({ description: 'Holders of bearer tokens' }),
    certificates: z.array(certificate).optional().meta({ description: 'Holders of client certificates (mutual TLS)' }),
  })
  .transform((auth, context): AuthOptions => {
    const complain = (message: string, path: (string | number)[]) =>
      context.issues.push({ code: 'custom', message, input: auth, path });

    const users: UserOptions[] = [];
    const names = new Set<string>();
    for (const [index, entry] of (auth.users ?? []).entries()) {
      if (names.has(entry.name))
        complain(`expected each user once; got ${shown(entry.name)} twice`, ['users', index, 'name']);
      names.add(entry.name);
      const source = passwordSource(entry, auth['password-file']);
      if (typeof source === 'string') complain(source, ['users', index]);
      else users.push({ name: entry.name, scopes: entry.scopes, source });
    }
    const tokens: TokenOptions[] = [];
    for (const [index, entry] of (auth.tokens ?? []).entries()) {
      const secret = entry['token-file'] ?? entry.token;
      if (secret === undefined || (entry['token-file'] !== undefined && entry.token !== undefined)) {
        complain('expected one of token-file and token', ['tokens', index]);
      } else {
        tokens.push({ name: entry.name, scopes: entry.scopes, token: secret });
      }
    }
    const certificates = auth.certificates ?? [];
    if ((auth.users ?? []).length + (auth.tokens ?? []).length + certificates.length === 0) {
      complain('expected users, tokens or certificates; write `auth: none` to let everybody in', []);
    }
    return { users, tokens, certificates };
  });

/**
 * `auth`: `none`, or users, tokens and certificates with their scopes. Output: `'none'` or AuthOptions.
 *
 *     auth:
 *       password-file: /etc/sluice/passwords          # lines user:hash
 *       users:
 *         - { name: prometheus, scopes: [write] }
 *         - { name: grafana, scopes: [read], password: '${GRAFANA_PASSWORD}' }
 *       tokens:
 *         - { name: collector, token-file: /run/secrets/collector, scopes: [write] }
 *       certificates:
 *         - { subject: 'CN=agent-1,O=Acme', scopes: [write] }
 */
export const authSchema = z
  .union([z.literal('none'), authObject])
  .meta({ description: 'Who may use the HTTP listeners; `none` lets everybody in' });

/**
 * `tls`: certificate and key, and with `client-ca-file` mutual TLS. Output: TlsOptions.
 * The files are PEM; they are read again on reload.
 */
export const tlsSchema = z
  .strictObject({
    'cert-file': filePath.meta({ description: 'Certificate chain (PEM), the own certificate first' }),
    'key-file': filePath.meta({ description: 'Private key (PEM, not encrypted)' }),
    'client-ca-file': filePath
      .optional()
      .meta({ description: 'Authorities (PEM) that vouch for client certificates; turns mutual TLS on' }),
    'client-certificates': z
      .enum(['required', 'optional'])
      .prefault('required')
      .meta({ description: 'With `client-ca-file`: whether a connection without a client certificate is refused' }),
    'min-version': z.enum(['1.2', '1.3']).prefault('1.2').meta({ description: 'Lowest TLS version' }),
  })
  .transform((tls): TlsOptions => ({
    certFile: tls['cert-file'],
    keyFile: tls['key-file'],
    clientCaFile: tls['client-ca-file'],
    clientCertificates: tls['client-certificates'],
    minVersion: tls['min-version'],
  }))
  .meta({ description: 'TLS of a listener' });

/** `allow`: networks that may connect, `10.0.0.0/8`, `fd00::/8`, or a single address. Output: Network[]. */
export const allowSchema = z
  .array(
    z.string().transform((text, context) => {
      const network = tryParseNetwork(text);
      if (network !== undefined) return network;
      context.addIssue(`expected a network such as 10.0.0.0/8 or fd00::/8; got ${shown(text)}`);
      return z.NEVER;
    }),
  )
  .min(1, { error: 'expected at least one network' })
  .meta({ description: 'Networks that may connect; others are cut off before anything is read' });

/** Reads `address/prefix` or a single address. */
export function tryParseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  if (isIP(address) === 0 || address.includes('%')) return undefined;
  const bits = isIPv4(address) ? 32 : 128;
  const length = slash === -1 ? String(bits) : text.slice(slash + 1);
  const prefix = Number(length);
  if (!/^\d{1,3}$/.test(length) || prefix > bits) return undefined;
  return { address, prefix, family: bits === 32 ? 'ipv4' : 'ipv6' };
}

/** Whether only programs of this machine can reach the address. A name other than localhost counts as reachable from outside. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  return plain === 'localhost' || plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}

function passwordSource(entry: z.output<typeof user>, common: string | undefined): PasswordSource | string {
  const own = entry['password-file'];
  if (entry.password !== undefined) {
    return own === undefined
      ? { kind: 'password', password: entry.password }
      : 'expected one of password-file and password';
  }
  const path = own ?? common;
  return path === undefined
    ? `expected a password-file or password for the user ${shown(entry.name)}`
    : { kind: 'password-file', path };
}
