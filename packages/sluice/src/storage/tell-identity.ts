import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Storage } from './open.ts';

export interface TellIdentityOptions {
  readonly storage: Pick<Storage, 'identity'>;
  /** Who must know which database this is, by organisation. */
  readonly dictionaries: ReadonlyMap<number, { useStorage(identity: string): Promise<void> }>;
  readonly log: Log;
  /** Ends the attempts. */
  readonly signal: AbortSignal;
  /** First pause after a failure, in milliseconds; doubled up to a minute. Default 1,000. */
  readonly pauseMs?: number;
}

const LONGEST_PAUSE_MS = 60_000;

/**
 * Tells each dictionary of series which database its announcements go to: into another one everything is announced anew. Tried until it succeeds, as a
 * dictionary that trusts a database made anew would leave its series without labels there for a day. Never rejects.
 */
export async function tellIdentity(options: TellIdentityOptions): Promise<void> {
  const { storage, dictionaries, log, signal } = options;
  for (let pauseMs = options.pauseMs ?? 1000; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      for (const [org, dictionary] of dictionaries) await dictionary.useStorage(await storage.identity(org));
      return;
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ cause: errorText(error), pauseMs }, 'cannot tell which database this is; it is tried again');
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
