import type { Append, HttpReply, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import type { RowIds } from '../row-ids.ts';
import { writeRoute } from '../write-route.ts';
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

/**
 * POST /api/v1/log: logs as JSON (what the agent's port takes from Vector) into application_log.log; gzip.
 *
 * 200 with an empty body when the journal has every entry. Entries that cannot be taken cost themselves: 200 with what was taken and dropped and why, or
 * 400 with the same when none was taken, so that nobody sends them again. 503 when the journal takes nothing at the moment: the whole body may be sent
 * again.
 */
export function createLogWrite(options: LogWriteOptions): readonly HttpRoute[] {
  const { rowIds, organisations, limits, metrics } = options;
  const route = writeRoute({
    ...options,
    path: PATH,
    input: INPUT,
    memoryBytes: limits.decodedBytes + PIECE_MEMORY,
    write: async (body, rows, { org }) => {
      const entries = new EntryRows({ rowIds, organisations, entryBytes: limits.entryBytes });
      let from = 0;
      entries.begin(body, 0, body.length, { target: rows, org, team: TEAM, agent: 0 });
      while (entries.next()) {
        if (rows.rows < PIECE_ROWS && entries.at - from < PIECE_BYTES) continue;
        await rows.append();
        from = entries.at;
      }
      await rows.append();
      countDropped(metrics, entries);
      return answer(metrics, entries);
    },
  });
  return [route];
}

function answer(metrics: Metrics, { taken, dropped }: EntryRows): HttpReply {
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
