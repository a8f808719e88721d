import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { ClusterObjects } from '../cluster-objects.ts';
import type { WatchedCluster } from '../config.ts';
import type { Description, Source, SourceChange, SourceState } from '../source.ts';
import { openApi, type KubernetesApi } from './api.ts';
import { ObjectWatch, type SkipReason, type WatchOutcome, type WatchState } from './object-watch.ts';
import { watchedPaths } from './watched-kinds.ts';

export interface KubernetesSourceOptions {
  readonly cluster: Omit<WatchedCluster, 'org'>;
  readonly org: number;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now?: () => number;
  /** Factor for all waits, for tests. */
  readonly pace?: number;
  readonly mostObjects?: number;
}

/** Changes that come within this time are told together. */
const GATHER_MS = 200;
/** A configuration is not read more often. */
const LEAST_RELOAD_MS = 5000;

export function createKubernetesSource(options: KubernetesSourceOptions): KubernetesSource {
  return new KubernetesSource(options);
}

/**
 * Resources of a Kubernetes cluster, from its API. Tells nothing until every kind of object has been read once; from then on what is known stays,
 * whatever becomes of the API, and `state` says since when.
 */
export class KubernetesSource implements Source {
  readonly kind = 'kubernetes';
  readonly name: string;
  readonly org: number;
  readonly #options: KubernetesSourceOptions;
  readonly #objects: ClusterObjects;
  readonly #watches: readonly ObjectWatch[];
  readonly #listeners = new Set<(change: SourceChange) => void>();
  readonly #ending = new AbortController();
  #running: Promise<unknown> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isKnown = false;
  #lastState: SourceState['kind'] = 'starting';
  #api: Promise<KubernetesApi> | undefined;
  #apiMs = -Infinity;
  #server: string | undefined;

  constructor(options: KubernetesSourceOptions) {
    const { cluster, org, now = Date.now, pace = 1, mostObjects } = options;
    this.#options = options;
    this.name = `kubernetes ${cluster.name}`;
    this.org = org;
    const { clusterId, name, vpc } = cluster;
    this.#objects = new ClusterObjects({ clusterId, name, vpc, ...(mostObjects === undefined ? {} : { mostObjects }) });
    const settings = { environment: new Set(cluster.environment) };
    this.#watches = watchedPaths(cluster.namespaces).map(
      ({ kind, path, query, accept }) =>
        new ObjectWatch({
          kind,
          request: { path, query, accept },
          settings,
          api: async (isFresh) => this.#openApi(isFresh),
          put: (object) => this.#objects.put(object),
          remove: (id) => void this.#objects.remove(id),
          onChange: () => this.#schedule(),
          count: (what) => this.#count(what),
          now,
          pace,
        }),
    );
  }

  /** Begins to ask. */
  start(): void {
    this.#running ??= Promise.all(this.#watches.map(async (watch) => watch.run(this.#ending.signal)));
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  current(): Description | undefined {
    return this.#isKnown ? { resources: this.#objects.resources() } : undefined;
  }

  onChange(listener: (change: SourceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  state(): SourceState {
    const states = this.#watches.map((watch) => watch.state);
    const failing = states
      .filter((one) => one.error !== undefined)
      .toSorted((left, right) => (right.errorMs ?? 0) - (left.errorMs ?? 0));
    const [last] = failing;
    // Without nodes, say, the pods are still worth something.
    const isFailing = failing.some((one) => !one.isRefused || one.kind === 'Pod');
    const asked = states.filter((one) => !one.isRefused);
    const lastSuccessMs = asked.reduce((least, one) => Math.min(least, one.lastGoodMs ?? Infinity), Infinity);
    return {
      kind: isFailing ? 'failing' : this.#isKnown ? 'up' : 'starting',
      ...(this.#isKnown && Number.isFinite(lastSuccessMs) ? { lastSuccessMs } : {}),
      ...(last?.errorMs === undefined ? {} : { lastError: describeErrors(failing), lastErrorMs: last.errorMs }),
      ...(this.#server === undefined ? {} : { from: this.#server }),
    };
  }

  async #openApi(isFresh: boolean): Promise<KubernetesApi> {
    if (this.#api === undefined || (isFresh && performance.now() - this.#apiMs > LEAST_RELOAD_MS)) {
      this.#apiMs = performance.now();
      this.#api = openApi(this.#options.cluster);
    }
    const api = await this.#api;
    this.#server = api.server;
    return api;
  }

  #count(what: WatchOutcome | SkipReason): void {
    const { metrics, org } = this.#options;
    if (what === 'malformed' || what === 'too_large' || what === 'limit') {
      metrics.tagObjectsSkipped.inc({ org, source: this.name, reason: what });
    } else metrics.tagWatches.inc({ org, source: this.name, outcome: what });
  }

  #schedule(): void {
    if (this.#ending.signal.aborted) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#tell();
      },
      GATHER_MS * (this.#options.pace ?? 1),
    ).unref();
  }

  #tell(): void {
    const wasKnown = this.#isKnown;
    this.#isKnown ||= this.#watches.every((watch) => watch.state.isReady);
    this.#logState();
    if (!this.#isKnown) return;
    const { changed, gone } = this.#objects.take();
    if (wasKnown && changed.length === 0 && gone.length === 0) return;
    const change: SourceChange = wasKnown ? { kind: 'some', changed, gone } : { kind: 'all' };
    if (!wasKnown)
      this.#options.log.info({ cluster: this.name, objects: this.#objects.size }, 'Kubernetes objects read');
    for (const listener of this.#listeners) listener(change);
  }

  #logState(): void {
    const { log } = this.#options;
    const { kind, lastError } = this.state();
    if (kind === this.#lastState) return;
    this.#lastState = kind;
    if (kind === 'failing') {
      const advice = this.#isKnown ? 'what is known of it stays' : 'nothing is known of it';
      log.warn({ cluster: this.name, error: lastError }, `cannot ask the Kubernetes API; ${advice}`);
    } else if (kind === 'up') log.info({ cluster: this.name }, 'the Kubernetes API is followed');
  }
}

/** Several kinds mostly fail for one reason. */
function describeErrors(failing: readonly WatchState[]): string {
  const kindsBy = new Map<string, string[]>();
  for (const { error = '', kind } of failing) kindsBy.set(error, [...(kindsBy.get(error) ?? []), kind]);
  return [...kindsBy]
    .slice(0, 5)
    .map(([error, kinds]) => `cannot list ${[...new Set(kinds)].join(', ')}: ${error}`)
    .join('\n');
}
