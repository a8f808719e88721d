import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { tlsOptions, type TlsMaterial } from './client-certificates.ts';

interface OpenAgent {
  readonly agent: Agent;
  /** What it was made with; undefined for http. */
  readonly tls: TlsMaterial | undefined;
}

/**
 * One HTTP connection per lane and origin, kept open between requests. With other certificates a lane gets another one; it has no request under way
 * then, as it asks before each.
 */
export class LaneAgents {
  readonly #open = new Map<string, OpenAgent>();

  /** The agent that holds a lane's connection. */
  of(lane: number, { origin, protocol }: URL, material: TlsMaterial | undefined): Agent {
    const key = `${lane} ${origin}`;
    const tls = protocol === 'https:' ? material : undefined;
    const open = this.#open.get(key);
    if (open !== undefined && open.tls === tls) return open.agent;
    open?.agent.destroy();
    const options = { keepAlive: true, maxSockets: 1 };
    const agent =
      protocol === 'https:'
        ? new TlsAgent({ ...options, ...(tls === undefined ? {} : tlsOptions(tls)) })
        : new Agent(options);
    this.#open.set(key, { agent, tls });
    return agent;
  }

  close(): void {
    for (const { agent } of this.#open.values()) agent.destroy();
    this.#open.clear();
  }
}
