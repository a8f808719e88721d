import type { SelectionConfig } from '../../../src/exporters/config-filters.ts';

/** Everything is exported, but for what is said. */
export function selection(own: Partial<SelectionConfig> = {}): SelectionConfig {
  return {
    exportFields: [],
    filterGroups: [],
    exportEmptyTag: false,
    exportEmptyMetrics: true,
    translateEnums: true,
    translateNames: true,
    includeImportedSpans: true,
    excludeSelfTraffic: false,
    ...own,
  };
}
