import { application1m, applicationMap1m } from './application.ts';
import { f64, u64 } from './columns.ts';
import { network1m, networkMap1m } from './network.ts';
import type { ColumnSpec, DataSource } from './types.ts';

/**
 * Tables of flow_metrics for longer intervals, each made of the rows of one minute: those with equal tags become one row. Named as DeepFlow's.
 *
 * Whoever fills them may add a group's rows in any number of pieces, and each piece once: sums over a table's rows equal the sums over the minutes
 * at all times. SummingMergeTree puts pieces together in the background. A hundred tags are no sorting key, so the key is that of the source and, in
 * place of the rest, a hash of all tags: rows with equal keys have equal tags, and the columns not summed are equal as well. `_rows` must never be 0:
 * a row whose sums are all 0 is dropped.
 *
 * Sums are 64 bits wide. Of what DeepFlow averages (the greatest delays, direction_score) the sum is kept as `<column>_sum`; the average is
 * sum(<column>_sum) / sum(_rows), over rows as DeepFlow has it.
 */

export interface RollUp {
  readonly from: DataSource;
  readonly to: DataSource;
  /** Begins at whole hours or days, in UTC. */
  readonly interval: 'hour' | 'day';
  /** One for each column of `to`, in order. */
  readonly columns: readonly RollUpColumn[];
}

export type RollUpColumn =
  /** Begin of the interval that the source column falls into. */
  | { readonly kind: 'time'; readonly from: string; readonly to: string }
  /** Copied; equal for all rows that become one. */
  | { readonly kind: 'group'; readonly from: string; readonly to: string }
  | { readonly kind: 'sum'; readonly from: string; readonly to: string }
  /** Number of source rows. */
  | { readonly kind: 'count'; readonly to: string }
  /** 64 bits over the values of all columns of kind `group`; any hash, as long as one table is filled with one and the same. */
  | { readonly kind: 'hash'; readonly to: string };

const GROUP_COLUMN = '_group';
const ROWS_COLUMN = '_rows';

interface PlannedColumn {
  readonly spec: ColumnSpec;
  readonly plan: RollUpColumn;
}

function plannedColumn(column: ColumnSpec, time: string): PlannedColumn {
  const { name } = column;
  if (name === time) return { spec: column, plan: { kind: 'time', from: name, to: name } };
  if (column.role !== 'metric') return { spec: column, plan: { kind: 'group', from: name, to: name } };
  const to = column.rollUp === 'average' ? `${name}_sum` : name;
  const make = column.type === 'Float64' ? f64 : u64;
  const description = column.rollUp === 'average' ? `Sum of ${name}` : column.description;
  const spec = make(to, description, {
    role: 'metric',
    ...(column.unit === undefined ? {} : { unit: column.unit }),
    ...(column.sub === undefined ? {} : { sub: column.sub }),
  });
  return { spec, plan: { kind: 'sum', from: name, to } };
}

function rollUp(source: DataSource, interval: RollUp['interval']): RollUp {
  const planned = source.columns
    .filter((column) => column.rollUp !== false)
    .map((column) => plannedColumn(column, source.time.column));
  const counted: readonly PlannedColumn[] = [
    {
      spec: u64(ROWS_COLUMN, 'Rows of one minute in this one', { role: 'metric', unit: 'row', index: 'none' }),
      plan: { kind: 'count', to: ROWS_COLUMN },
    },
    {
      spec: u64(GROUP_COLUMN, 'Hash of all tags', { role: 'id', index: 'none', codec: 'NONE' }),
      plan: { kind: 'hash', to: GROUP_COLUMN },
    },
  ];
  const all = [...planned, ...counted];
  const suffix = interval === 'hour' ? '1h' : '1d';
  const renamed = (text: string) => text.replace(/1m$/, suffix);
  const { keys: _, exportFields: __, ...rest } = source;
  return {
    from: source,
    interval,
    columns: all.map(({ plan }) => plan),
    to: {
      ...rest,
      id: renamed(source.id),
      table: renamed(source.table),
      description: source.description.replace(/minute$/, interval),
      columns: all.map(({ spec }) => spec),
      engine: {
        kind: 'SummingMergeTree',
        sums: all.filter(({ plan }) => plan.kind === 'sum' || plan.kind === 'count').map(({ spec }) => spec.name),
      },
      orderBy: [...source.orderBy, GROUP_COLUMN],
      partitionBy: interval === 'hour' ? 'week' : 'month',
      retention: { days: 30, extraHours: 0 },
    },
  };
}

export const networkByHour = rollUp(network1m, 'hour');
export const networkByDay = rollUp(network1m, 'day');
export const networkMapByHour = rollUp(networkMap1m, 'hour');
export const networkMapByDay = rollUp(networkMap1m, 'day');
export const applicationByHour = rollUp(application1m, 'hour');
export const applicationByDay = rollUp(application1m, 'day');
export const applicationMapByHour = rollUp(applicationMap1m, 'hour');
export const applicationMapByDay = rollUp(applicationMap1m, 'day');

export const rollUps: readonly RollUp[] = [
  networkByHour,
  networkByDay,
  networkMapByHour,
  networkMapByDay,
  applicationByHour,
  applicationByDay,
  applicationMapByHour,
  applicationMapByDay,
];
