import { SluiceError } from '../base/errors.ts';
import type { HttpReply, HttpRoute } from '../base/ports.ts';
import { explain, listResource, type Question } from './explain.ts';
import type { PortKey } from './inventory.ts';
import { isResourceKind, RESOURCE_KINDS } from './kinds.ts';
import type { IdOrigin, OrgInventory } from './org-inventory.ts';
import type { TargetTable } from './prometheus-targets/target-table.ts';
import { portKey } from './service-facts.ts';
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
 * name contains a text. `GET /api/v1/tags/explain`: why something gets its tags, by `ip` (and `vpc`), `pod` (and `namespace`, `cluster`), both with
 * `port` and `protocol`, or `label=NAME=VALUE` (repeated, and `agent`); `at` as RFC 3339 or epoch seconds. Each answers `{"status":"success","data":...}`
 * and refuses parameters that it does not know.
 */
export function createTagsApi(options: TagsApiOptions): HttpRoute[] {
  const route = (path: string, answer: (org: OrgInventory, query: URLSearchParams) => unknown): HttpRoute => ({
    method: 'GET',
    path,
    scope: 'read',
    handle: (request) => success(answer(inventoryOf(options, request.org), request.query)),
  });
  return [
    route('/api/v1/tags', (org, query) => {
      refuseOthers(query, []);
      return overview(org);
    }),
    route('/api/v1/tags/resources', listed),
    route('/api/v1/tags/explain', (org, query) => {
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
  refuseOthers(query, ['kind', 'name', 'limit']);
  const kind = query.get('kind') ?? '';
  if (!isResourceKind(kind))
    throw bad(`expected kind as one of ${RESOURCE_KINDS.join(', ')}; got ${JSON.stringify(kind)}`);
  const limit = wholeNumber(query, 'limit', { fallback: FEW_LISTED, least: 0 });
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
  if (ip !== null) refuseOthers(query, ['ip', 'vpc', 'port', 'protocol', 'at']);
  else if (pod !== null) refuseOthers(query, ['pod', 'namespace', 'cluster', 'port', 'protocol', 'at']);
  else refuseOthers(query, ['label', 'agent', 'at']);
  if (ip !== null)
    return { kind: 'address', ip, vpc: wholeNumber(query, 'vpc', { fallback: 1 }), ...portOf(query), atS };
  if (pod !== null) {
    const [namespace, cluster] = [query.get('namespace'), query.get('cluster')];
    return {
      kind: 'pod',
      name: pod,
      atS,
      ...portOf(query),
      ...(namespace === null ? {} : { namespace }),
      ...(cluster === null ? {} : { cluster }),
    };
  }
  const pairs = labels.map((text) => {
    const split = text.indexOf('=');
    if (split <= 0) throw bad(`expected label=NAME=VALUE; got ${JSON.stringify(text)}`);
    return [text.slice(0, split), text.slice(split + 1)] as const;
  });
  return { kind: 'series', labels: new Map(pairs), agent: wholeNumber(query, 'agent', { fallback: 0, least: 0 }), atS };
}

function timeOf(text: string | null, nowS: number): number {
  if (text === null) return nowS;
  const seconds = /^\d{1,12}(?:\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (Number.isNaN(seconds)) throw bad(`expected at as RFC 3339 or epoch seconds; got ${JSON.stringify(text)}`);
  return Math.floor(seconds);
}

const PROTOCOLS = ['tcp', 'udp'] as const;

/** The server's port that rows with the end have. */
function portOf(query: URLSearchParams): { readonly port?: PortKey } {
  const text = query.get('protocol');
  const protocol = text === null ? 'tcp' : PROTOCOLS.find((one) => one === text);
  if (protocol === undefined) throw bad(`expected protocol as tcp or udp; got ${JSON.stringify(text)}`);
  if (!query.has('port')) {
    if (text !== null) throw bad('expected port beside protocol');
    return {};
  }
  return { port: portKey({ protocol, port: wholeNumber(query, 'port', { fallback: 0, least: 1, most: 65_535 }) }) };
}

interface Range {
  readonly fallback: number;
  readonly least?: number;
  readonly most?: number;
}

function wholeNumber(query: URLSearchParams, name: string, { fallback, least, most }: Range): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= (least ?? -Infinity) && value <= (most ?? Infinity)) return value;
  const range = `${least === undefined ? '' : ` from ${least}`}${most === undefined ? '' : ` to ${most}`}`;
  throw bad(`expected ${name} as a whole number${range}; got ${JSON.stringify(text)}`);
}

/** A parameter that would play no part was meant otherwise. */
function refuseOthers(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    const expected = known.length === 0 ? 'no parameters' : `only the parameters ${known.join(', ')}`;
    throw bad(
      `expected ${expected} here; got ${JSON.stringify(name)}${name === 'org' ? ` (the organisation is in the header X-Org-Id)` : ''}`,
    );
  }
}

function bad(message: string): SluiceError {
  return new SluiceError('bad_request', message);
}
