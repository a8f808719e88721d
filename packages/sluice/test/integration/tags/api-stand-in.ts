import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiObject } from '../../unit/tags/kubernetes-objects.ts';

/** How a path is answered, in place of what is right. */
export type Trouble =
  | { readonly kind: 'status'; readonly status: number; readonly message: string }
  /** Not JSON at all. */
  | { readonly kind: 'garbage' }
  /** The connection breaks within the answer. */
  | { readonly kind: 'half' }
  /** Nothing comes. */
  | { readonly kind: 'silence' };

interface StoredEvent {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly plural: string;
  readonly object: ApiObject;
}

interface OpenWatch {
  readonly plural: string;
  /** Only later events are told. */
  readonly from: number;
  readonly selects: (object: ApiObject) => boolean;
  readonly namespace: string | undefined;
  readonly isMetadataOnly: boolean;
  readonly response: ServerResponse;
}

/** What was asked, for tests to look at. */
export interface Asked {
  readonly plural: string;
  readonly does: 'list' | 'watch';
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

const KINDS: Readonly<Record<string, string>> = {
  namespaces: 'Namespace',
  nodes: 'Node',
  services: 'Service',
  deployments: 'Deployment',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
  replicationcontrollers: 'ReplicationController',
  replicasets: 'ReplicaSet',
  endpointslices: 'EndpointSlice',
  pods: 'Pod',
};

/**
 * A Kubernetes API as far as lists and watches go: pages with `limit` and `continue`, resource versions, watches from one on with bookmarks and an end
 * (`timeoutSeconds`), 410 for versions that are forgotten, selectors of labels by equality, metadata only when asked for it. As there, a watch from a version
 * that is still to come is silent until then, and one from version 0 begins with what there is. `api-stand-in.test.ts` holds it against the official client.
 */
export class ApiStandIn {
  readonly asked: Asked[] = [];
  readonly #objects = new Map<string, Map<string, ApiObject>>();
  readonly #watches = new Set<OpenWatch>();
  readonly #troubles = new Map<string, Trouble>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #events: StoredEvent[] = [];
  #version: number;
  /** Events up to this version are forgotten. */
  #forgotten = 0;

  constructor(version = 1000) {
    this.#version = version;
  }

  async open(port = 0): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(port, '127.0.0.1', resolve);
    await promise;
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  put(plural: string, object: ApiObject): void {
    const id = idOf(object);
    const all = this.#all(plural);
    const type = all.has(id) ? 'MODIFIED' : 'ADDED';
    this.#version++;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    all.set(id, stored);
    this.#tell({ version: this.#version, type, plural, object: stored });
  }

  remove(plural: string, name: string, namespace?: string): void {
    const all = this.#all(plural);
    const id = `${namespace ?? ''}/${name}`;
    const object = all.get(id);
    if (object === undefined) throw new Error(`there is no ${plural} ${id}`);
    all.delete(id);
    this.#version++;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.#tell({ version: this.#version, type: 'DELETED', plural, object: last });
  }

  /** `list pods`, `watch pods`, or `pods` for both. */
  trouble(what: string, trouble: Trouble | undefined): void {
    if (trouble === undefined) this.#troubles.delete(what);
    else this.#troubles.set(what, trouble);
  }

  /** Watches from older versions are answered with 410 from now on. */
  forget(): void {
    this.#version++;
    this.#forgotten = this.#version;
    this.#events = [];
  }

  /** Its database is that of long ago: nothing is left, and versions begin again at less. Open watches do not hear of it. */
  restore(version: number): void {
    this.#version = version;
    this.#forgotten = 0;
    this.#events = [];
    this.#objects.clear();
  }

  bookmark(): void {
    this.#version++;
    for (const watch of this.#watches) {
      if (this.#version <= watch.from) continue;
      const object = { kind: KINDS[watch.plural], metadata: { resourceVersion: String(this.#version) } };
      watch.response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    }
  }

  isWatched(plural: string): boolean {
    return [...this.#watches].some((watch) => watch.plural === plural);
  }

  /** Writes to all open watches of a kind. */
  write(plural: string, text: string): void {
    for (const watch of this.#watches) if (watch.plural === plural) watch.response.write(text);
  }

  /** Ends all watches: as an API does when their time is over, or as a broken connection. */
  endWatches(how: 'clean' | 'reset'): void {
    for (const { response } of this.#watches) {
      if (how === 'clean') response.end();
      else response.destroy();
    }
    this.#watches.clear();
  }

  count(does: Asked['does'], plural: string): number {
    return this.asked.filter((one) => one.does === does && one.plural === plural).length;
  }

  #all(plural: string): Map<string, ApiObject> {
    let all = this.#objects.get(plural);
    if (all === undefined) this.#objects.set(plural, (all = new Map()));
    return all;
  }

  #tell(event: StoredEvent): void {
    this.#events.push(event);
    for (const watch of this.#watches) this.#write(watch, event);
  }

  #write(watch: OpenWatch, { version, type, plural, object }: StoredEvent): void {
    if (watch.plural !== plural || version <= watch.from || !isIn(watch.namespace, object)) return;
    if (!watch.selects(object)) return;
    watch.response.write(`${JSON.stringify({ type, object: shown(object, plural, watch.isMetadataOnly) })}\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    const match = /^\/api(?:s\/[^/]+)?\/[^/]+(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(url.pathname);
    const plural = match?.[2] ?? '';
    if (KINDS[plural] === undefined) return status(response, 404, 'the server could not find the requested resource');
    const does = url.searchParams.get('watch') === 'true' ? 'watch' : 'list';
    this.asked.push({ plural, does, query: url.searchParams, authorization: request.headers.authorization });
    const trouble = this.#troubles.get(`${does} ${plural}`) ?? this.#troubles.get(plural);
    if (trouble !== undefined) return troubled(response, trouble);
    const query = url.searchParams;
    const asked = {
      plural,
      namespace: match?.[1],
      selects: selectorOf(query.get('labelSelector') ?? ''),
      from: Number(query.get('resourceVersion') ?? 0),
      isMetadataOnly: request.headers.accept?.includes('as=PartialObjectMetadata') === true,
      response,
    };
    if (does === 'list') return this.#list(asked, query);
    return this.#watch(asked, Number(query.get('timeoutSeconds') ?? 1800));
  }

  #list({ plural, namespace, selects, isMetadataOnly, response }: OpenWatch, query: URLSearchParams): void {
    const limit = Number(query.get('limit') ?? Infinity);
    // A token says where it goes on, and what version the first page was of.
    const [start, version] = (query.get('continue') ?? `0 ${this.#version}`).split(' ').map(Number) as [number, number];
    if (version < this.#forgotten) return status(response, 410, 'The provided continue parameter is too old');
    const all = [...this.#all(plural).values()].filter((object) => isIn(namespace, object) && selects(object));
    const next = start + limit;
    const rest = all.length - next;
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        kind: isMetadataOnly ? 'PartialObjectMetadataList' : `${KINDS[plural]}List`,
        apiVersion: 'v1',
        metadata: {
          resourceVersion: String(version),
          ...(rest > 0 ? { continue: `${next} ${version}`, remainingItemCount: rest } : {}),
        },
        items: all.slice(start, next).map((object) => shown(object, plural, isMetadataOnly, false)),
      }),
    );
  }

  #watch(watch: OpenWatch, seconds: number): void {
    const { from, plural, response } = watch;
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    if (from > 0 && from < this.#forgotten) {
      const message = `too old resource version: ${from} (${this.#forgotten})`;
      const object = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired', message };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    const present = [...this.#all(plural).values()];
    const events =
      from > 0
        ? this.#events
        : present.map((object): StoredEvent => ({ version: this.#version, type: 'ADDED', plural, object }));
    for (const event of events) this.#write(watch, event);
    this.#watches.add(watch);
    const end = setTimeout(() => response.end(), seconds * 1000).unref();
    response.on('close', () => {
      clearTimeout(end);
      this.#watches.delete(watch);
    });
  }
}

/** `key=value,other!=value`: all of them. */
function selectorOf(text: string): (object: ApiObject) => boolean {
  const terms = text === '' ? [] : text.split(',').map((term) => /^([^!=]+)(!=|==?)(.*)$/.exec(term) ?? []);
  return ({ metadata }) => {
    const labels = (metadata['labels'] ?? {}) as Readonly<Record<string, string>>;
    return terms.every(([, key = '', sign, value]) => (labels[key] === value) === (sign !== '!='));
  };
}

function idOf({ metadata }: ApiObject): string {
  return `${String(metadata['namespace'] ?? '')}/${String(metadata['name'])}`;
}

function isIn(namespace: string | undefined, { metadata }: ApiObject): boolean {
  return namespace === undefined || metadata['namespace'] === namespace;
}

function shown(object: ApiObject, plural: string, isMetadataOnly: boolean, hasKind = true): object {
  if (isMetadataOnly) return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
  return hasKind ? { kind: KINDS[plural], apiVersion: 'v1', ...object } : object;
}

function status(response: ServerResponse, code: number, message: string): void {
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: REASONS[code],
    code,
  };
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const REASONS: Readonly<Record<number, string>> = {
  403: 'Forbidden',
  404: 'NotFound',
  410: 'Expired',
  503: 'ServiceUnavailable',
};

function troubled(response: ServerResponse, trouble: Trouble): void {
  switch (trouble.kind) {
    case 'status':
      return status(response, trouble.status, trouble.message);
    case 'garbage':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>please log in</html>\n');
      return;
    case 'half':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"half');
      setTimeout(() => response.destroy(), 5);
      return;
    case 'silence':
  }
}
