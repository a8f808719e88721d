import type { AgentIds } from './agent-ids.ts';

/** Silent for so long, the reporting agent of a cluster is replaced by another one. */
const SILENT_MS = 3 * 60_000;

export interface ClusterWatchersOptions {
  readonly ids: AgentIds;
  /** When an agent was last heard from since the hub's start. */
  readonly seenMs: (agentId: number) => number | undefined;
  readonly now?: () => number;
}

/**
 * Exactly one agent of each Kubernetes cluster asks the cluster's API server for its objects. The choice is sticky, also over restarts of the hub: moving
 * it makes another agent read everything.
 */
export class ClusterWatchers {
  readonly #ids: AgentIds;
  readonly #seenMs: (agentId: number) => number | undefined;
  readonly #now: () => number;
  readonly #startedMs: number;

  constructor(options: ClusterWatchersOptions) {
    this.#ids = options.ids;
    this.#seenMs = options.seenMs;
    this.#now = options.now ?? Date.now;
    this.#startedMs = this.#now();
  }

  /** Whether this agent, which is asking, is the one of its cluster; never one that says it asks no API server whatever it is told. */
  isWatcher(org: number, clusterId: string, agentId: number, mayWatch: boolean): boolean {
    if (clusterId === '') return false;
    const key = `${org} ${clusterId}`;
    const chosen = this.#ids.watcher(key);
    if (!mayWatch) {
      if (chosen === agentId) this.#ids.setWatcher(key, undefined);
      return false;
    }
    if (chosen === agentId) return true;
    if (chosen !== undefined && this.#now() - (this.#seenMs(chosen) ?? this.#startedMs) < SILENT_MS) return false;
    this.#ids.setWatcher(key, agentId);
    return true;
  }
}
