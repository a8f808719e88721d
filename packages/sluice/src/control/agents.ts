import { SluiceError } from '../base/errors.ts';
import type { AgentTenant } from '../base/ports.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import { MAX_AGENTS, type AgentIdentity, type AgentIds, type KnownAgent } from './agent-ids.ts';
import type { AgentGroup } from './config.ts';
import { exceptionWords } from './exceptions.ts';
import type { AgentFacts, FindGroup } from './groups.ts';
import { identityOf } from './identity.ts';
import type { AgentIdMessage, SyncRequest } from './protocol.ts';

/** The two ends of an agent's connection, as addresses. */
export interface ConnectionEnds {
  readonly local: string;
  readonly remote: string;
}

/** What is known of an agent that asked since the hub's start. */
export interface LiveAgent {
  readonly known: KnownAgent;
  facts: AgentFacts;
  group: AgentGroup;
  about: AgentAbout;
  /** The protocol's number, `State`. */
  state: number;
  /** Where it was last heard from, and when. */
  address: string;
  seenMs: number;
  /** The last thing that it said is wrong. */
  trouble: { readonly words: readonly string[]; readonly description: string; readonly atMs: number } | undefined;
  /** Two hosts that say they are this agent. */
  double: { readonly addresses: readonly [string, string]; readonly atMs: number } | undefined;
  /** Which configuration it was told last, as a checksum, and the address in it. */
  told: { readonly checksum: number; readonly address: string } | undefined;
}

export interface AgentAbout {
  readonly revision: string;
  readonly processName: string;
  readonly arch: string;
  readonly os: string;
  readonly kernelVersion: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kubernetesClusterName: string;
  readonly isInKubernetes: boolean;
  /** It asks its cluster's API server when it is told to. */
  readonly mayWatch: boolean;
  readonly bootTimeS: number;
}

export interface AgentsOptions {
  readonly ids: AgentIds;
  readonly findGroup: FindGroup;
  /** Where agents of a group without an organisation belong. */
  readonly defaultOrg: number;
  readonly log: Log;
  readonly now?: () => number;
}

const MAX_TEXT = 256;
const MAX_DESCRIPTION = 2000;
/** A host that moved is heard from its new address only; two hosts take turns. */
const DOUBLE_WITHIN_MS = 5 * 60_000;

/** The agents that asked since the hub's start, by id. */
export class Agents {
  readonly #ids: AgentIds;
  readonly #defaultOrg: number;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #live = new Map<number, LiveAgent>();
  /** Where each was heard from before its present address: `<address> <boot time>`. */
  readonly #before = new Map<number, { readonly from: string; readonly address: string; readonly atMs: number }>();
  readonly #mayLog = rateLimited(10_000);
  #findGroup: FindGroup;

  constructor(options: AgentsOptions) {
    this.#ids = options.ids;
    this.#findGroup = options.findGroup;
    this.#defaultOrg = options.defaultOrg;
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Takes in what an agent says of itself, and registers it when it is new. Throws SluiceError `bad_request`, `too_many_requests` (no id is left) and
   * `data_dir_unusable` (its id cannot be written).
   */
  async noteSync(request: SyncRequest, ends: ConnectionEnds): Promise<LiveAgent> {
    const identity = identityOf(request, ends.remote);
    const facts = factsOf(request, identity);
    const group = this.#findGroup(facts);
    const tenant = this.tenantOf(group);
    const nowMs = this.#now();
    const known = await this.#ids.register(identity, tenant, Math.floor(nowMs / 1000));
    if (known === undefined) {
      throw new SluiceError(
        'too_many_requests',
        `cannot register the agent ${identity.ctrlIp}: all ${MAX_AGENTS} ids are taken`,
      );
    }
    this.#ids.seen(known, tenant, Math.floor(nowMs / 1000));
    const about = aboutOf(request);
    let agent = this.#live.get(known.id);
    if (agent === undefined || agent.known !== known) {
      agent = {
        known,
        facts,
        group,
        about,
        state: 0,
        address: ends.remote,
        seenMs: nowMs,
        trouble: undefined,
        double: undefined,
        told: undefined,
      };
      this.#live.set(known.id, agent);
      this.#log.info(
        { agent: known.id, host: facts.host, ctrlIp: identity.ctrlIp, group: group.name, revision: about.revision },
        'agent',
      );
    } else {
      this.#watchForDoubles(agent, about, ends.remote);
    }
    // Agents say the same every few seconds: what is kept stays, and does not become garbage among what is old.
    agent.facts = kept(agent.facts, facts);
    agent.group = group;
    agent.about = kept(agent.about, about);
    agent.state = request.state ?? 0;
    agent.address = ends.remote;
    agent.seenMs = nowMs;
    const words = exceptionWords(request.exception);
    if (words.length > 0) {
      agent.trouble = { words, description: cut(request.exception_description, MAX_DESCRIPTION), atMs: nowMs };
    }
    return agent;
  }

  /** The agent that a message other than Sync comes from: by who it says it is, or else by its id. Notes that it was heard from. */
  noteContact(by: AgentIdMessage | undefined, id: number | undefined): LiveAgent | undefined {
    const isNamed = by?.ip !== undefined && by.ip !== '';
    const known = isNamed ? this.#findNamed(by) : id === undefined ? undefined : this.#ids.byId(id);
    const agent = known === undefined ? undefined : this.#live.get(known.id);
    if (agent !== undefined) agent.seenMs = this.#now();
    return agent;
  }

  get(id: number): LiveAgent | undefined {
    return this.#live.get(id);
  }

  all(): IterableIterator<LiveAgent> {
    return this.#live.values();
  }

  tenantOf(group: AgentGroup): AgentTenant {
    return { org: group.org ?? this.#defaultOrg, team: group.team };
  }

  /** Sorts all agents into other groups. */
  setGroups(findGroup: FindGroup): void {
    this.#findGroup = findGroup;
    for (const agent of this.#live.values()) {
      agent.group = findGroup(agent.facts);
      this.#ids.seen(agent.known, this.tenantOf(agent.group), Math.floor(agent.seenMs / 1000));
    }
  }

  #findNamed(by: AgentIdMessage): KnownAgent | undefined {
    const team = by.team_id ?? '';
    const ctrlIp = by.ip ?? '';
    const ctrlMac = (by.mac ?? '').toLowerCase();
    return this.#ids.find({ ctrlIp, ctrlMac, teamId: team }) ?? this.#ids.find({ ctrlIp, ctrlMac: '', teamId: team });
  }

  /** Copies of one machine image, say: the same address and MAC behind two addresses, each with a boot time of its own. */
  #watchForDoubles(agent: LiveAgent, about: AgentAbout, address: string): void {
    if (agent.address === address) return;
    const { id } = agent.known;
    const nowMs = this.#now();
    const before = this.#before.get(id);
    const from = `${address} ${about.bootTimeS}`;
    if (before?.from === from && nowMs - before.atMs < DOUBLE_WITHIN_MS && agent.about.bootTimeS !== about.bootTimeS) {
      const addresses = [agent.address, address] as const;
      agent.double = { addresses, atMs: nowMs };
      this.#mayLog((suppressed) =>
        this.#log.warn(
          { agent: id, addresses, suppressed },
          'two hosts say they are the same agent: they have the same ctrl_ip and ctrl_mac; their data cannot be told apart',
        ),
      );
    }
    this.#before.set(id, { from: `${agent.address} ${agent.about.bootTimeS}`, address: agent.address, atMs: nowMs });
  }
}

/** `KWP_WATCH_DISABLED`: the policy of agents beside others that do nothing but watch. */
const WATCH_DISABLED = 2;

function factsOf(request: SyncRequest, identity: AgentIdentity): AgentFacts {
  return {
    ctrlIp: identity.ctrlIp,
    host: cut(request.host),
    teamId: identity.teamId,
    kubernetesClusterId: cut(request.kubernetes_cluster_id),
    groupId: cut(request.agent_group_id_request),
  };
}

function aboutOf(request: SyncRequest): AgentAbout {
  const signs = [request.kubernetes_cluster_id, request.kubernetes_cluster_md5, request.current_k8s_image];
  return {
    revision: cut(request.revision),
    processName: cut(request.process_name),
    arch: cut(request.arch),
    os: cut(request.os),
    kernelVersion: cut(request.kernel_version),
    cpus: request.cpu_num ?? 0,
    memoryBytes: Number(request.memory_size ?? 0),
    kubernetesClusterName: cut(request.kubernetes_cluster_name),
    isInKubernetes: signs.some((sign) => sign !== undefined && sign !== ''),
    mayWatch: request.kubernetes_watch_policy !== WATCH_DISABLED,
    bootTimeS: request.boot_time ?? 0,
  };
}

/** The former one if both say the same. */
function kept<T extends object>(former: T, now: T): T {
  const before: readonly unknown[] = Object.values(former);
  const after: readonly unknown[] = Object.values(now);
  return before.every((value, index) => value === after[index]) ? former : now;
}

function cut(text: string | undefined, most: number = MAX_TEXT): string {
  return (text ?? '').slice(0, most);
}
