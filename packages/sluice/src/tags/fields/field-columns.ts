import { application1m, applicationMap1m } from '../../catalog/application.ts';
import { applicationLog } from '../../catalog/application-log.ts';
import {
  fileAggEvent,
  fileEvent,
  fileMgmtEvent,
  procOpsEvent,
  procPermEvent,
  resourceEvent,
} from '../../catalog/events.ts';
import { deepflowCollector, deepflowServer, externalMetrics } from '../../catalog/external-metrics.ts';
import { l7FlowLog } from '../../catalog/l7-flow-log.ts';
import { inProcessProfile } from '../../catalog/profile.ts';
import type { DataSource } from '../../catalog/types.ts';

/** Where the custom fields of a table's rows stand: indexes of columns, -1 = there is none. */
export interface FieldColumns {
  /** Tells the tables apart. */
  readonly number: number;
  readonly source: DataSource;
  /** What the table is called: this, or the texts of these columns with dots between them. */
  readonly table: string;
  readonly tableColumns: readonly number[];
  readonly time: number;
  readonly vpc: number;
  readonly namespace: number;
  readonly team: number;
  /** Arrays of the same length. */
  readonly names: number;
  readonly values: number;
  /** Array of the names of measurements. */
  readonly metrics: number;
  /** Columns of their own whose values are noted as well, under their names. */
  readonly plain: readonly { readonly name: string; readonly column: number }[];
  /** So many columns of `plain`, the first ones, are those of application and instance: where the pair was noted before, so was each of the two. */
  readonly paired: number;
  /** Application and instance, noted together under the name of this table. */
  readonly application: number;
  readonly instance: number;
  readonly applicationTable: string;
}

interface Chosen {
  readonly source: DataSource;
  readonly table?: string;
  readonly tableColumns?: readonly string[];
  readonly plain?: readonly string[];
  readonly paired?: number;
  readonly applicationTable?: string;
}

/** As DeepFlow names the tables in its dictionaries. */
const CHOSEN: readonly Chosen[] = [
  { source: l7FlowLog, plain: ['app_service', 'app_instance', 'endpoint'], paired: 2, applicationTable: 'l7_flow_log' },
  { source: applicationLog },
  ...[resourceEvent, fileEvent, fileAggEvent, fileMgmtEvent, procPermEvent, procOpsEvent].map((source) => ({ source })),
  ...[externalMetrics, deepflowCollector, deepflowServer].map((source) => ({
    source,
    tableColumns: ['virtual_table_name'],
  })),
  {
    source: inProcessProfile,
    tableColumns: ['profile_language_type', 'profile_event_type'],
    applicationTable: 'in_process',
  },
  { source: application1m, applicationTable: 'application' },
  { source: applicationMap1m, applicationTable: 'application_map' },
];

function columnsOf(
  { source, table, tableColumns, paired = 0, plain, applicationTable }: Chosen,
  number: number,
): FieldColumns {
  const index = (...names: readonly string[]) => source.columns.findIndex(({ name }) => names.includes(name));
  return {
    number,
    source,
    table: table ?? source.table,
    tableColumns: (tableColumns ?? []).map((name) => index(name)),
    time: index(source.time.column),
    vpc: index('l3_epc_id', 'l3_epc_id_0'),
    namespace: index('pod_ns_id', 'pod_ns_id_0'),
    team: index('team_id'),
    names: index('attribute_names', 'tag_names'),
    values: index('attribute_values', 'tag_values'),
    metrics: index('metrics_names', 'metrics_float_names'),
    paired,
    plain: (plain ?? []).map((name) => ({ name, column: index(name) })),
    application: applicationTable === undefined ? -1 : index('app_service'),
    instance: applicationTable === undefined ? -1 : index('app_instance'),
    applicationTable: applicationTable ?? '',
  };
}

/** By data source; others have no custom fields. The labels of Prometheus series stand in their own table. */
export const fieldColumns: ReadonlyMap<DataSource, FieldColumns> = new Map(
  CHOSEN.map((chosen, number) => [chosen.source, columnsOf(chosen, number)]),
);
