import { textTable } from '../base/text-table.ts';

/** An agent as `GET /api/v1/agents` lists it. Times are ISO 8601; fields of what is not known are absent. */
export interface AgentListing {
  readonly id: number;
  readonly org: number;
  readonly team: number;
  /** `data only`: it never asked here for its configuration. */
  readonly state: 'online' | 'offline' | 'data only';
  readonly ctrl_ip?: string;
  readonly ctrl_mac?: string;
  readonly team_id?: string;
  readonly first_seen?: string;
  readonly last_seen?: string;
  readonly host?: string;
  readonly group?: string;
  readonly agent_type?: string;
  readonly vpc_id?: number;
  readonly revision?: string;
  readonly process_name?: string;
  readonly arch?: string;
  readonly os?: string;
  readonly kernel_version?: string;
  readonly cpus?: number;
  readonly memory_bytes?: number;
  readonly boot_time?: string;
  readonly kubernetes_cluster_id?: string;
  readonly kubernetes_cluster_name?: string;
  /** What the agent says of its own state. */
  readonly agent_state?: string;
  /** Where its requests come from. */
  readonly address?: string;
  readonly push_open?: boolean;
  /** Where it was told to send to. */
  readonly told_address?: string;
  /** The last thing that it said is wrong, and when. */
  readonly exceptions?: readonly string[];
  readonly exception_description?: string;
  readonly exceptions_at?: string;
  /** Two hosts that say they are this agent. */
  readonly same_identity_from?: readonly string[];
  readonly same_identity_at?: string;
  readonly data?: {
    readonly address: string;
    readonly last_seen: string;
    readonly rows: number;
    readonly bytes: number;
    readonly rows_per_second: number;
  };
}

const COLUMNS = ['ID', 'HOST', 'ADDRESS', 'GROUP', 'STATE', 'REVISION', 'CONTROL', 'DATA', 'ROWS/S', 'SAYS'];
const MAX_CELL = 40;

/** The list as a table for a terminal; `nowMs` is what ages are told from. */
export function agentTable(agents: readonly AgentListing[], nowMs: number): string {
  const rows = agents.map((agent) => [
    String(agent.id),
    agent.host ?? '-',
    agent.ctrl_ip ?? agent.data?.address ?? '-',
    agent.group ?? '-',
    agent.state,
    shortRevision(agent.revision),
    age(agent.last_seen, nowMs),
    age(agent.data?.last_seen, nowMs),
    agent.data === undefined ? '-' : String(agent.data.rows_per_second),
    says(agent, nowMs),
  ]);
  return textTable(COLUMNS, rows, MAX_CELL);
}

function says(agent: AgentListing, nowMs: number): string {
  const said = [
    ...(agent.exceptions === undefined || agent.exceptions.length === 0
      ? []
      : [`${agent.exceptions.join(', ')} (${age(agent.exceptions_at, nowMs)} ago)`]),
    ...(agent.same_identity_from === undefined ? [] : ['another host has its identity']),
  ];
  return said.length === 0 ? '-' : said.join('; ');
}

/** `main 1-f5261c945ff3ca85...` as `main 1-f5261c94`. */
function shortRevision(revision: string | undefined): string {
  if (revision === undefined || revision === '') return '-';
  return revision.replace(/([\da-f]{8})[\da-f]{8,}/, '$1');
}

function age(time: string | undefined, nowMs: number): string {
  const at = Date.parse(time ?? '');
  if (Number.isNaN(at)) return '-';
  const seconds = Math.max(0, Math.round((nowMs - at) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}
