import { errorText } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { SeriesStore } from './open-series.ts';

export interface ReannounceOptions {
  /** By organisation. */
  readonly dictionaries: ReadonlyMap<number, Pick<SeriesStore, 'reannounceAll'>>;
  readonly log: Log;
  /** Least time between two rounds of an organisation, in milliseconds. Default 10 minutes. */
  readonly pauseMs?: number;
}

export interface Reannounce {
  /** Rows of a table were set aside and will not reach the database. */
  readonly lost: (partition: { readonly org: number; readonly table: string }) => void;
  stop(): void;
}

const TABLE = 'prometheus.series';
const PAUSE_MS = 600_000;

/**
 * Announces the series of an organisation anew when announcements were lost: their samples would stay without labels for up to a day. Which series they
 * were about is not known, so it is all of them; not again within a pause, as a database that refuses announcements would be given all of them for ever.
 */
export function createReannounce({ dictionaries, log, pauseMs = PAUSE_MS }: ReannounceOptions): Reannounce {
  /** Organisations within their pause, and whether more was lost since it began. */
  const pauses = new Map<number, { timer: NodeJS.Timeout; again: boolean }>();
  let stopped = false;

  function round(org: number): void {
    const timer = setTimeout(() => {
      const again = pauses.get(org)?.again === true;
      pauses.delete(org);
      if (again) round(org);
    }, pauseMs).unref();
    pauses.set(org, { timer, again: false });
    log.warn({ org }, 'announcements of series were lost; all series of the organisation are announced anew');
    dictionaries
      .get(org)
      ?.reannounceAll()
      .catch((error: unknown) => log.warn({ org, cause: errorText(error) }, 'cannot note it in the series dictionary'));
  }

  return {
    lost({ org, table }) {
      if (stopped || table !== TABLE || !dictionaries.has(org)) return;
      const pause = pauses.get(org);
      if (pause === undefined) round(org);
      else pause.again = true;
    },
    stop() {
      stopped = true;
      for (const { timer } of pauses.values()) clearTimeout(timer);
      pauses.clear();
    },
  };
}
