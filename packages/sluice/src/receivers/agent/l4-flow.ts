import type { RowBlock } from '../../batch/row-block.ts';
import { l4FlowLog } from '../../catalog/l4-flow-log.ts';
import { outsideWindow } from '../accept-window.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { L4FlowRows } from './l4-flow-rows.ts';
import type { Provinces } from './provinces.ts';

export interface L4FlowDecoderOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
  /** Names of address ranges; absent: `province_*` stays empty. */
  readonly provinces?: Provinces | undefined;
}

/**
 * TAGGEDFLOW: one report of a flow becomes one row of flow_log.l4_flow_log.
 *
 * Dropped are reports that are `malformed`, without the flow, its key or one of its ends (`incomplete`), with an IPv6 address of the wrong length
 * (`bad_address`), `too_old` or `too_new`.
 */
export function createL4FlowDecoder({ target, rowIds, provinces }: L4FlowDecoderOptions): RecordDecoder {
  const rows = new L4FlowRows(provinces);
  const ids = new Uint32Array(2);

  function write(block: RowBlock, bytes: Uint8Array, start: number, end: number): Dropped | undefined {
    return rows.write(block, bytes, start, end) ?? outsideWindow(block, rows.seconds);
  }

  return {
    decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
      const block = target.block(l4FlowLog, sender.org);
      const dropped = write(block, bytes, start, end);
      if (dropped !== undefined) {
        block.abandon();
        return dropped;
      }
      rowIds.next(l4FlowLog, rows.seconds, ids);
      block.setHalves(rows.id, ids[0]!, ids[1]!);
      block.setNumber(rows.team, sender.team);
      block.commit(rows.seconds * 1000);
      return undefined;
    },
  };
}
