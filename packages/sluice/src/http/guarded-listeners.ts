import { createAdmit, type Access } from '../access/admit.ts';
import type { AuthOptions, TlsOptions } from '../access/config.ts';
import { createNetworkTest } from '../access/networks.ts';
import { errorText } from '../base/errors.ts';
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
  /**
   * Other credentials and certificates for the same listeners; requests that come from then on are judged by them. A listener may get credentials or
   * lose them, but whether it speaks TLS stays. False when something is broken: credentials are exchanged all or none, and each listener's certificates
   * on their own; what is not exchanged stays in use, the log says why.
   */
  exchange(options: Omit<GuardOptions, 'log'>): Promise<boolean>;
  close(): Promise<void>;
}

/** Judge and certificates of one listener, as of now. */
interface Guard {
  access: Access | undefined;
  readonly tls: TlsFiles | undefined;
}

/** Gives every listener its judge of credentials, its certificates and its networks. Equal `auth` sections share one. Throws SluiceError `config_invalid`. */
export async function guardListeners(options: GuardOptions): Promise<GuardedListeners> {
  const { log } = options;
  const guards = new Map<string, Guard>();
  let accesses = await openAccesses(options, log);
  const listeners: HttpListener[] = [];
  for (const [name, listen] of Object.entries(options.listen)) {
    if (listen === null) continue;
    const tls = listen.tls ?? options.tls;
    const files = tls === undefined ? undefined : await TlsFiles.open(tls, log);
    const guard: Guard = { access: accessOf(listen, options, accesses), tls: files };
    guards.set(name, guard);
    listeners.push({
      name,
      addresses: listen.addresses,
      // Asked for at every request.
      get admit() {
        return guard.access?.admit;
      },
      tls: files,
      allows: listen.allow === undefined ? undefined : createNetworkTest(listen.allow),
    });
  }
  return {
    listeners,
    async reload() {
      const files = [...guards.values()].flatMap(({ tls }) => tls ?? []);
      const outcomes = await Promise.all([...accesses.values(), ...files].map((one) => one.reload()));
      return outcomes.every(Boolean);
    },
    async exchange(next) {
      let opened: Accesses;
      try {
        opened = await openAccesses(next, log);
      } catch (error) {
        log.error({ error: errorText(error) }, 'credentials not exchanged, the old ones stay in use');
        return false;
      }
      let isWhole = true;
      for (const [name, guard] of guards) {
        const listen = next.listen[name];
        if (listen === null || listen === undefined) continue;
        const tls = listen.tls ?? next.tls;
        if (tls !== undefined && guard.tls !== undefined) isWhole = (await guard.tls.exchange(tls)) && isWhole;
        guard.access = accessOf(listen, next, opened);
      }
      // The old ones are not closed: they may be comparing a password, and their thread ends by itself when it has nothing to do.
      accesses = opened;
      return isWhole;
    },
    async close() {
      for (const access of accesses.values()) await access.close();
    },
  };
}

type Accesses = ReadonlyMap<AuthOptions, Access>;

/** The judges of all `auth` sections in use. */
async function openAccesses(options: Omit<GuardOptions, 'log'>, log: Log): Promise<Accesses> {
  const accesses = new Map<AuthOptions, Access>();
  try {
    for (const listen of Object.values(options.listen)) {
      const auth = listen === null ? undefined : (listen.auth ?? options.auth);
      if (auth === undefined || auth === 'none' || accesses.has(auth)) continue;
      accesses.set(auth, await createAdmit({ auth, log }));
    }
    return accesses;
  } catch (error) {
    for (const access of accesses.values()) await access.close();
    throw error;
  }
}

function accessOf(
  listen: ListenOptions,
  { auth: general }: Pick<GuardOptions, 'auth'>,
  accesses: Accesses,
): Access | undefined {
  const auth = listen.auth ?? general;
  return auth === undefined || auth === 'none' ? undefined : accesses.get(auth);
}
