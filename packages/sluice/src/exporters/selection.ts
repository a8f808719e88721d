import type { Batch } from '../batch/batch.ts';
import type { ColumnSpec, DataSource } from '../catalog/types.ts';
import type { Cells } from './cells.ts';

/** A field that is exported, in the order of DeepFlow's rows. */
export interface SelectedField {
  readonly spec: ColumnSpec;
  /** Key in a JSON row: `pod_0` where a name takes the place of pod_id_0. */
  readonly jsonKey: string;
  /** Label of a series: `pod_id_0` also then. */
  readonly label: string;
  readonly isMetric: boolean;
  /**
   * A key that DeepFlow writes by mistake (`end_point`, `host_node_id`): the field stands under its right name right behind it. Only JSON rows have such
   * fields.
   */
  readonly isLegacy: boolean;
}

/** Kubernetes labels of the pods of one end of the rows. */
export interface PodLabelCells {
  /** Behind the key: empty, `_0` or `_1`. */
  readonly suffix: '' | '_0' | '_1';
  /** Into `sets`, 0 = none. */
  readonly index: Uint32Array;
  /** A set stays the same object from Batch to Batch: what is made of it can be kept with it. */
  readonly sets: readonly (readonly (readonly [name: string, value: string])[])[];
}

/** The configuration of one exporter applied to one data source. */
export interface Selector {
  readonly source: DataSource;
  /**
   * Read it anew for every Batch, together with `cells`: keys and kinds of values change once names have been loaded. The list itself stays the same
   * object until then, so that what is made of it can be kept with it.
   */
  readonly fields: readonly SelectedField[];
  /** Categories that are switched on (`universal_tag`, `flow_info`, `k8s.label` ...; `metrics` for any of the measured ones). */
  readonly categories: ReadonlySet<string>;
  /** Indexes of the rows that pass, and how many did not, by reason. */
  select(batch: Batch, nowMs: number): { readonly rows: Uint32Array; readonly left: ReadonlyMap<string, number> };
  /** Values of `fields`, in their order. */
  cells(batch: Batch): readonly Cells[];
  podLabels(batch: Batch): readonly PodLabelCells[];
}
