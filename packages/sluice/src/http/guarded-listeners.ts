import { createAdmit, type Access } from '../access/admit.ts';
import type { AuthOptions, TlsOptions } from '../access/config.ts';
import { createNetworkTest } from '../access/networks.ts';
import { TlsFiles } from '../access/tls-files.ts';
import type { Log } from '../telemetry/log.ts';
import type { ListenOptions } from './config.ts';
import type { HttpListener } from './listener.ts';

export interface GuardOptions {
  /** Listeners by their key in `listen`; null = off. */
  readonly listen: Readonly<Record<string, ListenOptions | null>>;
  /** For listeners without an `auth` or `tls` of their own. */
  readonly auth: AuthOptions | 'none' | undefined;
  readonly tls: TlsOptions | undefined;
  readonly log: Log;
}

export interface GuardedListeners {
  readonly listeners: readonly HttpListener[];
  /** Reads password and certificate files again; false when one is broken (then its old content stays). */
  reload(): Promise<boolean>;
  close(): Promise<void>;
}

/** Gives every listener its judge of credentials, its certificates and its networks. Equal sections share one. Throws SluiceError `config_invalid`. */
export async function guardListeners(options: GuardOptions): Promise<GuardedListeners> {
  const { log } = options;
  const accesses = new Map<AuthOptions, Access>();
  const certificates = new Map<TlsOptions, TlsFiles>();
  const listeners: HttpListener[] = [];
  for (const [name, listen] of Object.entries(options.listen)) {
    if (listen === null) continue;
    const auth = listen.auth ?? options.auth;
    const tls = listen.tls ?? options.tls;
    if (auth !== undefined && auth !== 'none' && !accesses.has(auth)) {
      accesses.set(auth, await createAdmit({ auth, log }));
    }
    if (tls !== undefined && !certificates.has(tls)) certificates.set(tls, await TlsFiles.open(tls, log));
    listeners.push({
      name,
      addresses: listen.addresses,
      admit: auth === undefined || auth === 'none' ? undefined : accesses.get(auth)?.admit,
      tls: tls === undefined ? undefined : certificates.get(tls),
      allows: listen.allow === undefined ? undefined : createNetworkTest(listen.allow),
    });
  }
  return {
    listeners,
    async reload() {
      const outcomes = await Promise.all([...accesses.values(), ...certificates.values()].map((one) => one.reload()));
      return outcomes.every(Boolean);
    },
    async close() {
      for (const access of accesses.values()) await access.close();
    },
  };
}
