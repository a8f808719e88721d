import { formatHostPort } from '../base/config-schema.ts';
import { organisationProblems } from '../control/config.ts';
import { exposureProblem } from '../http/config.ts';
import { groupServerProblems } from '../tags/config-servers.ts';
import { tagSourceProblems } from '../tags/config.ts';
import { allowProblem } from './listen.ts';
import type { Path } from './locate.ts';
import type { SluiceConfig } from './schema.ts';
import type { Place, Problem } from './source.ts';

/** Where the value at a path stands. */
export type PlaceOf = (path: Path) => Place;

/** What no section can see alone. Sections with mistakes of their own are absent. */
export function crossChecks(config: Partial<SluiceConfig>, placeOf: PlaceOf): Problem[] {
  const problems: Problem[] = [];
  const complain = (path: Path, message: string | undefined) => {
    if (message !== undefined) problems.push({ place: placeOf(path), message });
  };
  complain(['data-dir'], patternProblem(config));
  complain(['storage', 'engine'], nowhereProblem(config));
  const { agents, listen, organisations } = config;
  if (agents !== undefined && organisations !== undefined) {
    for (const { path, message } of organisationProblems(agents, organisations)) complain(path, message);
  }
  if (agents !== undefined) {
    for (const { path, message } of groupServerProblems(agents.groups, agents.groupNames)) complain(path, message);
  }
  if (config.tags !== undefined && organisations !== undefined) {
    for (const { path, message } of tagSourceProblems(config.tags, organisations)) complain(path, message);
  }
  if (listen === undefined) return problems;
  for (const name of ['http', 'integration'] as const) {
    const listener = listen[name];
    if (listener === null || !('auth' in config)) continue;
    complain(['listen', name], exposureProblem(`listen.${name}`, listener, config.auth));
  }
  for (const name of ['agent', 'control'] as const) {
    const listener = listen[name];
    if (listener !== null && listener !== undefined)
      complain(['listen', name], allowProblem(`listen.${name}`, listener));
  }
  const taken = new Map<string, string>();
  for (const name of ['http', 'integration', 'agent', 'control'] as const) {
    for (const address of listen[name]?.addresses ?? []) {
      const text = formatHostPort(address);
      const other = taken.get(text);
      if (address.port !== 0 && other !== undefined) {
        complain(['listen', name], `listen.${name}: the address ${text} is already taken by ${other}`);
      }
      taken.set(text, `listen.${name}`);
    }
  }
  return problems;
}

/** Everything would be acknowledged and thrown away. */
function nowhereProblem({ storage, exporters }: Partial<SluiceConfig>): string | undefined {
  if (storage?.engine !== 'none' || exporters === undefined || exporters.length > 0) return undefined;
  return 'storage.engine: none keeps nothing and no exporter is on, so all data would be acknowledged and thrown away: write an exporter that is on, or another engine';
}

/** What a hub without storage does with what nobody reads. */
export function forwarderNotes({ storage, exporters }: Partial<SluiceConfig>): string[] {
  if (storage?.engine !== 'none' || exporters === undefined || exporters.length === 0) return [];
  const read = new Set(exporters.flatMap((exporter) => exporter.dataSources));
  return [
    `storage.engine: none keeps nothing: only ${[...read].toSorted().join(', ')} is exported, and what comes in for other data sources is taken and thrown away; no query has an answer`,
  ];
}

/** A hub that waits for ids which nobody can tell it. */
export function followerNotes({ storage, tags }: Partial<SluiceConfig>): string[] {
  if (storage === undefined || storage.engine === 'clickhouse' || tags === undefined || tags.allocator) return [];
  return [
    `tags.allocator: off has no hub to learn ids from with storage.engine: ${storage.engine}: resources have the ids that files of static tags give them, all others 0`,
  ];
}

/** The embedded database reads the paths of segments as patterns: it would find no file, or others as well. */
function patternProblem({ dataDir, storage }: Partial<SluiceConfig>): string | undefined {
  if (dataDir === undefined || storage?.engine !== 'chdb' || !/[*?{}]/.test(dataDir)) return undefined;
  return `data-dir: expected a path without * ? { }, which the embedded database takes for a pattern; got ${dataDir}`;
}
