import { errorText, SluiceError } from '../../base/errors.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { ExporterAuth, SecretSetting } from '../config.ts';
import { ChangingFiles } from './changing-files.ts';
import type { OpentelemetryExporterConfig } from './config.ts';

/** Who the exporter is to its receivers: headers of every request, and certificates. Files are read again when they change. */
export interface RequestIdentity {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
  /** A receiver's text without what it may repeat of the headers. */
  readonly withoutSecrets: (text: string) => string;
}

export interface TlsMaterial {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

const COMPLAIN_MS = 60_000;
/** Shorter texts are no secrets, and are found everywhere. */
const SHORTEST_SECRET = 4;

/** Reads the identity; one object for as long as the files stay the same. Rejects with `config_invalid`, which says which file is at fault. */
export function identityReader(config: OpentelemetryExporterConfig, log: Log): () => Promise<RequestIdentity> {
  const { tls, auth } = config;
  const files = [tls.caFile, tls.certFile, tls.keyFile, secretFile(auth)];
  const paths = files.filter((path) => path !== undefined);
  const complain = rateLimited(COMPLAIN_MS);
  const identity = new ChangingFiles(
    paths,
    (contents) => {
      const [ca, cert, key, secret] = files.map((path) =>
        path === undefined ? undefined : contents[paths.indexOf(path)],
      );
      const { headers, secrets } = headersOf(config, secret);
      return {
        headers,
        tls: { ca, cert, key, serverName: tls.serverName, insecureSkipVerify: tls.insecureSkipVerify },
        withoutSecrets: (text: string) => secrets.reduce((shown, one) => shown.replaceAll(one, '[secret]'), text),
      };
    },
    (error) =>
      complain(() =>
        log.warn(
          { exporter: config.name, error: errorText(error) },
          'files of an exporter cannot be read again, their old content stays in use',
        ),
      ),
  );
  return async () => {
    try {
      return await identity.current();
    } catch (cause) {
      throw new SluiceError('config_invalid', `cannot read the files of the exporter: ${errorText(cause)}`, { cause });
    }
  };
}

function secretOf(auth: ExporterAuth): SecretSetting {
  return auth.kind === 'basic' ? auth.password : auth.token;
}

function secretFile(auth: ExporterAuth | undefined): string | undefined {
  const secret = auth === undefined ? undefined : secretOf(auth);
  return secret?.kind === 'file' ? secret.path : undefined;
}

function headersOf({ extraHeaders, auth }: OpentelemetryExporterConfig, content: Buffer | undefined) {
  const headers: Record<string, string> = {};
  const secrets = new Set<string>();
  for (const [name, value] of extraHeaders) {
    const text = value.reveal();
    headers[name.toLowerCase()] = text;
    // Of `Bearer abc` the second part alone is as good.
    for (const one of [text, ...text.split(' ')]) secrets.add(one);
  }
  if (auth !== undefined) {
    const setting = secretOf(auth);
    const secret = setting.kind === 'value' ? setting.secret.reveal() : withoutLineBreak(content);
    if (secret === '') throw new Error('a password or token is empty');
    const encoded = auth.kind === 'basic' ? Buffer.from(`${auth.username}:${secret}`).toString('base64') : secret;
    headers['authorization'] = auth.kind === 'basic' ? `Basic ${encoded}` : `Bearer ${encoded}`;
    secrets.add(secret).add(encoded);
  }
  const longestFirst = [...secrets].filter(({ length }) => length >= SHORTEST_SECRET);
  return { headers, secrets: longestFirst.toSorted((a, b) => b.length - a.length) };
}

function withoutLineBreak(content: Buffer | undefined): string {
  return (content?.toString('utf8') ?? '').replace(/\r?\n$/, '');
}
