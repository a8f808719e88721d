import { ADDRESS, type Cells } from '../../../src/exporters/cells.ts';

/** Values as a JSON row spells them: whole numbers beyond 2^53 as BigInt; undefined = the row has no such field. */
export type CellValue = undefined | number | bigint | string | readonly (string | number)[];

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The value of one row. */
export function cellValue(cells: Cells, row: number): CellValue {
  if ('nulls' in cells && cells.nulls?.[row] === 1) return undefined;
  switch (cells.kind) {
    case 'unsigned':
    case 'signed':
    case 'float':
      return cells.values[row]!;
    case 'unsigned64':
      return wide(BigInt.asUintN(64, wordsAt(cells.words, row)));
    case 'signed64':
      return wide(BigInt.asIntN(64, wordsAt(cells.words, row)));
    case 'text':
      return textAt(cells.bytes, cells.ends, row);
    case 'named': {
      const index = cells.index[row]!;
      if (index !== ADDRESS) return decoder.decode(cells.table.texts[index]);
      const { isIpv4, ipv4, ipv6 } = cells.address!;
      return isIpv4[row] !== 0 ? ipv4Text(ipv4[row]!) : ipv6Text(ipv6, row);
    }
    case 'ipv4':
      return ipv4Text(cells.values[row]!);
    case 'ipv6':
      return ipv6Text(cells.bytes, row);
    case 'mac': {
      const hex = wordsAt(cells.words, row).toString(16).padStart(12, '0');
      return hex.match(/../g)!.join(':');
    }
    case 'texts':
      return elements(cells.ends, row).map((at) => textAt(cells.bytes, cells.elementEnds, at));
    case 'floats':
      return elements(cells.ends, row).map((at) => cells.values[at]!);
  }
}

function elements(ends: Uint32Array, row: number): number[] {
  const from = row === 0 ? 0 : ends[row - 1]!;
  return Array.from({ length: ends[row]! - from }, (_, i) => from + i);
}

function textAt(bytes: Uint8Array, ends: Uint32Array, row: number): string {
  let at = row === 0 ? 0 : ends[row - 1]!;
  while (bytes[at]! > 127) at++;
  return decoder.decode(bytes.subarray(at + 1, ends[row]));
}

function wordsAt(words: Uint32Array, row: number): bigint {
  return (BigInt(words[row * 2 + 1]!) << 32n) | BigInt(words[row * 2]!);
}

function wide(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function ipv4Text(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

function ipv6Text(bytes: Uint8Array, row: number): string {
  const part = bytes.subarray(row * 16, row * 16 + 16);
  const groups = Array.from({ length: 8 }, (_, i) => ((part[i * 2]! << 8) | part[i * 2 + 1]!).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
