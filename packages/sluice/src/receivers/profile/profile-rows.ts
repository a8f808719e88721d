import type { RowBlock } from '../../batch/row-block.ts';
import { inProcessProfile } from '../../catalog/profile.ts';
import { columnIndexes } from '../column-indexes.ts';
import type { RowIds } from '../row-ids.ts';

/** Columns of profile.in_process that are written, by name. */
export const profileColumns = columnIndexes(inProcessProfile, [
  'time',
  '_id',
  'app_service',
  'app_instance',
  'profile_language_type',
  'profile_event_type',
  'profile_value_unit',
  'profile_value',
  'profile_location_str',
  'compression_algo',
  'profile_create_timestamp',
  'process_id',
  'process_start_time',
  'tag_names',
  'tag_values',
  'agent_id',
  'team_id',
  'is_ipv4',
  'ip4',
  'ip6',
  'pod_key',
  'pid_key',
]);

const ids = new Uint32Array(2);

/** Writes the id of a row: second in the high half, agent (14 bits) and counter (18 bits) in the low one. */
export function writeProfileId(block: RowBlock, rowIds: RowIds, seconds: number, agent: number): void {
  rowIds.next(inProcessProfile, seconds, ids);
  block.setHalves(profileColumns['_id'], ((agent & 0x3fff) << 18) | (ids[0]! & 0x3_ffff), ids[1]!);
}

/** Writes an address of 4 bytes, or of 16, of which those that are IPv4 mapped into IPv6 count as IPv4; others say nothing. */
export function writeAddress(block: RowBlock, bytes: Uint8Array, start: number, end: number): void {
  const isMapped = end - start === 16 && isMappedAt(bytes, start);
  const at = isMapped ? start + 12 : start;
  if (end - at === 4) {
    block.setNumber(profileColumns.is_ipv4, 1);
    block.setNumber(
      profileColumns.ip4,
      (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!,
    );
  } else if (end - at === 16) block.setBytes(profileColumns.ip6, bytes, at);
}

/** ::ffff:0:0/96 */
function isMappedAt(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[start + i] !== 0) return false;
  return bytes[start + 10] === 0xff && bytes[start + 11] === 0xff;
}
