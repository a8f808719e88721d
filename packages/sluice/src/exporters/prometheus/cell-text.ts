import { isUtf8 } from 'node:buffer';
import { writeDecimal } from '../../batch/decimal.ts';
import { ADDRESS, type Cells, type NamedCells } from '../cells.ts';
import { putIpv4, putIpv6, putMac } from '../../base/address-text.ts';

/** Room that any value takes at most which is no text: 45 for an address, 24 for a number. */
const SHORT = 48;

const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

/** Whether the row has a value at all. */
export function hasValue(cells: Cells, row: number): boolean {
  return !('nulls' in cells) || cells.nulls === undefined || cells.nulls[row] === 0;
}

/** Most bytes that the text of the row's value can take. */
export function textRoom(cells: Cells, row: number): number {
  if (cells.kind === 'named') {
    const index = cells.index[row]!;
    return index === ADDRESS ? SHORT : cells.table.texts[index]!.length;
  }
  // What is no UTF-8 becomes three bytes each.
  return cells.kind === 'text' ? (cells.ends[row]! - (row === 0 ? 0 : cells.ends[row - 1]!)) * 3 : SHORT;
}

/** Writes the value of a row as text at `at`, where there is room for it; answers where it ends. Lists have no text. */
export function putCell(cells: Cells, row: number, out: Uint8Array, at: number): number {
  switch (cells.kind) {
    case 'named':
      return putNamed(cells, row, out, at);
    case 'unsigned':
      return writeDecimal(out, at, cells.values[row]!, 0);
    case 'signed': {
      const value = cells.values[row]!;
      if (value >= 0) return writeDecimal(out, at, value, 0);
      out[at] = 0x2d;
      return writeDecimal(out, at + 1, -value, 0);
    }
    case 'unsigned64':
      return writeDecimal(out, at, cells.words[row * 2]!, cells.words[row * 2 + 1]!);
    case 'signed64': {
      const low = cells.words[row * 2]!;
      const high = cells.words[row * 2 + 1]!;
      if (high < 0x8000_0000) return writeDecimal(out, at, low, high);
      out[at] = 0x2d;
      const negated = -low >>> 0;
      return writeDecimal(out, at + 1, negated, (~high + (negated === 0 ? 1 : 0)) >>> 0);
    }
    case 'text':
      return putText(cells.bytes, row === 0 ? 0 : cells.ends[row - 1]!, cells.ends[row]!, { out, at });
    case 'ipv4':
      return putIpv4(out, at, cells.values[row]!);
    case 'ipv6':
      return putIpv6(out, at, cells.bytes, row * 16);
    case 'mac':
      return putMac(out, at, cells.words[row * 2]!, cells.words[row * 2 + 1]!);
    case 'float':
      return putAscii(out, at, String(cells.values[row]!));
    case 'texts':
    case 'floats':
      return at;
  }
}

function putNamed(cells: NamedCells, row: number, out: Uint8Array, at: number): number {
  const index = cells.index[row]!;
  if (index === ADDRESS) {
    const address = cells.address!;
    // Without an address of either family there is nothing to write.
    return address.isIpv4[row] === 1 ? putIpv4(out, at, address.ipv4[row]!) : putIpv6(out, at, address.ipv6, row * 16);
  }
  const text = cells.table.texts[index]!;
  for (let i = 0; i < text.length; i++) out[at + i] = text[i]!;
  return at + text.length;
}

/** A text with its length in front. Receivers refuse whole requests for one byte that is no UTF-8: such become U+FFFD. */
function putText(bytes: Uint8Array, start: number, end: number, { out, at }: { out: Uint8Array; at: number }): number {
  let from = start;
  while (bytes[from]! > 127) from++;
  from++;
  let all = 0;
  for (let i = from; i < end; i++) {
    const byte = bytes[i]!;
    all |= byte;
    out[at + i - from] = byte;
  }
  if (all < 128) return at + end - from;
  const text = bytes.subarray(from, end);
  if (isUtf8(text)) return at + end - from;
  const mended = Buffer.from(lossy.decode(text));
  out.set(mended, at);
  return at + mended.length;
}

function putAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}
