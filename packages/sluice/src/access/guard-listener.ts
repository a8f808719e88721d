import type { Log } from '../telemetry/log.ts';
import type { Network, TlsOptions } from './config.ts';
import { createNetworkTest } from './networks.ts';
import { TlsFiles } from './tls-files.ts';

/** What guards a listener whose protocol has no credentials. */
export interface ListenerGuard {
  readonly tls: TlsFiles | undefined;
  /** Which peer addresses may connect; undefined = all. */
  readonly allows: ((address: string | undefined) => boolean) | undefined;
  /** Reads the certificate files again; false when one is broken (then the old ones stay). */
  reload(): Promise<boolean>;
  /** Takes the certificate files of another section; false when they are broken (then the old ones stay). */
  exchange(tls: TlsOptions | undefined): Promise<boolean>;
}

export interface GuardListenerOptions {
  readonly tls: TlsOptions | undefined;
  readonly allow: readonly Network[] | undefined;
}

/** Reads certificates and networks of one listener. Throws SluiceError `config_invalid`. */
export async function guardListener({ tls, allow }: GuardListenerOptions, log: Log): Promise<ListenerGuard> {
  const files = tls === undefined ? undefined : await TlsFiles.open(tls, log);
  return {
    tls: files,
    allows: allow === undefined ? undefined : createNetworkTest(allow),
    reload: async () => (await files?.reload()) ?? true,
    exchange: async (next) => (next === undefined ? true : ((await files?.exchange(next)) ?? true)),
  };
}
