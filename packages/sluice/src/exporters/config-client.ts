import { z } from 'zod';
import { filePath, flag, inlineSecret, mappingWanted, secretPath, secretRef } from '../base/config-schema.ts';
import { Secret } from '../base/secret.ts';

/** Configuration of an exporter as a client: its credentials, headers and TLS, and what addresses and headers may be. */

/** A secret as configured: its value, or the file that holds it, to be read again when it changes (one trailing line break is left out). */
export type SecretSetting =
  | { readonly kind: 'value'; readonly secret: Secret }
  | { readonly kind: 'file'; readonly path: string };

export type ExporterAuth =
  | { readonly kind: 'basic'; readonly username: string; readonly password: SecretSetting }
  | { readonly kind: 'bearer'; readonly token: SecretSetting };

/** TLS of a client. */
export interface ClientTls {
  /** Whether TLS is asked for where an address does not say so itself; undefined = not said. */
  readonly enabled: boolean | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Name that the server's certificate must have; undefined = the host of the address. */
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** Value of a header: as a secret, and no line break in it. */
const headerValue = inlineSecret.refine(
  (value) => value.source !== undefined || !/[^\t\x20-\x7e\x80-\xff]/.test(value.reveal()),
  { error: 'expected printable characters of Latin-1' },
);

/** `extra-headers`. Output: texts that may be credentials, by name. */
export const headersSchema = z
  .record(z.string(), headerValue, { error: mappingWanted })
  .superRefine((headers, context) => {
    const seen = new Set<string>();
    for (const name of Object.keys(headers)) {
      const lower = name.toLowerCase();
      if (seen.has(lower)) context.addIssue({ code: 'custom', path: [name], message: 'expected each header once' });
      seen.add(lower);
    }
  });

const tlsShape = {
  enabled: flag.optional().meta({
    description: 'TLS where the address has no https:// of its own; absent: on when this section is there',
  }),
  'ca-file': filePath
    .optional()
    .meta({ description: "Certificates that vouch for the server, PEM; absent: Node's own" }),
  'cert-file': filePath.optional().meta({ description: 'Certificate to show to the server, PEM' }),
  'key-file': filePath.optional().meta({ description: 'Its key, PEM' }),
  'server-name': z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Name that the server's certificate must have; absent: the host of the address" }),
  'insecure-skip-verify': flag
    .prefault(false)
    .meta({ description: "Take any certificate: whoever stands in the server's place reads everything" }),
};

/** `tls` of a client. */
export const tlsSchema = z.strictObject(tlsShape, { error: mappingWanted }).superRefine((value, context) => {
  if ((value['cert-file'] === undefined) === (value['key-file'] === undefined)) return;
  context.addIssue({ code: 'custom', path: [], message: 'cert-file and key-file belong together' });
});

const NO_TLS: ClientTls = {
  enabled: undefined,
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  serverName: undefined,
  insecureSkipVerify: false,
};

const basic = z
  .strictObject(
    {
      username: z.string().meta({ description: 'User name of basic authentication' }),
      'password-file': secretPath
        .optional()
        .meta({ description: 'File whose only content is the password; read again when it changes' }),
      password: secretRef.optional().meta({ description: 'The password by reference, in place of `password-file`' }),
    },
    { error: mappingWanted },
  )
  .transform((value, context): ExporterAuth => {
    const password = oneSecret(value['password-file'], value.password);
    if (password === undefined) context.addIssue('expected one of password-file and password');
    return { kind: 'basic', username: value.username, password: password ?? NO_SECRET };
  });

const bearer = z
  .strictObject(
    {
      'token-file': secretPath
        .optional()
        .meta({ description: 'File whose only content is the token; read again when it changes' }),
      token: secretRef.optional().meta({ description: 'The token by reference, in place of `token-file`' }),
    },
    { error: mappingWanted },
  )
  .transform((value, context): ExporterAuth => {
    const token = oneSecret(value['token-file'], value.token);
    if (token === undefined) context.addIssue('expected one of token-file and token');
    return { kind: 'bearer', token: token ?? NO_SECRET };
  });

const NO_SECRET: SecretSetting = { kind: 'value', secret: Secret.of('') };

/** The one that is given; undefined for none and for both. */
export function oneSecret(path: string | undefined, secret: Secret | undefined): SecretSetting | undefined {
  if ((path === undefined) === (secret === undefined)) return undefined;
  return path === undefined ? { kind: 'value', secret: secret! } : { kind: 'file', path };
}

/** `auth`, for the protocols that have it. Output: ExporterAuth. */
export const authSchema = z
  .strictObject({ basic: basic.optional(), bearer: bearer.optional() }, { error: mappingWanted })
  .transform((value, context): ExporterAuth => {
    const chosen = value.basic ?? value.bearer;
    if (chosen !== undefined && (value.basic === undefined || value.bearer === undefined)) return chosen;
    context.addIssue('expected one of basic and bearer');
    return z.NEVER;
  })
  .meta({ description: 'Credentials: `basic` or `bearer` (prometheus, opentelemetry; kafka has `sasl`)' });

/** Without the section, TLS is what the address says. */
export function toClientTls(keys: z.output<typeof tlsSchema> | undefined): ClientTls {
  if (keys === undefined) return NO_TLS;
  return {
    enabled: keys.enabled ?? true,
    caFile: keys['ca-file'],
    certFile: keys['cert-file'],
    keyFile: keys['key-file'],
    serverName: keys['server-name'],
    insecureSkipVerify: keys['insecure-skip-verify'],
  };
}

/** Why an address cannot be posted to, or undefined. Its text may hold credentials: it is not repeated. */
export function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) {
    return 'expected an http:// or https:// address such as http://127.0.0.1:9090/api/v1/write';
  }
  const { username, password, hash } = new URL(text);
  if (username !== '' || password !== '') return 'expected an address without a login; use auth: {basic: ...}';
  return hash === '' ? undefined : 'expected an address without #';
}

const PROTOCOL_HEADERS =
  /^(?:host|content-.*|user-agent|connection|keep-alive|proxy-.*|www-authenticate|accept-encoding|transfer-encoding|te|trailer|upgrade|expect|x-prometheus-remote-write-.*|retry-attempt)$/;

/** Why a header of HTTP cannot be set, or undefined. */
export function headerProblem(name: string, hasAuth: boolean): string | undefined {
  const lower = name.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/.test(lower)) return 'expected the name of an HTTP header';
  if (PROTOCOL_HEADERS.test(lower)) return 'this header belongs to the protocol and cannot be set';
  return lower === 'authorization' && hasAuth ? 'authorization is set by auth: give one of them' : undefined;
}

interface HeaderKeys {
  readonly 'extra-headers'?: Readonly<Record<string, unknown>> | undefined;
  readonly auth?: ExporterAuth | undefined;
}

/** Tells which of `extra-headers` cannot be sent. `problemOf`: why a name cannot, or undefined. */
export function checkHeaders(
  keys: HeaderKeys,
  context: z.RefinementCtx,
  problemOf: (name: string, hasAuth: boolean) => string | undefined,
): void {
  for (const name of Object.keys(keys['extra-headers'] ?? {})) {
    const message = problemOf(name, keys.auth !== undefined);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['extra-headers', name], message });
  }
}
