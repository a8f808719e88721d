import type { Column } from '../batch/batch.ts';
import type { Source } from './types.ts';

const TICKS_PER_MS = { s: 0.001, ms: 1, us: 1000, ns: 1_000_000 } as const;

/** Least and greatest time of a table's rows in epoch milliseconds, read from the time column: a 32-bit count or a signed 64-bit one. */
export function timeRange(
  unit: Source['time']['unit'],
  column: Column | undefined,
): { minTime: number; maxTime: number } {
  if (column?.kind !== 'fixed' || column.bytes.length === 0 || (column.width !== 4 && column.width !== 8)) {
    return { minTime: 0, maxTime: 0 };
  }
  const { bytes, width } = column;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let least = Infinity;
  let greatest = -Infinity;
  for (let at = 0; at < bytes.length; at += width) {
    const low = view.getUint32(at, true);
    const ticks = width === 4 ? low : view.getInt32(at + 4, true) * 2 ** 32 + low;
    if (ticks < least) least = ticks;
    if (ticks > greatest) greatest = ticks;
  }
  const scale = TICKS_PER_MS[unit];
  return { minTime: Math.floor(least / scale), maxTime: Math.floor(greatest / scale) };
}

/** Place of the time column among a table's columns, -1 when there is none of that name. */
export function timeColumnOf(source: Source): number {
  return source.columns.findIndex((column) => column.name === source.time.column);
}
