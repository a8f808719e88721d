import { join } from 'node:path';
import type { AgentTenant } from '../base/ports.ts';
import type { Log } from '../telemetry/log.ts';
import { readState, StateWriter } from './state-writer.ts';

/*
 * `<data-dir>/state/agents.json`, a state file (base/state-file.ts) of version 1: the number of every agent that ever registered.
 *
 *   {"version":1,
 *    "agents":[[id, ctrl_ip, ctrl_mac, team_id, org, team, first seen, last seen], ...],
 *    "watchers":[["<org> <cluster id>", agent id], ...]}
 *
 * ctrl_ip, ctrl_mac (lower case; empty for agents known by their address alone) and team_id are what the agent says of itself and together its
 * identity; org and team the numbers it was last told; times are Unix seconds. `watchers`: the one agent of a Kubernetes cluster that reports its objects.
 */
const VERSION = 1;

/** Agents have 16-bit ids, of which the protocol uses these. */
export const MAX_AGENTS = 64_000;
/** When all ids are given out, one that was not seen for so long may be given again. */
const REUSE_AFTER_S = 30 * 86_400;

export interface AgentIdentity {
  readonly ctrlIp: string;
  readonly ctrlMac: string;
  readonly teamId: string;
}

export interface KnownAgent {
  readonly id: number;
  readonly identity: AgentIdentity;
  tenant: AgentTenant;
  readonly firstSeenS: number;
  lastSeenS: number;
}

/** The numbers of all agents, kept over restarts. */
export class AgentIds {
  readonly #byId = new Map<number, KnownAgent>();
  readonly #byKey = new Map<string, KnownAgent>();
  readonly #watchers = new Map<string, number>();
  /** Registrations that are being written: they count when they are on the disk. */
  readonly #pending = new Map<string, Promise<KnownAgent | undefined>>();
  readonly #writer: StateWriter;
  #next = 1;
  #isDirty = false;

  private constructor(path: string) {
    this.#writer = new StateWriter(path, () => this.#content());
  }

  /** Throws SluiceError `format_too_new` and `data_dir_unusable`. */
  static async open(dataDir: string, log: Log): Promise<AgentIds> {
    const path = join(dataDir, 'state', 'agents.json');
    const ids = new AgentIds(path);
    const content = readState(path, VERSION, log);
    if (content !== undefined) ids.#load(content);
    return ids;
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): KnownAgent | undefined {
    return this.#byId.get(id);
  }

  find(identity: AgentIdentity): KnownAgent | undefined {
    return this.#byKey.get(keyOf(identity));
  }

  all(): IterableIterator<KnownAgent> {
    return this.#byId.values();
  }

  /**
   * The agent of this identity, with a new id if it has none; resolves when the id is on the disk. undefined: all ids are taken.
   * Throws SluiceError `data_dir_unusable`; then nothing was given out.
   */
  async register(identity: AgentIdentity, tenant: AgentTenant, nowS: number): Promise<KnownAgent | undefined> {
    const key = keyOf(identity);
    const known = this.#byKey.get(key);
    if (known !== undefined && !this.#pending.has(key)) return known;
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#add(key, { identity, tenant, nowS }).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }

  /** Notes what may change of an agent; written with the next registration, or when closed. */
  seen(agent: KnownAgent, tenant: AgentTenant, nowS: number): void {
    if (agent.tenant.org !== tenant.org || agent.tenant.team !== tenant.team) agent.tenant = tenant;
    agent.lastSeenS = nowS;
    this.#isDirty = true;
  }

  /** The agent of a cluster that reports its objects. */
  watcher(cluster: string): number | undefined {
    return this.#watchers.get(cluster);
  }

  setWatcher(cluster: string, agentId: number | undefined): void {
    if (agentId === undefined) this.#watchers.delete(cluster);
    else this.#watchers.set(cluster, agentId);
    this.#isDirty = true;
  }

  /** Writes what was noted since the last write. */
  async save(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      await this.#writer.save();
    } catch (error) {
      this.#isDirty = true;
      throw error;
    }
  }

  async #add(
    key: string,
    { identity, tenant, nowS }: { identity: AgentIdentity; tenant: AgentTenant; nowS: number },
  ): Promise<KnownAgent | undefined> {
    const id = this.#freeId(nowS);
    if (id === undefined) return undefined;
    const agent: KnownAgent = { id, identity, tenant, firstSeenS: nowS, lastSeenS: nowS };
    const former = this.#byId.get(id);
    this.#put(key, agent);
    try {
      await this.#writer.save();
    } catch (error) {
      this.#byId.delete(id);
      this.#byKey.delete(key);
      if (former !== undefined) this.#put(keyOf(former.identity), former);
      while (this.#next > 1 && !this.#byId.has(this.#next - 1)) this.#next--;
      throw error;
    }
    return agent;
  }

  #put(key: string, agent: KnownAgent): void {
    const former = this.#byId.get(agent.id);
    if (former !== undefined) this.#byKey.delete(keyOf(former.identity));
    this.#byId.set(agent.id, agent);
    this.#byKey.set(key, agent);
    if (agent.id >= this.#next) this.#next = agent.id + 1;
  }

  /** Ids go up; only when there are no more is the one reused whose agent is gone longest. */
  #freeId(nowS: number): number | undefined {
    if (this.#next <= MAX_AGENTS) return this.#next;
    let oldest: KnownAgent | undefined;
    for (const agent of this.#byId.values()) {
      if (oldest === undefined || agent.lastSeenS < oldest.lastSeenS) oldest = agent;
    }
    return oldest !== undefined && nowS - oldest.lastSeenS >= REUSE_AFTER_S ? oldest.id : undefined;
  }

  #content() {
    const agents = [...this.#byId.values()].map(({ id, identity, tenant, firstSeenS, lastSeenS }) => {
      const { ctrlIp, ctrlMac, teamId } = identity;
      return [id, ctrlIp, ctrlMac, teamId, tenant.org, tenant.team, firstSeenS, lastSeenS];
    });
    return { version: VERSION, agents, watchers: [...this.#watchers] };
  }

  #load(content: Readonly<Record<string, unknown>>): void {
    for (const row of listOf(content['agents'])) {
      const [id, ctrlIp, ctrlMac, teamId, org, team, firstSeenS, lastSeenS] = listOf(row);
      if (typeof ctrlIp !== 'string' || typeof ctrlMac !== 'string' || typeof teamId !== 'string') continue;
      const number = Number(id);
      if (!Number.isInteger(number) || number < 1 || number > MAX_AGENTS) continue;
      const identity = { ctrlIp, ctrlMac, teamId };
      const tenant = { org: Number(org), team: Number(team) };
      const agent = { id: number, identity, tenant, firstSeenS: Number(firstSeenS), lastSeenS: Number(lastSeenS) };
      this.#put(keyOf(identity), agent);
    }
    for (const row of listOf(content['watchers'])) {
      const [cluster, id] = listOf(row);
      if (typeof cluster === 'string') this.#watchers.set(cluster, Number(id));
    }
  }
}

function keyOf({ ctrlIp, ctrlMac, teamId }: AgentIdentity): string {
  return `${ctrlIp}\n${ctrlMac}\n${teamId}`;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
