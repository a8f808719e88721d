import type { RowBlock } from '../batch/row-block.ts';

/** Columns that both ends of a row share, in tables fed by captured traffic. */
export interface RowColumns {
  readonly agent: Uint16Array;
  readonly isIpv4: Uint8Array;
  readonly protocol: Uint8Array;
  readonly serverPort: Uint16Array;
  readonly signalSource: Uint16Array;
  /** Number of the observation point. */
  readonly point: Uint8Array;
}

export function rowColumns(block: RowBlock): RowColumns {
  const values = (name: string) => block.fixed[block.column(name)]!;
  return {
    agent: values('agent_id').u16,
    isIpv4: values('is_ipv4').u8,
    protocol: values('protocol').u8,
    serverPort: values('server_port').u16,
    signalSource: values('signal_source').u16,
    point: values('observation_point_number').u8,
  };
}
