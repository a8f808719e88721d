import { isSluiceError } from '../../base/errors.ts';
import type { Append, HttpReply, HttpRequest, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { applicationLog } from '../../catalog/application-log.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import { contentEncoding, plainBody } from '../request-body.ts';
import { RequestRowsPool } from '../request-rows.ts';
import type { RowIds } from '../row-ids.ts';
import { errorReply, unavailableReply } from '../write-reply.ts';
import type { LogLimits } from './config.ts';
import { countDropped, INPUT } from './counts.ts';
import { EntryRows } from './entry-rows.ts';

export interface LogWriteOptions {
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  readonly rowIds: RowIds;
  readonly accept: (source: DataSource) => AcceptWindow;
  /** Organisations that are taken. */
  readonly organisations: readonly number[];
  readonly limits: LogLimits;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const PATH = '/api/v1/log';
/** Team of rows that no agent sent. */
const TEAM = 1;
/** Rows, and bytes of entries, that are appended together; of a longer body the first ones are in the journal before the last are read. */
const PIECE_ROWS = 32_768;
const PIECE_BYTES = 4 * 1024 * 1024;
/** Memory of a piece beside the body. */
const PIECE_MEMORY = 24 * 1024 * 1024;

/** Outcomes of requests that are not read, by status. */
const refusals = { 400: 'malformed', 413: 'too_large', 415: 'unsupported' } as const;

/**
 * POST /api/v1/log: logs as JSON (what the agent's port takes from Vector) into application_log.log; gzip.
 *
 * 200 with an empty body when the journal has every entry. Entries that cannot be taken cost themselves: 200 with what was taken and dropped and why, or
 * 400 with the same when none was taken, so that nobody sends them again. 503 when the journal takes nothing at the moment: the whole body may be sent
 * again.
 */
export function createLogWrite(options: LogWriteOptions): readonly HttpRoute[] {
  const receiver = new LogReceiver(options);
  const { bodyBytes, decodedBytes } = options.limits;
  return [
    {
      method: 'POST',
      path: PATH,
      scope: 'write',
      bodyLimit: bodyBytes,
      memory: decodedBytes + PIECE_MEMORY,
      check: (headers) =>
        contentEncoding(headers) === 'other'
          ? receiver.refused(415, 'expected Content-Encoding gzip, or none')
          : undefined,
      handle: (request) => receiver.take(request),
    },
  ];
}

class LogReceiver {
  readonly #options: LogWriteOptions;
  readonly #now: () => number;
  readonly #pool: RequestRowsPool;

  constructor(options: LogWriteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#pool = new RequestRowsPool({ ...options, input: INPUT });
  }

  /** Nothing is read of the request. */
  refused(status: keyof typeof refusals, text: string): HttpReply {
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome: refusals[status] });
    return errorReply(status, text);
  }

  async take(request: HttpRequest): Promise<HttpReply> {
    const { metrics, limits } = this.#options;
    const began = performance.now();
    metrics.receivedBytes.inc({ input: INPUT }, request.body.length);
    const body = await plainBody(request, limits.decodedBytes);
    if (body.kind !== 'plain') return this.refused(body.kind === 'too_large' ? 413 : 400, body.text);
    const reply = await this.#write(body.bytes, request.org);
    metrics.acknowledgeSeconds.observe({ input: INPUT }, (performance.now() - began) / 1000);
    return reply;
  }

  async #write(body: Uint8Array, org: number): Promise<HttpReply> {
    const { rowIds, accept, organisations, limits, metrics } = this.#options;
    const window = accept(applicationLog);
    const entries = new EntryRows({ rowIds, window, organisations, entryBytes: limits.entryBytes });
    const rows = this.#pool.open();
    try {
      let from = 0;
      entries.begin(body, 0, body.length, { target: rows, org, team: TEAM, agent: 0, nowMs: this.#now() });
      while (entries.next()) {
        if (rows.rows < PIECE_ROWS && entries.at - from < PIECE_BYTES) continue;
        await rows.append();
        from = entries.at;
      }
      await rows.append();
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      metrics.receivedRequests.inc({ input: INPUT, outcome: error.code });
      return unavailableReply(error);
    } finally {
      rows.close();
    }
    countDropped(metrics, entries);
    return this.#answer(entries);
  }

  #answer({ taken, dropped }: EntryRows): HttpReply {
    const { metrics } = this.#options;
    if (dropped.size === 0) {
      metrics.receivedRequests.inc({ input: INPUT, outcome: 'accepted' });
      return { status: 200 };
    }
    metrics.receivedRequests.inc({ input: INPUT, outcome: taken > 0 ? 'partial' : 'malformed' });
    return {
      status: taken > 0 ? 200 : 400,
      headers: { 'Content-Type': 'application/json' },
      body: `${JSON.stringify({ taken, dropped: Object.fromEntries(dropped) })}\n`,
    };
  }
}
