import { bug } from '../base/errors.ts';
import type { Batch } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import type { ColumnSpec, DataSource } from '../catalog/types.ts';
import { ADDRESS, type Cells, type NamedCells } from './cells.ts';
import { columnCells } from './column-cells.ts';
import { columnIndex, columnNamed, uint32Values, uint8Values } from './columns.ts';
import { codeNamesOf, deviceTypes, numberNamesOf } from './enum-names.ts';
import type { Families } from './families.ts';
import { LEAST_SIGNED_ID, type NameTables } from './name-tables.ts';

/** A Batch on its way to be exported, and what its fields share. */
export interface CellSource {
  readonly batch: Batch;
  readonly families: Families;
  readonly names: NameTables;
}

/** Makes the values of one field of a Batch. */
export type CellMaker = (from: CellSource) => Cells;

export interface Translation {
  /** Whether names take the place of ids. */
  readonly names: boolean;
  /** Whether names take the place of codes. */
  readonly enums: boolean;
}

/** How the values of a field are made: text of addresses before names of resources before names of codes before the number that is stored. */
export function cellMaker(source: DataSource, field: ColumnSpec, translation: Translation): CellMaker {
  if (field.name === 'org_id') return ({ batch }) => constant(batch.org, batch.rows);
  if (field.name.startsWith('pod_group_type')) return podGroupType(field, translation);
  const index = columnIndex(source, field.name);
  if (index < 0) return bug(`exporters do not know where ${source.id}.${field.name} comes from`);
  const stored: CellMaker = ({ batch }) => columnCells(batch.columns[index]!, field.type);
  if (field.text === 'mac') {
    return ({ batch }) => ({ kind: 'mac', words: uint32Values(batch.columns[index]!) });
  }
  if (field.type === 'IPv4' || field.type === 'IPv6') return address(field, index);
  if (translation.names && field.universalTag !== undefined) return name(field, index, field.universalTag);
  if (translation.enums && field.enum !== undefined) return enumName(field.enum, stored);
  // Pids are stored as signed numbers, and sent as the unsigned ones that they are.
  if (field.name.startsWith('process_id')) {
    return ({ batch }) => ({ kind: 'unsigned', values: uint32Values(batch.columns[index]!) });
  }
  return stored;
}

function constant(value: number, rows: number): Cells {
  return { kind: 'unsigned', values: new Uint16Array(rows).fill(value) };
}

function address(field: ColumnSpec, index: number): CellMaker {
  if (field.type === 'IPv4') {
    return ({ batch, families }) =>
      nullsOf({ kind: 'ipv4', values: uint32Values(batch.columns[index]!) }, families.withoutIpv4(field.name));
  }
  return ({ batch, families }) =>
    nullsOf({ kind: 'ipv6', bytes: uint8Values(batch.columns[index]!) }, families.withoutIpv6(field.name));
}

function nullsOf<C extends Cells>(cells: C, nulls: Uint8Array | undefined): C {
  return nulls === undefined ? cells : { ...cells, nulls };
}

function name(field: ColumnSpec, index: number, kind: string): CellMaker {
  const end = endOf(field);
  switch (kind) {
    case 'l3_device_type':
    case 'auto_instance_type':
    case 'auto_service_type':
      return ({ batch }) => deviceTypes.cells(uint8Values(batch.columns[index]!), batch.rows);
    case 'l3_device':
      return deviceName(`l3_device_type${end}`, index);
    case 'auto_instance':
      return nameOrAddress(deviceName(`auto_instance_type${end}`, index), `auto_instance_type${end}`, end);
    case 'auto_service':
      return nameOrAddress(deviceName(`auto_service_type${end}`, index), `auto_service_type${end}`, end);
    default:
      return ({ batch, names }) => {
        const known = names.of(batch.org, kind);
        const at = new Uint32Array(batch.rows);
        known.ofIds(idsOf(batch, index, field), at);
        return { kind: 'named', index: at, table: known.table };
      };
  }
}

/** '' where rows have one end, else `_0` or `_1`. */
function endOf(field: ColumnSpec): '' | '_0' | '_1' {
  return field.side === undefined ? '' : `_${field.side}`;
}

/** All of one width: loops over columns of several are several times as slow. */
function idsOf(batch: Batch, index: number, { type }: ColumnSpec): Uint32Array {
  const column = batch.columns[index]!;
  if (type === 'UInt16') return new Uint32Array(valuesOf(column, Uint16Array));
  const ids = uint32Values(column);
  if (type !== 'Int32') return ids;
  const shifted = new Uint32Array(ids.length);
  for (let row = 0; row < ids.length; row++) shifted[row] = ids[row]! - LEAST_SIGNED_ID;
  return shifted;
}

function deviceName(typeColumn: string, index: number): (from: CellSource) => NamedCells {
  return ({ batch, names }) => {
    const known = names.of(batch.org, 'device');
    const at = new Uint32Array(batch.rows);
    known.ofTypedIds(uint8Values(columnNamed(batch, typeColumn)), uint32Values(batch.columns[index]!), at);
    return { kind: 'named', index: at, table: known.table };
  };
}

/** What has no resource goes by its address: kind 0 lies in the Internet, of kind 255 nothing but the address is known. */
function nameOrAddress(named: (from: CellSource) => NamedCells, typeColumn: string, end: string): CellMaker {
  return (from) => {
    const cells = named(from);
    const { batch } = from;
    const types = uint8Values(columnNamed(batch, typeColumn));
    const isIpv4 = uint8Values(columnNamed(batch, 'is_ipv4'));
    const ipv6 = uint8Values(columnNamed(batch, `ip6${end}`));
    const { index } = cells;
    for (let row = 0; row < index.length; row++) {
      const type = types[row]!;
      if (type === 0 || type === 255) index[row] = isIpv4[row] !== 0 || isSet(ipv6, row) ? ADDRESS : 0;
    }
    return { ...cells, address: { isIpv4, ipv4: uint32Values(columnNamed(batch, `ip4${end}`)), ipv6 } };
  };
}

function isSet(ipv6: Uint8Array, row: number): boolean {
  for (let at = row * 16; at < row * 16 + 16; at++) if (ipv6[at] !== 0) return true;
  return false;
}

function enumName(list: string, stored: CellMaker): CellMaker {
  const numbers = numberNamesOf(list);
  if (numbers !== undefined) {
    return (from) => {
      const cells = stored(from);
      if (cells.kind !== 'unsigned') return bug(`the list ${list} names numbers; got ${cells.kind}`);
      return nullsOf(numbers.cells(cells.values, from.batch.rows), cells.nulls);
    };
  }
  const codes = codeNamesOf(list) ?? bug(`there is no list ${list}`);
  return (from) => {
    const cells = stored(from);
    return cells.kind === 'text' ? codes.cells(cells.bytes, cells.ends) : bug(`the list ${list} names texts`);
  };
}

/** Kind of the workload, which the inventory knows and the row does not; none while there is no inventory. */
function podGroupType(field: ColumnSpec, translation: Translation): CellMaker {
  const names = translation.enums ? numberNamesOf('pod_group_type') : undefined;
  return ({ batch, names: tables }) => {
    const groups = uint32Values(columnNamed(batch, `pod_group_id${endOf(field)}`));
    const values = tables.podGroupTypes(batch.org, groups);
    const nulls = tables.isLoaded ? undefined : groups.map((group) => (group === 0 ? 0 : 1));
    const cells: Cells = names?.cells(values, batch.rows) ?? { kind: 'unsigned', values };
    return nullsOf(cells, nulls === undefined ? undefined : Uint8Array.from(nulls));
  };
}
