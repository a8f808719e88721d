import type { Append, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { externalMetrics } from '../../catalog/external-metrics.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import { errorReply } from '../write-reply.ts';
import { refused, writeRoute } from '../write-route.ts';
import { countDropped, INPUT } from './counts.ts';
import { LineProblems } from './line-problems.ts';
import { LineRows } from './line-rows.ts';

export interface TelegrafWriteOptions {
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly limits: TelegrafLimits;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** In bytes. */
export interface TelegrafLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
}

const PATH = '/api/v1/telegraf';
/** Team of rows that no agent sent. */
const TEAM = 1;
/** Rows, and bytes of lines, that are appended together; of a longer body the first ones are in the journal before the last are read. */
const PIECE_ROWS = 32_768;
const PIECE_BYTES = 4 * 1024 * 1024;
/** Memory of a piece beside the body. */
const PIECE_MEMORY = 16 * 1024 * 1024;

/** Digits of timestamps that are fractions of a second, by the query's `precision`. */
const precisions: ReadonlyMap<string, number> = new Map([
  ['ns', 9],
  ['n', 9],
  ['us', 6],
  ['u', 6],
  ['ms', 3],
  ['s', 0],
]);

/**
 * POST /api/v1/telegraf: Influx line protocol into ext_metrics.metrics; gzip, `precision` of timestamps as in InfluxDB (default ns).
 *
 * 204 when the journal has all rows. 400 with the first ten problems when lines could not be taken; as with InfluxDB's partial write, the others are
 * kept and the text begins with `partial write`, so that Telegraf does not send the batch again. 503 when the journal takes nothing at the moment: the
 * whole batch may be sent again.
 */
export function createTelegrafWrite(options: TelegrafWriteOptions): readonly HttpRoute[] {
  const { limits, metrics, now = Date.now } = options;
  const route = writeRoute({
    ...options,
    path: PATH,
    input: INPUT,
    memoryBytes: limits.decodedBytes + PIECE_MEMORY,
    write: async (body, rows, { query, org }) => {
      const fractionDigits = precisions.get(query.get('precision') ?? 'ns');
      if (fractionDigits === undefined) {
        return refused({ input: INPUT, metrics }, 400, 'expected precision ns, us, ms or s');
      }
      const lines = new LineRows();
      const problems = new LineProblems();
      let from = 0;
      lines.begin(body, 0, body.length, { team: TEAM, agent: 0, nowMs: now(), fractionDigits });
      while (!lines.isDone) {
        const dropped = lines.next(rows.block(externalMetrics, org));
        if (dropped !== undefined) problems.add(dropped, lines, body);
        if (rows.rows < PIECE_ROWS && lines.lineStart - from < PIECE_BYTES) continue;
        await rows.append();
        from = lines.lineStart;
      }
      await rows.append();
      countDropped(metrics, lines);
      const outcome = problems.count === 0 ? 'accepted' : lines.taken > 0 ? 'partial' : 'malformed';
      metrics.receivedRequests.inc({ input: INPUT, outcome });
      return problems.count === 0 ? { status: 204 } : errorReply(400, problems.text(lines.taken));
    },
  });
  return [route];
}
