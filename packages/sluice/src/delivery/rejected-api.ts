import { SluiceError } from '../base/errors.ts';
import type { HttpReply, HttpRequest, HttpRoute } from '../base/ports.ts';
import type { Clock } from '../journal/clock.ts';
import { jsonReply, noSuchExporter, numberIn } from './api-exchange.ts';
import type { ExporterRun } from './exporter-run.ts';
import type { RejectedSummary } from './rejected-format.ts';
import type { RejectedStore } from './rejected-store.ts';
import type { RejectedStores } from './rejected-stores.ts';

/** A rejected item as `GET /api/v1/rejected` lists it: without its content. */
export interface RejectedListing extends RejectedSummary {
  readonly exporter: string;
}

/** What `POST /api/v1/rejected/<exporter>/replay` answers: how far it is when it is done or 10 s are over. */
export interface ReplayListing {
  readonly items: number;
  readonly sent: number;
  readonly rejected_again: number;
  readonly without_content: number;
  readonly waiting: number;
}

export interface RejectedApiOptions {
  readonly runs: ReadonlyMap<string, ExporterRun>;
  readonly stores: RejectedStores;
  readonly clock: Clock;
}

const LISTED = 100;
const MOST_LISTED = 10_000;
const MOST_IDS = 10_000;
const REPLAY_WAIT_MS = 10_000;

/** Rejected items: list, show one, send once more (`replay`), forget (`drop`). */
export function createRejectedApi(options: RejectedApiOptions): HttpRoute[] {
  return [
    { method: 'GET', path: '/api/v1/rejected', scope: 'read', handle: (request) => list(options, request) },
    { method: 'GET', path: '/api/v1/rejected/*/*', scope: 'read', handle: (request) => show(options, request) },
    {
      method: 'POST',
      path: '/api/v1/rejected/*/replay',
      scope: 'admin',
      handle: (request) => replay(options, request),
    },
    { method: 'POST', path: '/api/v1/rejected/*/drop', scope: 'admin', handle: (request) => drop(options, request) },
  ];
}

async function list(options: RejectedApiOptions, { query }: HttpRequest): Promise<HttpReply> {
  const limit = numberIn(query, 'limit', { absent: LISTED, most: MOST_LISTED });
  const only = query.get('exporter') ?? '';
  const listed: RejectedListing[] = [];
  for (const name of only === '' ? options.stores.names() : [only]) {
    const items = await (await storeOf(options, name)).list(limit);
    for (const item of items) listed.push({ exporter: name, ...item });
  }
  return jsonReply(listed.toSorted((left, right) => right.id - left.id).slice(0, limit));
}

/** The whole item, with `head` and `body` in base64 and its text. */
async function show(options: RejectedApiOptions, { wildcards }: HttpRequest): Promise<HttpReply> {
  const [name = '', id = ''] = wildcards;
  const store = await storeOf(options, name);
  const item = await store.get(Number(id));
  if (item === undefined) {
    throw new SluiceError('not_found', `there is no rejected item ${JSON.stringify(id.slice(0, 40))} of ${name}`);
  }
  return jsonReply({ exporter: name, ...item });
}

async function replay(options: RejectedApiOptions, { wildcards, query, signal }: HttpRequest): Promise<HttpReply> {
  const { runs, clock } = options;
  const name = wildcards[0] ?? '';
  const run = runs.get(name) ?? noSuchExporter(name, runs.keys());
  const started = run.replay(idsIn(query, run.store));
  if (started === undefined) {
    throw new SluiceError(
      'bad_request',
      `cannot send items of ${name} once more: others are on their way, or it stops; try again later`,
    );
  }
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(REPLAY_WAIT_MS, over.resolve);
  signal.addEventListener('abort', () => over.resolve(), { once: true });
  await Promise.race([started.done, over.promise]);
  cancel();
  const { items, sent, rejectedAgain, withoutContent, isDone } = started;
  const answer: ReplayListing = {
    items,
    sent,
    rejected_again: rejectedAgain,
    without_content: withoutContent,
    waiting: isDone ? 0 : items - sent - rejectedAgain - withoutContent,
  };
  return jsonReply(answer);
}

async function drop(options: RejectedApiOptions, { wildcards, query }: HttpRequest): Promise<HttpReply> {
  const store = await storeOf(options, wildcards[0] ?? '');
  return jsonReply({ dropped: store.remove(idsIn(query, store)) });
}

async function storeOf({ stores }: RejectedApiOptions, name: string): Promise<RejectedStore> {
  const names = stores.names();
  // Also what keeps a name from the path off the file system.
  if (!names.includes(name)) noSuchExporter(name, names);
  return stores.of(name);
}

/** `id=1&id=2` or `all=true`, of the query or a form. */
function idsIn(query: URLSearchParams, store: RejectedStore): number[] {
  const texts = query.getAll('id');
  if (query.get('all') === 'true' && texts.length === 0) return store.ids();
  const ids = texts.map((text) => (/^\d{1,16}$/.test(text) ? Number(text) : 0));
  const wrong = ids.findIndex((id) => !store.has(id));
  if (wrong >= 0) {
    throw new SluiceError('not_found', `there is no rejected item ${JSON.stringify(texts[wrong]!.slice(0, 40))}`);
  }
  if (ids.length === 0 || ids.length > MOST_IDS) {
    throw new SluiceError(
      'bad_request',
      `expected id=N, up to ${MOST_IDS} of them, or all=true; got ${ids.length} ids`,
    );
  }
  return [...new Set(ids)].toSorted((left, right) => left - right);
}
