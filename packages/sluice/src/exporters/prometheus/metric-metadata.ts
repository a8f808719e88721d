import type { FamilyMetadata } from 'promwrite';
import type { Selector } from '../selection.ts';

/**
 * What is known of the metrics that selectors export, by name. All are gauges: a value is what happened in one interval, not since some start. Of equal
 * names in several data sources the first one's description stands.
 */
export function metadataOf(selectors: Iterable<Selector>, prefix: string): ReadonlyMap<string, FamilyMetadata> {
  const found = new Map<string, FamilyMetadata>();
  for (const { fields } of selectors) {
    for (const { spec, label, isMetric } of fields) {
      const name = prefix + label;
      if (!isMetric || found.has(name)) continue;
      const unit = spec.unit === undefined ? {} : { unit: spec.unit };
      found.set(name, { name, type: 'gauge', help: `${spec.description}, in one interval`, ...unit });
    }
  }
  return found;
}
