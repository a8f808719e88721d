import type { ColumnSpec } from './types.ts';

/**
 * Short forms for the columns of DeepFlow's tables. Index and codec follow from the type, as DeepFlow has it, unless a column says otherwise; a column
 * is a tag unless its group or itself says otherwise.
 */

/** What a column may say beyond name, type and description. `index: 'none'` takes away the index of the type. */
export type Facts = Partial<Omit<ColumnSpec, 'name' | 'type' | 'description'>>;

type MakeColumn = (name: string, description: string, facts?: Facts) => ColumnSpec;

const indexOf = new Map([
  ['UInt8', 'set(300)'],
  ['UInt16', 'minmax'],
  ['UInt32', 'minmax'],
  ['UInt64', 'minmax'],
  ['Int32', 'minmax'],
  ['Int64', 'minmax'],
  ['Float64', 'minmax'],
  ['IPv4', 'minmax'],
  ['IPv6', 'minmax'],
  ["DateTime('UTC')", 'minmax'],
  ["DateTime64(6, 'UTC')", 'minmax'],
  ['Array(UInt16)', 'minmax'],
]);

const codecOf = new Map([
  ['UInt64', 'T64'],
  ['Int64', 'T64'],
  ['Float64', 'Gorilla'],
  ["DateTime('UTC')", 'DoubleDelta'],
  ["DateTime64(6, 'UTC')", 'DoubleDelta'],
]);

function ofType(type: string): MakeColumn {
  return (name, description, facts = {}) => {
    const { index = indexOf.get(type), codec = codecOf.get(type), ...others } = facts;
    return {
      name,
      type,
      role: 'tag',
      ...(codec === undefined ? {} : { codec }),
      ...(index === undefined || index === 'none' ? {} : { index }),
      description,
      ...others,
    };
  };
}

export const u8 = ofType('UInt8');
export const u16 = ofType('UInt16');
export const u32 = ofType('UInt32');
export const u64 = ofType('UInt64');
export const i32 = ofType('Int32');
export const i64 = ofType('Int64');
export const f64 = ofType('Float64');
export const ip4 = ofType('IPv4');
export const ip6 = ofType('IPv6');
/** Epoch seconds. */
export const seconds = ofType("DateTime('UTC')");
/** Epoch microseconds. */
export const microseconds = ofType("DateTime64(6, 'UTC')");
export const text = ofType('String');
/** Text of few different values. */
export const word = ofType('LowCardinality(String)');
export const texts = ofType('Array(String)');
export const words = ofType('Array(LowCardinality(String))');
export const f64s = ofType('Array(Float64)');
export const u16s = ofType('Array(UInt16)');
export const maybeU8 = ofType('Nullable(UInt8)');
export const maybeI32 = ofType('Nullable(Int32)');
export const maybeU64 = ofType('Nullable(UInt64)');
export const maybeI64 = ofType('Nullable(Int64)');

/** The columns with what they have in common; what a column says itself wins. */
export function group(facts: Facts, columns: readonly ColumnSpec[]): readonly ColumnSpec[] {
  return columns.map((column) => {
    const own = column.role === 'tag' && facts.role !== undefined ? { ...column, role: facts.role } : column;
    return { ...facts, ...own };
  });
}

/** One end's column as `<name>_0` and `<name>_1`, the client's and the server's. */
export function bothSides(column: ColumnSpec): readonly [client: ColumnSpec, server: ColumnSpec] {
  return [
    { ...column, name: `${column.name}_0`, description: `${column.description} of the client`, side: 0 },
    { ...column, name: `${column.name}_1`, description: `${column.description} of the server`, side: 1 },
  ];
}

/** Those that exporters send. */
export function exportable(fields: readonly ColumnSpec[]): readonly ColumnSpec[] {
  return fields.filter((field) => field.exported !== false);
}
