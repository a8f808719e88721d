import { l4Packet } from '../../catalog/l4-packet.ts';
import type { DataSource } from '../../catalog/types.ts';
import { type AcceptWindow, outsideWindow } from '../accept-window.ts';
import { columnIndexes } from '../column-indexes.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowTarget } from '../row-target.ts';

export interface PacketSequenceOptions {
  readonly target: RowTarget;
  readonly accept: (source: DataSource) => AcceptWindow;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/**
 * PACKETSEQUENCE: headers of the packets of a flow, packed by the agent, as a row of flow_log.l4_packet. A record is
 *
 *   0   8  flow id, little-endian
 *   8   8  little-endian; low 56 bits: end in microseconds, high 8 bits: number of packets
 *   16  .. the headers, at least one byte; opaque
 *
 * A batch covers five seconds. Dropped are shorter records (`malformed`), `too_old` and `too_new` ones.
 */
export function createPacketSequenceDecoder({ target, accept, now }: PacketSequenceOptions): RecordDecoder {
  const window = accept(l4Packet);
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
      const endLow = word(bytes, start + 8);
      const last = word(bytes, start + 12);
      const endHigh = last & 0xff_ffff;
      const seconds = secondsOfMicroseconds(endLow, endHigh);
      const outside = outsideWindow(window, seconds, now());
      if (outside !== undefined) return outside;
      const block = target.block(l4Packet, sender.org);
      block.wire = bytes;
      block.setNumber(at.time, seconds);
      block.setHalves(at.start_time, endLow - BATCH_MICROSECONDS, endHigh - (endLow < BATCH_MICROSECONDS ? 1 : 0));
      block.setHalves(at.end_time, endLow, endHigh);
      block.setHalves(at.flow_id, word(bytes, start), word(bytes, start + 4));
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

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Exact for 56 bits: with 10^6 = 2^6 * 15,625, what is divided is below 2^50. */
function secondsOfMicroseconds(low: number, high: number): number {
  return Math.floor((high * 67_108_864 + (low >>> 6)) / 15_625);
}
