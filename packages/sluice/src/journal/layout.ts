import { join } from 'node:path';
import type { PartitionKey } from './types.ts';

/*
 * Where things lie below the data directory:
 *
 *   journal/uuid                                        {"version":1,"uuid":"..."}
 *   journal/<org>/<table>/<writer>/<first row>.native   segment: Native blocks one after the other
 *   journal/<org>/<table>/<writer>/<first row>.index    its index (segment-index.ts)
 *   journal/readers/<name>.cursor                       a reader's place (cursor-file.ts)
 *   quarantine/                                         damaged or refused blocks, each with a .json that says why
 *
 * <first row> is the number of the first row in 16 decimal digits: names sort as rows do.
 */

export const journalFolder = (dataDir: string): string => join(dataDir, 'journal');
export const readersFolder = (dataDir: string): string => join(dataDir, 'journal', 'readers');
export const quarantineFolder = (dataDir: string): string => join(dataDir, 'quarantine');
export const uuidPath = (dataDir: string): string => join(dataDir, 'journal', 'uuid');
export const cursorPath = (dataDir: string, reader: string): string => join(readersFolder(dataDir), `${reader}.cursor`);

/** `1/prometheus.samples/main`: a partition's name in cursors, messages and paths. */
export function partitionId(key: PartitionKey): string {
  return `${key.org}/${key.table}/${key.writer}`;
}

/** The key that `partitionId` wrote, or undefined. */
export function parsePartitionId(id: string): PartitionKey | undefined {
  const match = /^(\d{1,5})\/([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)\/([a-z0-9-]{1,64})$/.exec(id);
  return match === null ? undefined : { org: Number(match[1]), table: match[2]!, writer: match[3]! };
}

export function partitionFolder(dataDir: string, key: PartitionKey): string {
  return join(journalFolder(dataDir), partitionId(key));
}

export interface SegmentPaths {
  readonly data: string;
  readonly index: string;
}

export function segmentPaths(folder: string, firstRow: number): SegmentPaths {
  const stem = join(folder, String(firstRow).padStart(16, '0'));
  return { data: `${stem}.native`, index: `${stem}.index` };
}

/** What a file of a partition's folder is; `foreign` is not ours and stays untouched. */
export function parseSegmentName(
  name: string,
):
  | { readonly kind: 'segment'; readonly firstRow: number }
  | { readonly kind: 'temporary' }
  | { readonly kind: 'foreign' } {
  const match = /^(\d{16})\.(?:native|index)(\.tmp)?$/.exec(name);
  if (match === null) return { kind: 'foreign' };
  if (match[2] !== undefined) return { kind: 'temporary' };
  const firstRow = Number(match[1]);
  return Number.isSafeInteger(firstRow) ? { kind: 'segment', firstRow } : { kind: 'foreign' };
}
