import { fieldsByName } from '../catalog/export-fields.ts';
import type { DataSource } from '../catalog/types.ts';
import { cellMaker, type CellSource } from './cells-of.ts';
import { createColumnTest } from './filter-columns.ts';
import { createMatcher } from './filter-matcher.ts';
import type { FilterGroup, TagFilter } from './config-filters.ts';

/** Whether each row of a Batch passes: 1 or 0. */
export type RowFilter = (from: CellSource) => Uint8Array;

/** Verdicts of one filter on the rows of a Batch, into `verdicts`. */
type FilterTest = (from: CellSource, verdicts: Uint8Array) => void;

/**
 * Filters with the documented meaning: a row passes when one of the groups says so, a group when all or one of its filters do. Stored values are
 * compared, ids and codes, not names. A row that has no value (no such number, no such field in the data source) equals nothing, so that only the
 * negated operators take it. Undefined = no filter at all. Throws `config_invalid` for an expression that is none of RE2's.
 */
export function compileFilters(source: DataSource, groups: readonly FilterGroup[]): RowFilter | undefined {
  const wanted = groups.filter(({ filters }) => filters.length > 0);
  // A group without conditions lets everything pass, as none at all does.
  if (wanted.length < groups.length || groups.length === 0) return undefined;
  const tests = wanted.map((group) => compileGroup(source, group));
  return (from) => {
    const { rows } = from.batch;
    const passes = new Uint8Array(rows);
    const scratch = { group: new Uint8Array(rows), filter: new Uint8Array(rows) };
    for (const [index, test] of tests.entries()) {
      const verdicts = index === 0 ? passes : scratch.group;
      test(from, verdicts, scratch.filter);
      if (index > 0) or(passes, verdicts);
    }
    return passes;
  };
}

function compileGroup(
  source: DataSource,
  { type, filters }: FilterGroup,
): (from: CellSource, verdicts: Uint8Array, scratch: Uint8Array) => void {
  const tests = filters.map((filter) => compileFilter(source, filter));
  const join = type === 'and' ? and : or;
  return (from, verdicts, scratch) => {
    for (const [index, test] of tests.entries()) {
      test(from, index === 0 ? verdicts : scratch);
      if (index > 0) join(verdicts, scratch);
    }
  };
}

function compileFilter(source: DataSource, filter: TagFilter): FilterTest {
  const isNegated = filter.operator.startsWith('!');
  const field = fieldsByName(source).get(filter.field);
  const columnTest = createColumnTest(createMatcher(filter));
  if (field === undefined) return (_, verdicts) => void verdicts.fill(isNegated ? 1 : 0);
  const make = cellMaker(source, field, { names: false, enums: false });
  return (from, verdicts) => {
    columnTest(make(from), verdicts);
    if (isNegated) for (let row = 0; row < verdicts.length; row++) verdicts[row] = 1 - verdicts[row]!;
  };
}

function and(into: Uint8Array, verdicts: Uint8Array): void {
  for (let row = 0; row < into.length; row++) into[row] = into[row]! & verdicts[row]!;
}

function or(into: Uint8Array, verdicts: Uint8Array): void {
  for (let row = 0; row < into.length; row++) into[row] = into[row]! | verdicts[row]!;
}
