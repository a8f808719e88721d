import type { RowBlock } from '../batch/row-block.ts';
import { endColumns, type EndColumns } from './end-columns.ts';

/** One end of captured traffic: its columns and what it is looked up by. */
export interface TrafficEnd {
  readonly columns: EndColumns;
  readonly tagSource: Uint8Array;
  readonly podKey: Uint32Array;
  /** Two words a row: low, high. */
  readonly mac: Uint32Array;
}

export function trafficEnd(block: RowBlock, suffix: '' | '_0' | '_1'): TrafficEnd {
  const values = (name: string) => block.fixed[block.column(name + suffix)]!;
  return {
    columns: endColumns(block, suffix),
    tagSource: values('tag_source').u8,
    podKey: values('pod_key').u32,
    mac: values('mac').u32,
  };
}
