import { isSluiceError } from '../../base/errors.ts';
import type { Append, HttpReply, HttpRequest, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { inProcessProfile } from '../../catalog/profile.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import { parseIpAddress } from '../ip-address.ts';
import { contentEncoding, plainBody } from '../request-body.ts';
import { RequestRowsPool } from '../request-rows.ts';
import type { RowIds } from '../row-ids.ts';
import { errorReply, unavailableReply } from '../write-reply.ts';
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

/** Outcomes of requests of which nothing is taken, by status. */
const refusals = { 400: 'malformed', 413: 'too_large', 415: 'unsupported' } as const;

/**
 * POST /api/v1/profile/ingest: profiles as Pyroscope's clients send them, into profile.in_process. In the query: `name` (required, `app.type{tag=value}`),
 * `from` and `until` (s, ms, us or ns since 1970), `spyName`, `units`, `format` (`pprof`, `folded`, `lines`; none for a form or folded stacks).
 *
 * 200 with an empty body when the journal has all rows; 400, 413 and 415 when there are none, with the reason; 503 when the journal takes nothing at the
 * moment: none of the rows is in it, and the request may be sent again.
 */
export function createProfileIngest(options: ProfileIngestOptions): readonly HttpRoute[] {
  const receiver = new ProfileReceiver(options);
  const { bodyBytes, decodedBytes, rowBytes } = options.limits;
  return [
    {
      method: 'POST',
      path: PATH,
      scope: 'write',
      bodyLimit: bodyBytes,
      memory: decodedBytes * 2 + rowBytes,
      check: (headers) =>
        contentEncoding(headers) === 'other'
          ? receiver.refused(415, 'expected Content-Encoding gzip, or none')
          : undefined,
      handle: (request) => receiver.take(request),
    },
  ];
}

class ProfileReceiver {
  readonly #options: ProfileIngestOptions;
  readonly #now: () => number;
  readonly #pool: RequestRowsPool;

  constructor(options: ProfileIngestOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#pool = new RequestRowsPool({ ...options, input: INPUT });
  }

  /** Nothing is taken of the request. */
  refused(status: keyof typeof refusals, text: string): HttpReply {
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome: refusals[status] });
    return errorReply(status, text);
  }

  async take(request: HttpRequest): Promise<HttpReply> {
    const { metrics, limits } = this.#options;
    const began = performance.now();
    metrics.receivedBytes.inc({ input: INPUT }, request.body.length);
    const name = request.query.get('name') ?? '';
    if (name === '' || name.length > MOST_NAME) {
      return this.refused(400, `expected the query to have a name of 1 to ${MOST_NAME} characters; got ${name.length}`);
    }
    const body = await plainBody(request, limits.decodedBytes);
    if (body.kind !== 'plain') return this.refused(body.kind === 'too_large' ? 413 : 400, body.text);
    const reply = await this.#write(profileOf(request, name, body.bytes), request.org);
    metrics.acknowledgeSeconds.observe({ input: INPUT }, (performance.now() - began) / 1000);
    return reply;
  }

  async #write(profile: PostedProfile, org: number): Promise<HttpReply> {
    const { rowIds, accept, limits, metrics } = this.#options;
    const profiles = new PostedProfiles({ rowIds, window: accept(inProcessProfile), limits });
    const rows = this.#pool.open();
    try {
      const dropped = profiles.write(profile, { target: rows, org, team: TEAM, agent: 0, nowMs: this.#now() });
      if (dropped !== undefined) return this.#dropped(dropped, profile.format);
      await rows.append();
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      metrics.receivedRequests.inc({ input: INPUT, outcome: error.code });
      return unavailableReply(error);
    } finally {
      rows.close();
    }
    countDropped(metrics, profiles);
    metrics.receivedRequests.inc({ input: INPUT, outcome: profiles.malformed > 0 ? 'partial' : 'accepted' });
    return { status: 200 };
  }

  #dropped(reason: ProfileDropped, format: string): HttpReply {
    const { limits } = this.#options;
    switch (reason) {
      case 'unsupported_format':
        return this.refused(415, `expected a profile in the format pprof, folded or lines; got ${quoted(format)}`);
      case 'too_large':
        return this.refused(
          413,
          `cannot take the profile: expected at most ${limits.decodedBytes} bytes when uncompressed, ${limits.samples} rows ` +
            `and ${limits.rowBytes} bytes of rows`,
        );
      case 'malformed':
        return this.refused(400, `cannot read the profile: it is none of the format ${quoted(format)}`);
      case 'too_old':
      case 'too_new':
        this.#options.metrics.droppedRows.inc({ input: INPUT, reason });
        return this.refused(
          400,
          `cannot take the profile: it began ${reason === 'too_old' ? 'before' : 'after'} what the hub keeps`,
        );
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
