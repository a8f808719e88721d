import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { SluiceError, errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { TlsOptions } from './config.ts';

/** What a TLS server needs, as read from the files. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The certificate files of one `tls` section. */
export class TlsFiles {
  #options: TlsOptions;
  readonly #log: Log;
  readonly #users = new Set<(material: TlsMaterial) => void>();
  #material: TlsMaterial;

  private constructor(options: TlsOptions, log: Log, material: TlsMaterial) {
    this.#options = options;
    this.#log = log;
    this.#material = material;
  }

  /** Reads the files and tries them. Throws SluiceError `config_invalid` that names the file. */
  static async open(options: TlsOptions, log: Log): Promise<TlsFiles> {
    return new TlsFiles(options, log, await load(options));
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Whether clients are asked for a certificate, and whether a connection without a valid one is refused. */
  get clientCertificates(): { readonly requestCert: boolean; readonly rejectUnauthorized: boolean } {
    const asked = this.#options.clientCaFile !== undefined;
    return { requestCert: asked, rejectUnauthorized: asked && this.#options.clientCertificates === 'required' };
  }

  /** Calls `use` with every later material, until the returned function is called. */
  subscribe(use: (material: TlsMaterial) => void): () => void {
    this.#users.add(use);
    return () => this.#users.delete(use);
  }

  /** Takes the files of another section in place of these, if they are good; as `reload`. Whether clients are asked for certificates stays. */
  async exchange(options: TlsOptions): Promise<boolean> {
    const before = this.#options;
    this.#options = { ...options, clientCertificates: before.clientCertificates };
    const isGood = await this.reload();
    if (!isGood) this.#options = before;
    return isGood;
  }

  /** Reads the files again; connections made from then on use them. With a broken file the old ones stay, the log says so, and the answer is false. */
  async reload(): Promise<boolean> {
    try {
      this.#material = await load(this.#options);
    } catch (error) {
      this.#log.error({ error: errorText(error) }, 'certificate files not reloaded, the old ones stay in use');
      return false;
    }
    for (const use of this.#users) use(this.#material);
    return true;
  }
}

/**
 * Subject of a client certificate in one line, most specific part first, special characters escaped: `CN=agent-1,O=Acme`, as
 * `openssl x509 -noout -subject -nameopt RFC2253` prints it.
 */
export function certificateSubject(certificate: X509Certificate): string {
  // Node gives one part a line, outermost first; it has escaped line breaks and commas inside of values.
  return certificate.subject.split('\n').toReversed().join(',');
}

async function load(options: TlsOptions): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([
    read('certificate', options.certFile),
    read('key', options.keyFile),
    options.clientCaFile === undefined ? undefined : read('client authorities', options.clientCaFile),
  ]);
  const minVersion = `TLSv${options.minVersion}` as const;
  const material: TlsMaterial = { cert, key, ca, minVersion };
  attempt('certificate', options.certFile, () => new X509Certificate(cert));
  if (ca !== undefined) attempt('client authorities', options.clientCaFile ?? '', () => new X509Certificate(ca));
  // Last, as it fails for a key that does not belong to the certificate, too.
  attempt('key', options.keyFile, () => createSecureContext({ cert, key, minVersion }));
  return material;
}

async function read(what: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new SluiceError('config_invalid', `cannot read the ${what} file: ${errorText(cause)}`, { cause });
  }
}

function attempt(what: string, file: string, work: () => unknown): void {
  try {
    work();
  } catch (cause) {
    const message = `cannot use the ${what} file ${file}: ${errorText(cause)}; expected PEM`;
    throw new SluiceError('config_invalid', message, { cause });
  }
}
