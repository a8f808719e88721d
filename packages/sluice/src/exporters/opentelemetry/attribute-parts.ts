import type { ItemWriter } from '../../delivery/item-writer.ts';
import { putIpv4, putIpv6 } from '../../base/address-text.ts';
import { ADDRESS, type NamedCells } from '../cells.ts';
import { putEncoded, putInt, putPlainText, putText, type AttributeKey } from './attribute-bytes.ts';
import type { OptionalColumn, TextColumn } from './log-columns.ts';

/** Writes what one row has of something, over the columns of one Batch. */
export type Part = (writer: ItemWriter, row: number) => void;

/** The text of a column, if it is not empty. */
export function textPart(key: AttributeKey, column: TextColumn): Part {
  const { bytes } = column;
  return (writer, row) => {
    const start = column.start(row);
    const end = column.end(row);
    if (end > start) putText(writer, key, bytes, start, end);
  };
}

/** A name, if there is one. */
export function namePart(key: AttributeKey, cells: NamedCells): Part {
  const { index } = cells;
  return (writer, row) => {
    if (index[row] !== 0) putName(writer, key, cells, row);
  };
}

/** Writes the name of a row; nothing when it has none. */
export function putName(writer: ItemWriter, key: AttributeKey, cells: NamedCells, row: number): void {
  const at = cells.index[row]!;
  if (at === 0) return;
  if (at !== ADDRESS) {
    const text = cells.table.texts[at]!;
    putPlainText(writer, key, text);
    return;
  }
  if (cells.address === undefined) return;
  const end = putAddress(cells.address, row);
  putPlainText(writer, key, address, end);
}

const address = new Uint8Array(64);

/** The addresses of one end of the rows. */
export interface EndAddresses {
  readonly isIpv4: Uint8Array;
  readonly ipv4: Uint32Array;
  readonly ipv6: Uint8Array;
}

function putAddress({ isIpv4, ipv4, ipv6 }: EndAddresses, row: number): number {
  return isIpv4[row] === 0 ? putIpv6(address, 0, ipv6, row * 16) : putIpv4(address, 0, ipv4[row]!);
}

/** The address, also 0.0.0.0. */
export function addressPart(key: AttributeKey, addresses: EndAddresses): Part {
  return (writer, row) => {
    putPlainText(writer, key, address, putAddress(addresses, row));
  };
}

/** Writes the address unless it is all zeros. */
export function putKnownAddress(writer: ItemWriter, key: AttributeKey, addresses: EndAddresses, row: number): void {
  if (isKnownAddress(addresses, row)) putPlainText(writer, key, address, putAddress(addresses, row));
}

function isKnownAddress({ isIpv4, ipv4, ipv6 }: EndAddresses, row: number): boolean {
  if (isIpv4[row] !== 0) return ipv4[row] !== 0;
  for (let at = row * 16; at < row * 16 + 16; at++) if (ipv6[at] !== 0) return true;
  return false;
}

/** A whole number below 2^32, if it is not 0. */
export function numberPart(key: AttributeKey, values: Uint8Array | Uint16Array | Uint32Array): Part {
  return (writer, row) => {
    const value = values[row]!;
    if (value !== 0) putInt(writer, key, value, 0);
  };
}

/** 64 bits as two words a row, if they are not 0. Above 2^63 they come out negative: OTLP has no other numbers. */
export function longPart(key: AttributeKey, words: Uint32Array): Part {
  return (writer, row) => {
    const low = words[row * 2]!;
    const high = words[row * 2 + 1]!;
    if ((low | high) !== 0) putInt(writer, key, low, high);
  };
}

/** A signed number of 32 bits, where the row has one. */
export function optionalPart(key: AttributeKey, { nulls, values }: OptionalColumn): Part {
  return (writer, row) => {
    if (nulls[row] !== 0) return;
    const value = values[row]! | 0;
    putInt(writer, key, value, value >> 31);
  };
}

/** 64 bits, where the row has them. */
export function optionalLongPart(key: AttributeKey, { nulls, values }: OptionalColumn): Part {
  return (writer, row) => {
    if (nulls[row] === 0) putInt(writer, key, values[row * 2]!, values[row * 2 + 1]!);
  };
}

/** One of a few attributes, encoded beforehand, by a small number; none where there is none for it. */
export function choicePart(
  attributes: readonly (Uint8Array | undefined)[],
  values: Uint8Array | Uint16Array,
  other?: Uint8Array,
): Part {
  return (writer, row) => {
    const attribute = attributes[values[row]!] ?? other;
    if (attribute !== undefined) putEncoded(writer, attribute);
  };
}

export function constantPart(attribute: Uint8Array): Part {
  return (writer) => putEncoded(writer, attribute);
}
