import {
  CONTENT_ENCODING,
  CONTENT_TYPE_V1,
  CONTENT_TYPE_V2,
  REQUEST_V2,
  RETRY_ATTEMPT_HEADER,
  VERSION_HEADER,
  VERSION_V1,
  VERSION_V2,
} from 'promwrite/wire';
import type { ProtobufMessage } from 'promwrite';
import type { Secret } from '../../base/secret.ts';
import { VERSION } from '../../base/version.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ExporterAuth, SecretSetting } from '../config.ts';
import { ChangingFiles } from './changing-files.ts';

export interface RequestHeadersOptions {
  readonly extraHeaders: ReadonlyMap<string, Secret>;
  readonly auth: ExporterAuth | undefined;
  readonly log: Log;
}

/** Headers that are the user's, and what of them must never be shown. */
interface Personal {
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** Shorter texts are no secrets, and would be found everywhere. */
const SHORTEST_SECRET = 4;

/** Headers of requests: those of the protocol, the credentials, and `extra-headers`. A credential file is read again when it changes. */
export class RequestHeaders {
  readonly #personal: ChangingFiles<Personal>;

  constructor({ extraHeaders, auth, log }: RequestHeadersOptions) {
    const path = auth === undefined ? undefined : filePathOf(secretOf(auth));
    this.#personal = new ChangingFiles({
      paths: path === undefined ? [] : [path],
      make: ([content]) => personal(extraHeaders, auth, content),
      log,
    });
  }

  /** Headers for one attempt. Rejects when the credentials cannot be read. */
  async of(message: ProtobufMessage, attempt: number): Promise<Record<string, string>> {
    const isV2 = message === REQUEST_V2;
    const { headers } = await this.#personal.current();
    return {
      ...headers,
      'content-encoding': CONTENT_ENCODING,
      'content-type': isV2 ? CONTENT_TYPE_V2 : CONTENT_TYPE_V1,
      'user-agent': `sluice/${VERSION}`,
      [VERSION_HEADER.toLowerCase()]: isV2 ? VERSION_V2 : VERSION_V1,
      ...(attempt > 0 ? { [RETRY_ATTEMPT_HEADER.toLowerCase()]: String(attempt) } : {}),
    };
  }

  /** A receiver's text without what a receiver may have repeated of our headers. */
  async withoutSecrets(text: string): Promise<string> {
    let shown = text;
    for (const secret of (await this.#personal.current()).secrets) shown = shown.replaceAll(secret, '[secret]');
    return shown;
  }
}

function secretOf(auth: ExporterAuth): SecretSetting {
  return auth.kind === 'basic' ? auth.password : auth.token;
}

function filePathOf(secret: SecretSetting): string | undefined {
  return secret.kind === 'file' ? secret.path : undefined;
}

function personal(
  extra: ReadonlyMap<string, Secret>,
  auth: ExporterAuth | undefined,
  content: Buffer | undefined,
): Personal {
  const headers: Record<string, string> = {};
  const secrets: string[] = [];
  for (const [name, value] of extra) {
    headers[name.toLowerCase()] = value.reveal();
    secrets.push(value.reveal());
    // `Bearer abc`: the second part alone is as good.
    secrets.push(...value.reveal().split(' '));
  }
  if (auth !== undefined) {
    const setting = secretOf(auth);
    const secret = setting.kind === 'value' ? setting.secret.reveal() : content!.toString('utf8').replace(/\r?\n$/, '');
    if (secret === '') throw new Error(`the file ${filePathOf(setting)} is empty; expected a password or token`);
    const encoded = auth.kind === 'basic' ? Buffer.from(`${auth.username}:${secret}`).toString('base64') : secret;
    headers['authorization'] = auth.kind === 'basic' ? `Basic ${encoded}` : `Bearer ${encoded}`;
    secrets.push(encoded, secret);
  }
  const longestFirst = secrets
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .toSorted((a, b) => b.length - a.length);
  return { headers, secrets: longestFirst };
}
