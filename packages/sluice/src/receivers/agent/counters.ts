import type { Sender } from '../record-decoder.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { MESSAGE_NAMES } from '../../base/message-type.ts';
import type { FrameFault } from './frame.ts';
import type { BodyFault } from './uncompress.ts';

/** What became of a frame. */
export type FrameOutcome =
  | 'taken'
  | 'empty'
  | 'organisation'
  | 'unsupported'
  | 'paused'
  | 'short'
  | 'network'
  | FrameFault
  | BodyFault;

/** Why a connection ended. */
export type CloseReason = 'end' | 'torn' | 'error' | 'memory' | 'stopping' | FrameFault;

/** Agents that have a label of their own in `sluice_agent_faults_total`; there may be 65,536 in each organisation. */
const NAMED_AGENTS = 256;

/** Reasons that are the agent's doing, or that cost it data it counts as sent. */
const faultsOfAgents: ReadonlySet<CloseReason> = new Set(['torn', 'unknown_type', 'bad_size', 'too_large']);

/** Sender of what nobody can be told of but the address. */
export function nobody(address: string): Sender {
  return { org: 0, team: 0, agent: 0, address };
}

/** Counts frames, records and connections of agents, and logs what is wrong at a limited rate. */
export class AgentCounters {
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #complain = rateLimited(10_000);
  readonly #named = new Set<string>();
  readonly #taken: readonly { frames: Count; records: Count; bytes: Count }[];

  constructor(metrics: Metrics, log: Log) {
    this.#metrics = metrics;
    this.#log = log;
    this.#taken = MESSAGE_NAMES.map((type) => ({
      frames: metrics.agentFrames.labels(type, 'taken'),
      records: metrics.agentRecords.labels(type, 'taken'),
      bytes: metrics.agentBytes.labels(type),
    }));
  }

  /** A frame whose records were decoded, `records` of them taken. */
  taken(type: number, bytes: number, records: number): void {
    const counts = this.#taken[type]!;
    counts.frames.inc();
    counts.records.inc(records);
    counts.bytes.inc(bytes);
  }

  /** A frame that was not decoded. */
  notTaken(type: number, bytes: number, outcome: FrameOutcome, sender: Sender): void {
    this.#taken[type]?.bytes.inc(bytes);
    this.#metrics.agentFrames.inc({ type: MESSAGE_NAMES[type] ?? 'unknown', outcome });
    // Nothing is wrong with an agent that sends what this hub has no table for.
    if (outcome !== 'unsupported') this.#fault(type, sender, outcome, 'a frame of an agent was dropped');
  }

  /** Records of a frame that was decoded otherwise. */
  dropped(type: number, reasons: ReadonlyMap<string, number>, sender: Sender): void {
    for (const [reason, count] of reasons) {
      this.#metrics.agentRecords.inc({ type: MESSAGE_NAMES[type]!, outcome: reason }, count);
      this.#fault(type, sender, reason, 'records of an agent were dropped', count);
    }
  }

  /** A decoder failed in a way that it must not. */
  bug(type: number, error: unknown): void {
    this.#complain((suppressed) =>
      this.#log.error({ err: error, type: MESSAGE_NAMES[type], suppressed }, 'BUG: a record could not be decoded'),
    );
  }

  /** A connection that was not accepted. */
  refused(reason: 'network' | 'limit', address: string): void {
    this.#metrics.agentConnectionsTotal.inc({ outcome: reason });
    this.#complain((suppressed) =>
      this.#log.warn({ address, reason, suppressed }, 'a connection of an agent was refused'),
    );
  }

  opened(): void {
    this.#metrics.agentConnections.inc();
    this.#metrics.agentConnectionsTotal.inc({ outcome: 'accepted' });
  }

  /** `sender`: of the frames before. */
  closed(reason: CloseReason, sender: Sender, lostBytes: number): void {
    this.#metrics.agentConnections.dec();
    this.#metrics.agentClosed.inc({ reason });
    if (reason === 'end' || reason === 'stopping') return;
    const { org, agent, address } = sender;
    if (faultsOfAgents.has(reason)) this.#countFault(sender, reason, 1);
    this.#complain((suppressed) =>
      this.#log.warn({ org, agent, address, reason, lostBytes, suppressed }, 'a connection of an agent ended early'),
    );
  }

  #fault(type: number, sender: Sender, reason: string, message: string, count = 1): void {
    const { org, agent, address } = sender;
    this.#countFault(sender, reason, count);
    this.#complain((suppressed) =>
      this.#log.warn({ type: MESSAGE_NAMES[type], org, agent, address, reason, count, suppressed }, message),
    );
  }

  #countFault({ org, agent }: Sender, reason: string, count: number): void {
    const name = `${org}/${agent}`;
    if (this.#named.size < NAMED_AGENTS) this.#named.add(name);
    const labels = this.#named.has(name)
      ? { org: String(org), agent: String(agent) }
      : { org: 'other', agent: 'other' };
    this.#metrics.agentFaults.inc({ ...labels, reason }, count);
  }
}

interface Count {
  inc(count?: number): void;
}
