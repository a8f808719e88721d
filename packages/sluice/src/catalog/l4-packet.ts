import { agentRows, keptDays } from './agent-rows.ts';
import { microseconds, seconds, text, u32, u64 } from './columns.ts';
import type { DataSource } from './types.ts';
import { agent, team } from './universal-tags.ts';

/** Headers of the packets of a flow, in the agent's own packing, at most five seconds a row. */
export const l4Packet: DataSource = {
  ...agentRows,
  id: 'flow_log.l4_packet',
  database: 'flow_log',
  table: 'l4_packet',
  description: 'Packet headers of flows',
  columns: [
    seconds('time', 'End, in whole seconds', { role: 'time', unit: 's' }),
    microseconds('start_time', 'Begin: five seconds before the end', { unit: 'us' }),
    microseconds('end_time', 'End', { unit: 'us' }),
    u64('flow_id', 'Flow id given by the agent', { role: 'id' }),
    agent,
    u32('packet_count', 'Packets in the batch', { role: 'metric', unit: 'packet' }),
    text('packet_batch', 'Headers, packed', { role: 'text' }),
    team,
  ],
  orderBy: ['time', 'flow_id', 'agent_id'],
  partitionBy: 'hour',
  retention: keptDays(3),
};
