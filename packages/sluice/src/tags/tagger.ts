import type { Tagger } from '../base/ports.ts';
import type { RowBlock } from '../batch/row-block.ts';
import type { DataSource } from '../catalog/types.ts';
import { tagDocuments } from './documents.ts';
import { tagEvents } from './events.ts';
import { tagL4FlowLog, tagL7FlowLog } from './flow-logs.ts';
import type { Inventory } from './inventory.ts';
import { Lookup } from './lookup.ts';
import { tagNamedPods } from './named-pods.ts';

type Rule = (lookup: Lookup, block: RowBlock) => void;

const PROCESS_PIDS = ['root_pid_key', 'pid_key', 'ai_root_pid_key', 'parent_pid_key'];

const processEvents: Rule = (lookup, block) => tagEvents(lookup, block, PROCESS_PIDS);

/** Rules by data source, or by database where all its tables have the same. Tables without universal tags are not listed. */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['flow_metrics', tagDocuments],
  ['flow_log.l4_flow_log', tagL4FlowLog],
  ['flow_log.l7_flow_log', tagL7FlowLog],
  ['event', processEvents],
  ['event.event', (lookup, block) => tagEvents(lookup, block, [])],
  ['profile.in_process', (lookup, block) => tagEvents(lookup, block, ['pid_key'])],
  ['ext_metrics.metrics', tagNamedPods],
  ['application_log.log', tagNamedPods],
]);

function ruleOf(source: DataSource): Rule | undefined {
  // Only tables that decoders write have keys to look things up by; roll-ups are made of tagged rows.
  if (source.keys === undefined) return undefined;
  return rules.get(source.id) ?? rules.get(source.database);
}

export interface TaggerOptions {
  /** The inventory of an organisation as it is now. The same object as long as its versions go on. */
  readonly inventory: (org: number) => Inventory;
}

/** Makes the one function that fills in universal tags, whatever the table; blocks of tables without any are left as they are. */
export function createTagger({ inventory }: TaggerOptions): Tagger<RowBlock> {
  const lookups = new Map<number, Lookup>();
  return (block, org) => {
    const rule = ruleOf(block.source);
    if (rule === undefined || block.rows === 0) return;
    const current = inventory(org);
    let lookup = lookups.get(org);
    if (lookup?.inventory !== current) {
      lookup = new Lookup(current);
      lookups.set(org, lookup);
    }
    lookup.begin(block);
    rule(lookup, block);
  };
}
