import { join } from 'node:path';
import { bug } from '../base/errors.ts';
import type { HttpRoute, Names } from '../base/ports.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TagsOptions } from './config.ts';
import { emptyInventory } from './empty-inventory.ts';
import { Ids } from './ids.ts';
import type { Inventory } from './inventory.ts';
import { OrgInventory } from './org-inventory.ts';
import type { Source } from './source.ts';
import { NO_TARGETS, type TargetTable } from './prometheus-targets/target-table.ts';
import { distinctTails, StaticFile } from './static/static-file.ts';
import { TagNames } from './tag-names.ts';
import { createTagsApi } from './tags-api.ts';

export interface OpenTagsOptions {
  readonly dataDir: string;
  readonly config: TagsOptions;
  /** Accepted organisations; the first one is that of sources that name none. */
  readonly organisations: readonly number[];
  /** Whether hubs agree which of them gives ids (sharing/). */
  readonly sharesIds: boolean;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The tag inventories of all organisations. */
export interface Tags {
  /** What rows of an organisation are tagged by. */
  readonly inventory: (org: number) => Inventory;
  readonly find: (org: number) => OrgInventory | undefined;
  readonly names: Names;
  readonly routes: readonly HttpRoute[];
  /** From now on the source counts for its organisation. */
  add(source: Source): void;
  /** It counts no more, and what it alone described is gone. */
  remove(source: Source): void;
  /** From now on these are the targets of Prometheus servers, for explanations. */
  useTargets(targets: (org: number) => TargetTable): void;
  stop(): Promise<void>;
}

/** Opens the inventories and reads the files of static tags. Throws SluiceError `format_too_new` and `data_dir_unusable`. */
export async function openTags(options: OpenTagsOptions): Promise<Tags> {
  const { dataDir, config, organisations, metrics, log } = options;
  const allocates = options.sharesIds ? 'shared' : config.allocator;
  const inventories = new Map<number, OrgInventory>();
  const find = (org: number) => inventories.get(org);
  const names = new TagNames(find);
  for (const org of organisations) {
    const path = join(dataDir, 'state', 'tags', `${org}.ids`);
    const ids = new Ids({ path, org, allocates, metrics, log });
    inventories.set(org, new OrgInventory({ org, ids, metrics, log, onPublished: () => names.version++ }));
  }
  const add = (source: Source) => (find(source.org) ?? bug(`no organisation ${source.org}`)).add(source);
  let targets: ((org: number) => TargetTable) | undefined;
  const files: StaticFile[] = [];
  const tails = distinctTails(config.files.map(({ path }) => path));
  for (const [index, { path, org = organisations[0] ?? bug('no organisation') }] of config.files.entries()) {
    const file = new StaticFile({ path, name: tails[index], org, log });
    files.push(file);
    await file.start();
    add(file);
  }
  for (const inventory of inventories.values()) await inventory.settle();
  return {
    inventory: (org) => find(org)?.inventory ?? emptyInventory,
    find,
    names,
    routes: createTagsApi({ find, names, targets: (org) => targets?.(org) ?? NO_TARGETS }),
    add,
    remove: (source) => find(source.org)?.remove(source),
    useTargets(used) {
      targets = used;
    },
    async stop() {
      for (const file of files) file.stop();
      for (const inventory of inventories.values()) {
        await inventory.stop();
        inventory.ids.close();
      }
    },
  };
}
