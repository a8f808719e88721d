import type { Append, HttpReply, HttpRequest, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import { parseIpAddress } from '../ip-address.ts';
import type { RowIds } from '../row-ids.ts';
import { refused, writeRoute } from '../write-route.ts';
import type { ProfileLimits } from './config.ts';
import { countDropped, INPUT } from './counts.ts';
import { type PostedProfile, type ProfileDropped, PostedProfiles } from './posted-profile.ts';

export interface ProfileIngestOptions {
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  readonly rowIds: RowIds;
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly limits: ProfileLimits;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const PATH = '/api/v1/profile/ingest';
/** Team of rows that no agent sent. */
const TEAM = 1;
const NO_ADDRESS = new Uint8Array(0);
const MOST_NAME = 1024;

/**
 * POST /api/v1/profile/ingest: profiles as Pyroscope's clients send them, into profile.in_process. In the query: `name` (required, `app.type{tag=value}`),
 * `from` and `until` (s, ms, us or ns since 1970), `spyName`, `units`, `format` (`pprof`, `folded`, `lines`; none for a form or folded stacks).
 *
 * 200 with an empty body when the journal has all rows, with `{"taken":rows,"dropped":{"malformed":samples}}` when samples were left out; 400, 413 and 415
 * when there are no rows, with the reason; 503 when the journal takes nothing at the moment: none of the rows is in it, and the request may be sent again.
 */
export function createProfileIngest(options: ProfileIngestOptions): readonly HttpRoute[] {
  const { rowIds, limits, metrics, now = Date.now } = options;
  const route = writeRoute({
    ...options,
    path: PATH,
    input: INPUT,
    memoryBytes: limits.decodedBytes * 2 + limits.rowBytes,
    write: async (body, rows, request) => {
      const name = request.query.get('name') ?? '';
      if (name === '' || name.length > MOST_NAME) {
        const text = `expected the query to have a name of 1 to ${MOST_NAME} characters; got ${name.length}`;
        return refused({ input: INPUT, metrics }, 400, text);
      }
      const profile = profileOf(request, name, body);
      const profiles = new PostedProfiles({ rowIds, limits });
      const dropped = profiles.write(profile, { target: rows, org: request.org, team: TEAM, agent: 0, nowMs: now() });
      if (dropped !== undefined) return refusal(dropped, profile.format, options);
      await rows.append();
      countDropped(metrics, profiles);
      const { taken, malformed } = profiles;
      metrics.receivedRequests.inc({ input: INPUT, outcome: malformed > 0 ? 'partial' : 'accepted' });
      if (malformed === 0) return { status: 200 };
      return {
        status: 200,
        headers: { 'Content-Type': 'application/json' },
        body: `${JSON.stringify({ taken, dropped: { malformed } })}\n`,
      };
    },
  });
  return [route];
}

function refusal(reason: ProfileDropped, format: string, { limits, metrics }: ProfileIngestOptions): HttpReply {
  const counted = { input: INPUT, metrics };
  switch (reason) {
    case 'unsupported_format':
      return refused(counted, 415, `expected a profile in the format pprof, folded or lines; got ${quoted(format)}`);
    case 'too_large':
      return refused(
        counted,
        413,
        `cannot take the profile: expected at most ${limits.decodedBytes} bytes when uncompressed, ${limits.samples} rows ` +
          `and ${limits.rowBytes} bytes of rows`,
      );
    case 'malformed':
      return refused(counted, 400, `cannot read the profile: it is none of the format ${quoted(format)}`);
    case 'too_old':
    case 'too_new': {
      metrics.droppedRows.inc({ input: INPUT, reason });
      const side = reason === 'too_old' ? 'before' : 'after';
      return refused(counted, 400, `cannot take the profile: it began ${side} what the hub keeps`);
    }
  }
}

function profileOf({ query, headers, peer }: HttpRequest, name: string, data: Uint8Array): PostedProfile {
  const word = (key: string): string => (query.get(key) ?? '').slice(0, MOST_NAME);
  return {
    name,
    units: word('units'),
    spyName: word('spyName'),
    format: word('format'),
    contentType: headers['content-type'] ?? '',
    from: secondsIn(word('from')),
    until: secondsIn(word('until')),
    address: (peer === undefined ? undefined : parseIpAddress(peer)) ?? NO_ADDRESS,
    pod: 0,
    pid: 0,
    data,
  };
}

/** Seconds since 1970; the number of digits tells whether the text is in seconds, milliseconds, microseconds or nanoseconds. 0 for what is no number. */
function secondsIn(text: string): number {
  if (!/^\d{1,20}$/.test(text)) return 0;
  const digits = text.length;
  const unit = digits <= 10 ? 0 : digits <= 13 ? 3 : digits <= 16 ? 6 : 9;
  return Number(text.slice(0, digits - unit));
}

function quoted(format: string): string {
  return JSON.stringify(format.slice(0, 60));
}
