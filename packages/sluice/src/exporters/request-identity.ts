import { errorText, SluiceError } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { Log } from '../telemetry/log.ts';
import { ChangingFiles } from './changing-files.ts';
import { clientCertificates, type TlsMaterial } from './client-certificates.ts';
import type { ClientTls, ExporterAuth, SecretSetting } from './config-client.ts';
import { secretPaths, secretText } from './secret-setting.ts';

/** Who an exporter is to its receivers: the user's headers, credentials and certificates. */
export interface RequestIdentity {
  /** `extra-headers` and `authorization`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The same object until a certificate file changes; undefined where no endpoint is asked for by TLS. */
  readonly tls: TlsMaterial | undefined;
  /** A receiver's text without what it may repeat of the headers. Cut it to its length afterwards, so that no part of a secret is left. */
  readonly withoutSecrets: (text: string) => string;
}

export interface IdentityOptions {
  readonly exporter: string;
  readonly extraHeaders: ReadonlyMap<string, Secret>;
  readonly auth: ExporterAuth | undefined;
  /** undefined = no endpoint is asked for by TLS: its files are not read. */
  readonly tls: ClientTls | undefined;
  readonly log: Log;
}

/** Shorter texts are no secrets, and are found everywhere. */
const SHORTEST_SECRET = 4;

/** Reads the identity for one request; files are read again when they change. Rejects with `config_invalid`, which says which file is at fault. */
export function identityReader({
  exporter,
  extraHeaders,
  auth,
  tls,
  log,
}: IdentityOptions): () => Promise<RequestIdentity> {
  const credentials = new ChangingFiles({
    exporter,
    paths: secretPaths(auth && secretOf(auth)),
    make: ([content]) => credentialsOf(extraHeaders, auth, content),
    log,
  });
  const certificates = tls === undefined ? undefined : clientCertificates(exporter, tls, log);
  return async () => {
    try {
      const [{ headers, withoutSecrets }, material] = await Promise.all([
        credentials.current(),
        certificates?.current(),
      ]);
      return { headers, withoutSecrets, tls: material };
    } catch (cause) {
      throw new SluiceError('config_invalid', `cannot use credentials or certificates: ${errorText(cause)}`, { cause });
    }
  };
}

function secretOf(auth: ExporterAuth): SecretSetting {
  return auth.kind === 'basic' ? auth.password : auth.token;
}

function credentialsOf(
  extraHeaders: ReadonlyMap<string, Secret>,
  auth: ExporterAuth | undefined,
  content: Buffer | undefined,
): Pick<RequestIdentity, 'headers' | 'withoutSecrets'> {
  const headers: Record<string, string> = {};
  const secrets = new Set<string>();
  for (const [name, value] of extraHeaders) {
    const text = value.reveal();
    headers[name.toLowerCase()] = text;
    // Of `Bearer abc` the second part alone is as good.
    for (const one of [text, ...text.split(' ')]) secrets.add(one);
  }
  if (auth !== undefined) {
    const secret = secretText(secretOf(auth), content);
    const encoded = auth.kind === 'basic' ? Buffer.from(`${auth.username}:${secret}`).toString('base64') : secret;
    headers['authorization'] = auth.kind === 'basic' ? `Basic ${encoded}` : `Bearer ${encoded}`;
    secrets.add(secret).add(encoded);
  }
  const longestFirst = [...secrets]
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .toSorted((a, b) => b.length - a.length);
  return {
    headers,
    withoutSecrets: (text) => longestFirst.reduce((shown, one) => shown.replaceAll(one, '[secret]'), text),
  };
}
