import { FROM_NONE, type RowBlock } from '../../batch/row-block.ts';
import { ValueKind, valueText, type AttributeScan } from './any-value.ts';
import type { Bounds } from './span-fields.ts';

/** What values of spans become on their way into columns. */

const hexBytes = new Uint8Array(64);

/** A number, whatever it was sent as; 0 when it is none. */
export function measureOf(attribute: AttributeScan): number {
  if (attribute.kind === ValueKind.INT) return attribute.int;
  if (attribute.kind === ValueKind.DOUBLE) return attribute.double;
  const text = attribute.string.trim();
  const value = text === '' ? 0 : Number(text);
  return Number.isNaN(value) ? 0 : value;
}

/** A status as an Int32, 0 when it is none. */
export function codeOf(attribute: AttributeScan): number {
  if (attribute.kind === ValueKind.INT) return attribute.low | 0;
  const text = valueText(attribute) ?? '';
  return /^[+-]?\d{1,9}$/.test(text) ? Number(text) : 0;
}

export function startsWithHttp(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= 4 &&
    bytes[start] === 0x68 &&
    bytes[start + 1] === 0x74 &&
    bytes[start + 2] === 0x74 &&
    bytes[start + 3] === 0x70
  );
}

export function isEmpty(block: RowBlock, target: number): boolean {
  const text = block.textOf[target]!;
  return block.spanFrom[text] === FROM_NONE || block.spanStart[text] === block.spanEnd[text];
}

export function setTextOrHex(
  block: RowBlock,
  target: number,
  text: string | undefined,
  bytes: Uint8Array,
  id: Bounds,
): void {
  if (text === undefined) setHex(block, target, bytes, id);
  else block.setText(target, text);
}

/** An id in lower-case hexadecimal. */
export function setHex(block: RowBlock, target: number, bytes: Uint8Array, { start, end }: Bounds): void {
  const size = end - start;
  if (size * 2 > hexBytes.length) return block.setText(target, hexOf(bytes, { start, end }));
  for (let i = 0; i < size; i++) {
    const byte = bytes[start + i]!;
    hexBytes[i * 2] = hexDigit(byte >> 4);
    hexBytes[i * 2 + 1] = hexDigit(byte & 15);
  }
  block.setTextBytes(target, hexBytes, 0, size * 2);
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

export function hexOf(bytes: Uint8Array, { start, end }: Bounds): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('hex');
}

/** What stands behind the host of a URL, as it is there, like `http.target`: '/' when that is nothing, '' for what names no host. As DeepFlow does. */
export function targetOf(url: string): string {
  const scheme = url.indexOf('://');
  if (scheme === -1 || scheme + 3 === url.length) return '';
  const target = url.indexOf('/', scheme + 3);
  return target === -1 ? '/' : url.slice(target);
}
