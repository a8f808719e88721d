import { SluiceError } from '../base/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Agents, LiveAgent } from './agents.ts';
import { clusterIdOf } from './cluster-id.ts';
import { answerNtp, NTP_BYTES } from './ntp.ts';
import { expandEntries, type ProcessIds } from './process-ids.ts';
import type { PushStreams } from './push-streams.ts';
import type { Reported, Reporter } from './reported.ts';
import type { AnswerSync, SyncAnswer } from './sync-answer.ts';
import type { Methods } from './synchronizer.ts';

export interface MethodsOptions {
  readonly agents: Agents;
  readonly answer: AnswerSync;
  readonly pushes: PushStreams;
  readonly reported: Reported;
  readonly processes: ProcessIds;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now?: () => number;
}

const MAX_CLUSTER_ID = 128;

/** The methods of agent.Synchronizer. */
export function createMethods(options: MethodsOptions): Methods {
  const { agents, answer, pushes, reported, processes, metrics, log, now = Date.now } = options;
  const nowS = () => Math.floor(now() / 1000);

  return {
    async sync({ message }, ends) {
      const agent = await agents.noteSync(message, ends);
      return tell(agent, answer(agent, ends));
    },

    async push({ message }, ends, stream) {
      const agent = await agents.noteSync(message, ends);
      const { id } = agent.known;
      pushes.open(id, stream);
      // Told something else since it asked: it would ask again only after its own interval.
      const current = answer(agent, ends);
      if (agent.told !== undefined && agent.told.checksum !== current.checksum) {
        stream.send(tell(agent, current));
        metrics.controlPushes.inc();
      }
      log.debug({ agent: id }, 'Push is open');
      return () => pushes.closed(id, stream);
    },

    query({ message }) {
      const response = answerNtp(message.request ?? new Uint8Array(), now());
      if (response === undefined) {
        throw new SluiceError(
          'bad_request',
          `expected an NTP packet of ${NTP_BYTES} bytes; got ${message.request?.length ?? 0}`,
        );
      }
      return { response };
    },

    genesis({ message, bytes }) {
      const agent = agents.noteContact(message.agent_info, message.agent_id);
      // An agent that has not asked for its configuration yet sends all of it again.
      if (agent === undefined) return { version: '0' };
      const version = reported.takeGenesis(reporterOf(agents, agent), message, new Uint8Array(bytes));
      const entries = message.process_data?.process_entries;
      if (entries !== undefined) processes.noteProcesses(agent.known.id, entries, nowS());
      return { version };
    },

    kubernetes({ message, bytes }) {
      const agent = agents.noteContact(undefined, message.agent_id);
      const clusterId = message.cluster_id ?? '';
      if (clusterId === '' || clusterId.length > MAX_CLUSTER_ID) {
        throw new SluiceError(
          'bad_request',
          `expected a cluster_id of 1 to ${MAX_CLUSTER_ID} characters; got ${clusterId.length}`,
        );
      }
      if (agent === undefined) return { version: '0' };
      const error = message.error_msg ?? '';
      if (error !== '') {
        agent.trouble = { words: ['Kubernetes API'], description: error.slice(0, 2000), atMs: now() };
      }
      return { version: reported.takeKubernetes(reporterOf(agents, agent), message, new Uint8Array(bytes)) };
    },

    clusterId({ message }) {
      const id = clusterIdOf(message);
      return id === undefined
        ? { error_msg: 'expected ca_md5 or kubernetes_cluster_name; got neither', cluster_id: '' }
        : { error_msg: '', cluster_id: id };
    },

    async gpid({ message }) {
      const by = { ip: message.ctrl_ip ?? '', mac: message.ctrl_mac ?? '', team_id: message.team_id ?? '' };
      const agent = agents.noteContact(by, message.agent_id);
      if (agent === undefined || message.entries.length === 0) return { entries: [] };
      const entries = expandEntries(message.entries, message.entries_compress_algorithm);
      const before = processes.size;
      const replaced = processes.replacePids(agent.known.id, entries, nowS());
      if (processes.size !== before) reported.noteIds(agent.known.id);
      await processes.reserve(nowS());
      return { entries: replaced };
    },

    remoteExecute(message) {
      agents.noteContact(message.agent_id, undefined);
    },
  };
}

function tell(agent: LiveAgent, told: SyncAnswer): Buffer {
  agent.told = { checksum: told.checksum, address: told.address };
  return told.bytes;
}

function reporterOf(agents: Agents, agent: LiveAgent): Reporter {
  return { agentId: agent.known.id, org: agents.tenantOf(agent.group).org, vpcId: agent.group.vpcId };
}
