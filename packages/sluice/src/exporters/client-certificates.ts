import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { ChangingFiles } from './changing-files.ts';
import type { ClientTls } from './config-client.ts';

/** What a TLS client needs, as read from the files. */
export interface TlsMaterial {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** The certificate files of an exporter, tried before they are used: half of a pair that is being exchanged, or what is no PEM, changes nothing. */
export function clientCertificates(exporter: string, tls: ClientTls, log: Log): ChangingFiles<TlsMaterial> {
  const { caFile, certFile, keyFile, serverName, insecureSkipVerify } = tls;
  const files = [caFile, certFile, keyFile];
  const paths = files.filter((path) => path !== undefined);
  return new ChangingFiles({
    exporter,
    paths,
    make: (contents) => {
      const [ca, cert, key] = files.map((path) => (path === undefined ? undefined : contents[paths.indexOf(path)]));
      if (ca !== undefined) attempt('authorities', caFile, () => new X509Certificate(ca));
      if (cert !== undefined) attempt('certificate', certFile, () => new X509Certificate(cert));
      // With the certificate: it fails for a key that does not belong to it, too.
      if (key !== undefined) attempt('key', keyFile, () => createSecureContext({ ...(cert && { cert }), key }));
      return { ca, cert, key, serverName, insecureSkipVerify };
    },
    log,
  });
}

/** The same in the words of `node:tls` and `node:https`. */
export function tlsOptions({ ca, cert, key, serverName, insecureSkipVerify }: TlsMaterial) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    rejectUnauthorized: !insecureSkipVerify,
  };
}

function attempt(what: string, path: string | undefined, work: () => unknown): void {
  try {
    work();
  } catch (cause) {
    throw new Error(`cannot use the ${what} in ${path}: ${errorText(cause)}; expected PEM`, { cause });
  }
}
