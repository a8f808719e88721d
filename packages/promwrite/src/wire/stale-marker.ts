/**
 * The stale marker: a signalling NaN with the bits 0x7ff0000000000002 that ends a series.
 *
 * JavaScript keeps these bits in typed arrays, `DataView`s and object properties, but turns the NaN into a quiet one
 * (0x7ff8000000000002) when it is stored in a plain array or used in arithmetic, and `structuredClone` replaces it with
 * the canonical NaN. Code should therefore carry a flag next to the value and compare or write the two 32-bit halves.
 */

/** Upper 32 bits of the stale marker. */
export const STALE_NAN_HIGH = 0x7ff00000;

/** Lower 32 bits of the stale marker. */
export const STALE_NAN_LOW = 2;

const scratch: DataView = new DataView(new ArrayBuffer(8));

/** Writes the stale marker as a little-endian double at `offset`. */
export function writeStaleNaN(view: DataView, offset: number): void {
  view.setUint32(offset, STALE_NAN_LOW, true);
  view.setUint32(offset + 4, STALE_NAN_HIGH, true);
}

/** True if the little-endian double at `offset` is the stale marker, compared bit for bit. */
export function isStaleNaNAt(view: DataView, offset: number): boolean {
  return view.getUint32(offset, true) === STALE_NAN_LOW && view.getUint32(offset + 4, true) === STALE_NAN_HIGH;
}

/**
 * True if the bits of `value` are exactly those of the stale marker.
 *
 * A marker that went through a plain array or arithmetic has lost its bits and is no longer recognised; prefer the
 * `stale` flag of decoded samples.
 */
export function isStaleNaN(value: number): boolean {
  if (!Number.isNaN(value)) return false;
  scratch.setFloat64(0, value, true);
  return isStaleNaNAt(scratch, 0);
}
