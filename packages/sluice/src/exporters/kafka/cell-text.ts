import type { Cells } from '../cells.ts';
import { ADDRESS } from '../cells.ts';
import { putIpv4, putIpv6, putMac } from '../../base/address-text.ts';
import { isUnspecified } from './cell-json.ts';
import { putFloat, putSigned, putSigned64, putUnsigned, putUnsigned64 } from './digits.ts';

/** Bytes that one value may need that is not a text; a text needs its own length. */
const ROOM = 352;

/** A value as plain text, without quotes and escapes: for keys of messages, names of topics, and hashes over rows. */
export class CellText {
  bytes: Uint8Array = new Uint8Array(1024);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.length + more, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    for (let i = start; i < end; i++) this.bytes[this.length++] = bytes[i]!;
  }

  appendByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length++] = byte;
  }
}

export type AppendText = (to: CellText, row: number) => void;

/** What appends the value of a row; nothing where there is none. Lists have their elements one after the other, each behind its length. */
export function cellText(cells: Cells): AppendText {
  switch (cells.kind) {
    case 'unsigned':
      return numbers(cells.nulls, (bytes, at, row) => putUnsigned(bytes, at, cells.values[row]!));
    case 'signed':
      return numbers(cells.nulls, (bytes, at, row) => putSigned(bytes, at, cells.values[row]!));
    case 'unsigned64':
      return numbers(cells.nulls, (bytes, at, row) =>
        putUnsigned64(bytes, at, cells.words[row * 2]!, cells.words[row * 2 + 1]!),
      );
    case 'signed64':
      return numbers(cells.nulls, (bytes, at, row) =>
        putSigned64(bytes, at, cells.words[row * 2]!, cells.words[row * 2 + 1]!),
      );
    case 'float':
      return numbers(cells.nulls, (bytes, at, row) => {
        const value = cells.values[row]!;
        return Number.isFinite(value) ? putFloat(bytes, at, value) : at;
      });
    case 'ipv4':
      return numbers(cells.nulls, (bytes, at, row) => putIpv4(bytes, at, cells.values[row]!));
    case 'ipv6':
      return numbers(cells.nulls, (bytes, at, row) => putIpv6(bytes, at, cells.bytes, row * 16));
    case 'mac':
      return numbers(undefined, (bytes, at, row) =>
        putMac(bytes, at, cells.words[row * 2]!, cells.words[row * 2 + 1]!),
      );
    case 'text':
      return (to, row) => {
        let start = row === 0 ? 0 : cells.ends[row - 1]!;
        while (cells.bytes[start]! > 127) start++;
        to.append(cells.bytes, start + 1, cells.ends[row]!);
      };
    case 'named':
      return namedText(cells);
    case 'texts':
      return (to, row) => {
        const first = row === 0 ? 0 : cells.ends[row - 1]!;
        const last = cells.ends[row]!;
        if (first < last) {
          to.append(cells.bytes, first === 0 ? 0 : cells.elementEnds[first - 1]!, cells.elementEnds[last - 1]!);
        }
      };
    case 'floats':
      return (to, row) => {
        for (let i = row === 0 ? 0 : cells.ends[row - 1]!; i < cells.ends[row]!; i++) {
          to.reserve(ROOM);
          to.length = putFloat(to.bytes, to.length, cells.values[i]!);
          to.appendByte(0);
        }
      };
  }
}

function numbers(
  nulls: Uint8Array | undefined,
  put: (bytes: Uint8Array, at: number, row: number) => number,
): AppendText {
  return (to, row) => {
    if (nulls?.[row] === 1) return;
    to.reserve(ROOM);
    to.length = put(to.bytes, to.length, row);
  };
}

function namedText({ index, table, nulls, address }: Extract<Cells, { kind: 'named' }>): AppendText {
  return (to, row) => {
    if (nulls?.[row] === 1) return;
    const name = index[row]!;
    if (name !== ADDRESS || address === undefined) {
      const text = table.texts[name];
      if (text !== undefined) to.append(text, 0, text.length);
      return;
    }
    to.reserve(ROOM);
    if (address.isIpv4[row] === 1) to.length = putIpv4(to.bytes, to.length, address.ipv4[row]!);
    else if (!isUnspecified(address.ipv6, row * 16)) {
      to.length = putIpv6(to.bytes, to.length, address.ipv6, row * 16);
    }
  };
}
