import { SluiceError } from '../base/errors.ts';
import type { HttpReply, HttpRequest, HttpRoute } from '../base/ports.ts';
import { explain, listResource, type Question } from './explain.ts';
import { isResourceKind, RESOURCE_KINDS } from './kinds.ts';
import type { IdOrigin, OrgInventory } from './org-inventory.ts';
import type { TargetTable } from './prometheus-targets/target-table.ts';
import type { SourceState } from './source.ts';
import type { TagNames } from './tag-names.ts';

export interface TagsApiOptions {
  readonly find: (org: number) => OrgInventory | undefined;
  readonly names: TagNames;
  /** Targets of Prometheus servers. */
  readonly targets: (org: number) => TargetTable;
  readonly now?: () => number;
}

/** `data` of `GET /api/v1/tags`. */
export interface TagsOverview {
  readonly org: number;
  /** Number by kind. */
  readonly resources: Readonly<Record<string, number>>;
  readonly memory_bytes: number;
  /** Absent: this hub gives ids itself and shares them with no other. */
  readonly ids?: IdOrigin;
  readonly sources: readonly SourceListing[];
}

export interface SourceListing {
  readonly name: string;
  readonly kind: string;
  readonly state: SourceState['kind'];
  readonly from?: string;
  readonly last_success?: string;
  readonly last_error?: string;
  readonly last_error_at?: string;
  readonly resources: Readonly<Record<string, number>>;
}

const MOST_LISTED = 10_000;
const FEW_LISTED = 1000;

/**
 * `GET /api/v1/tags`: what there is, and the state of each source. `GET /api/v1/tags/resources?kind=pod&name=TEXT&limit=N`: resources of a kind whose
 * name contains a text. `GET /api/v1/tags/explain`: why something gets its tags, by `ip` (and `vpc`), `pod` (and `namespace`, `cluster`) or
 * `label=NAME=VALUE` (repeated, and `agent`); `at` as RFC 3339 or epoch seconds. Each answers `{"status":"success","data":...}`.
 */
export function createTagsApi(options: TagsApiOptions): HttpRoute[] {
  const route = (path: string, answer: (org: OrgInventory, request: HttpRequest) => unknown): HttpRoute => ({
    method: 'GET',
    path,
    scope: 'read',
    handle: (request) => success(answer(inventoryOf(options, request.org), request)),
  });
  return [
    route('/api/v1/tags', (org) => overview(org)),
    route('/api/v1/tags/resources', (org, { query }) => listed(org, query)),
    route('/api/v1/tags/explain', (org, { query }) => {
      const question = questionOf(query, Math.floor((options.now ?? Date.now)() / 1000));
      const explained = explain({ org, names: options.names, targets: options.targets(org.org) }, question);
      if (explained === undefined) throw bad(`expected an address as ip; got ${JSON.stringify(query.get('ip'))}`);
      return explained;
    }),
  ];
}

function inventoryOf({ find }: TagsApiOptions, org: number): OrgInventory {
  const inventory = find(org);
  if (inventory === undefined) throw bad(`expected an organisation that has tags; got ${org}`);
  return inventory;
}

function success(data: unknown): HttpReply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status: 'success', data }),
  };
}

function overview(org: OrgInventory): TagsOverview {
  const counts = RESOURCE_KINDS.map((kind) => [kind, org.builder.all(kind).size] as const);
  return {
    org: org.org,
    resources: Object.fromEntries(counts.filter(([, count]) => count > 0)),
    memory_bytes: org.live.bytes,
    ...(org.idOrigin === undefined ? {} : { ids: { giver: org.idOrigin.giver, missing: org.idOrigin.missing } }),
    sources: org.sources.map((source) => {
      const { kind, from, lastSuccessMs, lastError, lastErrorMs } = source.state();
      return {
        name: source.name,
        kind: source.kind,
        state: kind,
        ...(from === undefined ? {} : { from }),
        ...(lastSuccessMs === undefined ? {} : { last_success: new Date(lastSuccessMs).toISOString() }),
        ...(lastError === undefined ? {} : { last_error: lastError }),
        ...(lastErrorMs === undefined ? {} : { last_error_at: new Date(lastErrorMs).toISOString() }),
        resources: Object.fromEntries(org.sizes(source).map((size) => [size.kind, size.count])),
      };
    }),
  };
}

function listed(org: OrgInventory, query: URLSearchParams): unknown[] {
  const kind = query.get('kind') ?? '';
  if (!isResourceKind(kind))
    throw bad(`expected kind as one of ${RESOURCE_KINDS.join(', ')}; got ${JSON.stringify(kind)}`);
  const limit = wholeNumber(query, 'limit', FEW_LISTED);
  const name = query.get('name') ?? '';
  const found: unknown[] = [];
  for (const held of org.builder.all(kind).values()) {
    if (found.length >= Math.min(limit, MOST_LISTED)) break;
    if (held.resource.name.includes(name)) found.push(listResource(org, held));
  }
  return found;
}

function questionOf(query: URLSearchParams, nowS: number): Question {
  const atS = timeOf(query.get('at'), nowS);
  const ip = query.get('ip');
  const pod = query.get('pod');
  const labels = query.getAll('label');
  if ([ip !== null, pod !== null, labels.length > 0].filter(Boolean).length !== 1) {
    throw bad('expected one of ip, pod and label=NAME=VALUE');
  }
  if (ip !== null) return { kind: 'address', ip, vpc: wholeNumber(query, 'vpc', 1), atS };
  if (pod !== null) {
    const [namespace, cluster] = [query.get('namespace'), query.get('cluster')];
    return {
      kind: 'pod',
      name: pod,
      atS,
      ...(namespace === null ? {} : { namespace }),
      ...(cluster === null ? {} : { cluster }),
    };
  }
  const pairs = labels.map((text) => {
    const split = text.indexOf('=');
    if (split <= 0) throw bad(`expected label=NAME=VALUE; got ${JSON.stringify(text)}`);
    return [text.slice(0, split), text.slice(split + 1)] as const;
  });
  return { kind: 'series', labels: new Map(pairs), agent: wholeNumber(query, 'agent', 0), atS };
}

function timeOf(text: string | null, nowS: number): number {
  if (text === null) return nowS;
  const seconds = /^\d{1,12}(?:\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (Number.isNaN(seconds)) throw bad(`expected at as RFC 3339 or epoch seconds; got ${JSON.stringify(text)}`);
  return Math.floor(seconds);
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw bad(`expected ${name} as a whole number; got ${JSON.stringify(text)}`);
}

function bad(message: string): SluiceError {
  return new SluiceError('bad_request', message);
}
