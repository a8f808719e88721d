import { SluiceError } from '../base/errors.ts';
import type { HttpRoute } from '../base/ports.ts';
import type { Clock } from '../journal/clock.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { jsonReply, noSuchExporter, numberIn } from './api-exchange.ts';
import type { ExporterRun } from './exporter-run.ts';
import type { RunState } from './exporter-meter.ts';

/** An exporter as `GET /api/v1/exporters` lists it. Times are ISO 8601. */
export interface ExporterListing {
  readonly name: string;
  readonly protocol: string;
  readonly data_sources: readonly string[];
  readonly state: RunState;
  /** When it came into this state. */
  readonly since: string;
  readonly last_error?: ErrorListing;
  /** `up` is null until something was sent there. */
  readonly endpoints: readonly {
    readonly endpoint: string;
    readonly up: boolean | null;
    readonly last_error?: ErrorListing;
  }[];
  /** What of the journal is not confirmed. */
  readonly lag: {
    readonly rows: number;
    readonly bytes: number;
    readonly age_seconds: number;
    readonly oldest_pending?: string;
  };
  readonly lanes: readonly {
    readonly queued_items: number;
    readonly queued_bytes: number;
    readonly queued_rows: number;
    readonly batches: number;
  }[];
  /** Since it was started. */
  readonly counters: {
    readonly rows_received: number;
    readonly rows_left_out: Readonly<Record<string, number>>;
    readonly items_encoded: number;
    readonly items_sent: number;
    readonly items_rejected: Readonly<Record<string, number>>;
    readonly items_dropped: Readonly<Record<string, number>>;
    readonly requests: Readonly<Record<string, number>>;
    readonly retries: number;
    readonly sent_bytes: number;
    /** Rows of the journal lost to it because it lagged too far behind, or that could not be read back; since the start of the hub. */
    readonly rows_lost: Readonly<Record<string, number>>;
  };
  readonly rejected: { readonly items: number; readonly bytes: number };
  /** What the protocol tells of itself. */
  readonly protocol_state: Readonly<Record<string, unknown>>;
}

export interface ErrorListing {
  readonly text: string;
  readonly at: string;
}

export interface ExportersApiOptions {
  readonly runs: ReadonlyMap<string, ExporterRun>;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const TAP_LINES = 100;
const MOST_TAP_LINES = 100_000;
const TAP_S = 30;
const MOST_TAP_S = 600;

/** `GET /api/v1/exporters`: `{"status":"success","data":[ExporterListing, ...]}`, and `GET /api/v1/exporters/<name>/tap`: what it sends, line by line. */
export function createExportersApi(options: ExportersApiOptions): HttpRoute[] {
  const { runs } = options;
  return [
    {
      method: 'GET',
      path: '/api/v1/exporters',
      scope: 'read',
      handle: async () => jsonReply(await listExporters(options)),
    },
    {
      method: 'GET',
      path: '/api/v1/exporters/*/tap',
      scope: 'read',
      handle: ({ wildcards, query, signal }) => {
        const name = wildcards[0] ?? '';
        const run = runs.get(name) ?? noSuchExporter(name, runs.keys());
        const limit = numberIn(query, 'limit', { absent: TAP_LINES, most: MOST_TAP_LINES });
        const timeout = numberIn(query, 'timeout', { absent: TAP_S, most: MOST_TAP_S });
        const body = run.tap.open({ limit, timeoutMs: timeout * 1000, signal });
        if (body === undefined) {
          throw new SluiceError('too_many_requests', `cannot show what ${name} sends: too many look at it already`);
        }
        return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
      },
    },
  ];
}

/** States of all exporters, by name. */
export async function listExporters({ runs, metrics, clock }: ExportersApiOptions): Promise<ExporterListing[]> {
  const lost = await metrics.journalOverflow.get();
  return [...runs.values()]
    .toSorted((left, right) => (left.exporter.name < right.exporter.name ? -1 : 1))
    .map((run) => {
      const own = lost.values.filter(({ labels }) => labels.reader === run.exporter.name);
      return listing(run, new Map(own.map(({ labels, value }) => [String(labels.reason), value])), clock.epochMs());
    });
}

function listing(run: ExporterRun, lost: ReadonlyMap<string, number>, nowMs: number): ExporterListing {
  const { exporter, trouble, endpoints, lanes, store, lag } = run;
  const { counts } = run.meter;
  return {
    name: exporter.name,
    protocol: exporter.protocol,
    data_sources: exporter.tables,
    state: trouble.state,
    since: new Date(trouble.sinceMs).toISOString(),
    ...errorField(trouble.lastError),
    endpoints: endpoints.states.map(({ endpoint, up, lastError }) => ({
      endpoint,
      up: up ?? null,
      ...errorField(lastError),
    })),
    lag: {
      rows: lag.rows,
      bytes: lag.bytes,
      age_seconds: Math.round(lag.ageMs / 100) / 10,
      ...(lag.rows === 0 ? {} : { oldest_pending: new Date(nowMs - lag.ageMs).toISOString() }),
    },
    lanes: lanes.lanes.map(({ items, bytes, rows, batches }) => ({
      queued_items: items,
      queued_bytes: bytes,
      queued_rows: rows,
      batches,
    })),
    counters: {
      rows_received: counts.rowsReceived,
      rows_left_out: Object.fromEntries(counts.rowsLeftOut),
      items_encoded: counts.itemsEncoded,
      items_sent: counts.itemsSent,
      items_rejected: Object.fromEntries(counts.itemsRejected),
      items_dropped: Object.fromEntries(counts.itemsDropped),
      requests: Object.fromEntries(counts.requests),
      retries: counts.retries,
      sent_bytes: counts.sentBytes,
      rows_lost: Object.fromEntries(lost),
    },
    rejected: { items: store.count, bytes: store.bytes },
    protocol_state: exporter.state?.() ?? {},
  };
}

function errorField(error: { readonly text: string; readonly atMs: number } | undefined): {
  last_error?: ErrorListing;
} {
  return error === undefined ? {} : { last_error: { text: error.text, at: new Date(error.atMs).toISOString() } };
}
