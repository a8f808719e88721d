import { l4Packet } from '../../catalog/l4-packet.ts';
import { outsideWindow } from '../accept-window.ts';
import { columnIndexes } from '../column-indexes.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowTarget } from '../row-target.ts';
import { readU32 } from './frame.ts';

/**
 * PACKETSEQUENCE: headers of the packets of a flow, packed by the agent, as a row of flow_log.l4_packet. A record is
 *
 *   0   8  flow id, little-endian
 *   8   8  little-endian; low 56 bits: end in microseconds, high 8 bits: number of packets
 *   16  .. the headers, at least one byte; opaque
 *
 * A batch covers five seconds. Dropped are shorter records (`malformed`), `too_old` and `too_new` ones.
 */
export function createPacketSequenceDecoder({ target }: { readonly target: RowTarget }): RecordDecoder {
  const at = columnIndexes(l4Packet, [
    'time',
    'start_time',
    'end_time',
    'flow_id',
    'agent_id',
    'packet_count',
    'packet_batch',
    'team_id',
  ]);
  return {
    decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
      if (end - start <= HEAD_BYTES) return 'malformed';
      const endLow = readU32(bytes, start + 8);
      const last = readU32(bytes, start + 12);
      const endHigh = last & 0xff_ffff;
      const seconds = secondsOfMicroseconds(endLow, endHigh);
      const block = target.block(l4Packet, sender.org);
      const outside = outsideWindow(block, seconds);
      if (outside !== undefined) return outside;
      block.wire = bytes;
      block.setNumber(at.time, seconds);
      block.setHalves(at.start_time, endLow - BATCH_MICROSECONDS, endHigh - (endLow < BATCH_MICROSECONDS ? 1 : 0));
      block.setHalves(at.end_time, endLow, endHigh);
      block.setHalves(at.flow_id, readU32(bytes, start), readU32(bytes, start + 4));
      block.setNumber(at.agent_id, sender.agent);
      block.setNumber(at.packet_count, last >>> 24);
      block.setTextBytes(at.packet_batch, bytes, start + HEAD_BYTES, end);
      block.setNumber(at.team_id, sender.team);
      block.commit(seconds * 1000);
      return undefined;
    },
  };
}

const HEAD_BYTES = 16;
const BATCH_MICROSECONDS = 5_000_000;

/** Exact for 56 bits: with 10^6 = 2^6 * 15,625, what is divided is below 2^50. */
function secondsOfMicroseconds(low: number, high: number): number {
  return Math.floor((high * 67_108_864 + (low >>> 6)) / 15_625);
}
