import type { Names } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import type { DataSource } from '../catalog/types.ts';
import { cellMaker, type CellMaker, type CellSource } from './cells-of.ts';
import type { Cells } from './cells.ts';
import { Families } from './families.ts';
import { resolveFields } from './fields.ts';
import { nameTablesOf } from './name-tables.ts';
import { compilePick } from './pick-rows.ts';
import { PodLabels } from './pod-labels.ts';
import type { SelectionConfig } from './config-filters.ts';
import type { SelectedField, Selector } from './selection.ts';
import type { Endpoint, HubProcess } from './self-traffic.ts';

export interface SelectorOptions {
  readonly config: SelectionConfig;
  readonly source: DataSource;
  readonly names: Names;
  /** Where the exporter itself sends to, as resolved of late. Asked for each Batch; the same list while nothing changes. */
  readonly endpoints: () => readonly Endpoint[];
  /** Whose traffic is left out besides, where the hub can be told from others. */
  readonly hub?: HubProcess | undefined;
}

/**
 * Applies what one exporter is configured to send to one data source. Throws `config_invalid` for an expression that is none of RE2's; fields and
 * categories that do not exist are passed over: the configuration is checked before.
 */
export function compileSelector(options: SelectorOptions): Selector {
  const { config, source, names, endpoints, hub } = options;
  const resolved = resolveFields(source, config.exportFields);
  const tables = nameTablesOf(names);
  const form = (fields: readonly SelectedField[], translatesNames: boolean): Form => ({
    fields,
    makers: fields.map(({ spec }) => cellMaker(source, spec, { names: translatesNames, enums: config.translateEnums })),
  });
  const plain = form(resolved.plain, false);
  const named = config.translateNames ? form(resolved.named, true) : plain;
  const current = (): Form => (tables.isLoaded ? named : plain);
  const pick = compilePick({ config, source, endpoints, hub });
  const sourceOf = (batch: Batch): CellSource => ({ batch, families: new Families(batch), names: tables });
  const podLabels = resolved.podLabels === undefined ? undefined : new PodLabels(source, names, resolved.podLabels);
  return {
    source,
    get fields(): readonly SelectedField[] {
      return current().fields;
    },
    categories: resolved.categories,
    select: (batch, nowMs) => pick(sourceOf(batch), nowMs),
    cells(batch: Batch): readonly Cells[] {
      const from = sourceOf(batch);
      return current().makers.map((make) => make(from));
    },
    podLabels: (batch) => podLabels?.cells(batch) ?? [],
  };
}

/** Fields with how their values are made. */
interface Form {
  readonly fields: readonly SelectedField[];
  readonly makers: readonly CellMaker[];
}
