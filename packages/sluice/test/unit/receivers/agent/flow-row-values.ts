import type { DataSource } from '../../../../src/catalog/types.ts';
import { ipv4Text, ipv6Text, type Row, type RowValue } from '../row-values.ts';
import type { Message } from './flow-definitions.ts';

/** Expected rows, put together by column name. */

/** A row in which nothing is set but these values, numbers cut to their columns' widths. */
export function expectedRow(source: DataSource, values: Readonly<Record<string, RowValue | bigint>>): Row {
  for (const name of Object.keys(values)) {
    if (!source.columns.some((column) => column.name === name)) throw new Error(`${source.id} has no column ${name}`);
  }
  return Object.fromEntries(source.columns.map(({ name, type }) => [name, asColumn(values[name], type)]));
}

function asColumn(value: RowValue | bigint | undefined, type: string): RowValue {
  const wide = typeof value === 'bigint' || typeof value === 'number' ? BigInt(value) : undefined;
  switch (type.replace(/\(.*/, '')) {
    case 'UInt8':
      return Number(BigInt.asUintN(8, wide ?? 0n));
    case 'UInt16':
      return Number(BigInt.asUintN(16, wide ?? 0n));
    case 'UInt32':
    case 'DateTime':
      return Number(BigInt.asUintN(32, wide ?? 0n));
    case 'Int32':
      return Number(BigInt.asIntN(32, wide ?? 0n));
    case 'UInt64':
    case 'DateTime64':
      return String(BigInt.asUintN(64, wide ?? 0n));
    case 'Float64':
      return Number(wide ?? 0n);
    case 'IPv4':
      return typeof value === 'string' ? value : ipv4Text(Number(wide ?? 0n));
    case 'IPv6':
      return typeof value === 'string' ? value : '::';
    case 'Array':
      return Array.isArray(value) ? (value as readonly RowValue[]) : [];
    default:
      return typeof value === 'string' ? value : '';
  }
}

/** A field's number, 0 when absent. */
export function numberOf(message: Message | undefined, field: string): bigint {
  const value = message?.[field] ?? 0;
  if (typeof value !== 'number' && typeof value !== 'string') throw new Error(`${field} is no number`);
  return BigInt(value);
}

export function textOf(message: Message | undefined, field: string): string {
  return (message?.[field] ?? '') as string;
}

export function bytesOf(message: Message | undefined, field: string): Buffer {
  return Buffer.from(textOf(message, field), 'base64');
}

export function messageOf(message: Message | undefined, field: string): Message | undefined {
  return message?.[field] as Message | undefined;
}

/** Address in network order. */
export function addressText(bytes: Buffer): string {
  return bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes);
}

/** VPC ids: negative ones other than -1 and -2 lose all but 16 bits. */
export function vpcOf(value: bigint): bigint {
  return value < -2n ? BigInt.asUintN(16, value) : value;
}

export const pointNames: Readonly<Record<string, string>> = {
  0: 'rest',
  1: 'c',
  2: 's',
  4: 'local',
  9: 'c-nd',
  10: 's-nd',
  17: 'c-hv',
  18: 's-hv',
  25: 'c-gw-hv',
  26: 's-gw-hv',
  33: 'c-gw',
  34: 's-gw',
  41: 'c-p',
  42: 's-p',
  48: 'app',
  49: 'c-app',
  50: 's-app',
};
