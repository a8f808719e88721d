import { isStaleNaN } from './wire/stale-marker.ts';

/**
 * True for a stale marker: a sample or histogram with `stale: true`, or one whose value (sum) still has the exact bits
 * 0x7ff0000000000002. An ordinary NaN is not stale. A bare number loses the bits easily; prefer handing in the sample.
 */
export function isStale(
  point: number | { readonly stale?: boolean | undefined; readonly value?: unknown; readonly sum?: unknown },
): boolean {
  if (typeof point === 'number') return isStaleNaN(point);
  if (point.stale === true) return true;
  if (typeof point.value === 'number') return isStaleNaN(point.value);
  return typeof point.sum === 'number' && isStaleNaN(point.sum);
}
