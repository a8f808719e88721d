import type { KeySpec } from './types.ts';

/**
 * Key columns: what a message says for the lookup of universal tags and no table stores. A decoder writes them into the RowBlock next to the row, the
 * tagger reads them, and they end there. 0 or '' = the message does not say.
 */

const key = (name: string, type: string, description: string): KeySpec => ({ name, type, description });

const podOf = (suffix: string) =>
  key(`pod_key${suffix}`, 'UInt32', 'Pod id as the message says it; pod_id is what the inventory makes of it');
const macOf = (suffix: string) => key(`mac${suffix}`, 'UInt64', 'MAC address of the end, in the low 48 bits');
const vipOf = (suffix: string) =>
  key(`vip${suffix}`, 'UInt8', '1: the address is a virtual one, so the end is looked up by its MAC');

const observationPoint = key(
  'observation_point_number',
  'UInt8',
  'Number of the observation point (observation-points.ts), cheaper to compare than its name',
);

/** Documents of one end: network.*, application.*. */
export const singleDocumentKeys: readonly KeySpec[] = [macOf(''), podOf(''), observationPoint];

/** Documents of two ends: network_map.*, application_map.*. */
export const pathDocumentKeys: readonly KeySpec[] = [
  macOf('_0'),
  macOf('_1'),
  podOf('_0'),
  podOf('_1'),
  observationPoint,
];

/** l4_flow_log stores its MACs. Its messages know no pods; the keys are there so that all tables of two ends look alike. */
export const l4Keys: readonly KeySpec[] = [vipOf('_0'), vipOf('_1'), podOf('_0'), podOf('_1'), observationPoint];

export const l7Keys: readonly KeySpec[] = [
  macOf('_0'),
  macOf('_1'),
  vipOf('_0'),
  vipOf('_1'),
  podOf('_0'),
  podOf('_1'),
  observationPoint,
  key('is_imported', 'UInt8', '1: a span that came as OTLP, whose VPCs are found by its addresses; 0: captured'),
];

/** Resource events: looked up by the address of the agent alone. */
export const eventKeys: readonly KeySpec[] = [podOf('')];

/** Events of processes: the pod, and the pids by which the process table is asked, in this order; the first that it knows wins. */
export const processEventKeys: readonly KeySpec[] = [
  podOf(''),
  key('root_pid_key', 'UInt32', 'Root of the process tree, as earlier events of the pid told it'),
  key('pid_key', 'UInt32', 'Pid of the process'),
  key('ai_root_pid_key', 'UInt32', 'Root pid as the message says it'),
  key('parent_pid_key', 'UInt32', 'Pid of the parent (fork, exec, exit)'),
];

const podName = key('pod_name_key', 'String', 'Pod name, searched in the cluster of the agent');

/** External metrics: the pod by name, else the address of the agent. */
export const externalMetricKeys: readonly KeySpec[] = [podName];

/** Logs: the pod by name, else the address in ip4 or ip6 if the entry gave one, else that of the agent. */
export const logKeys: readonly KeySpec[] = [podName];

/** Profiles: the pod, and the process by agent and pid. */
export const profileKeys: readonly KeySpec[] = [podOf(''), key('pid_key', 'UInt32', 'Pid of the process')];
