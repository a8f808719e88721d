import { formatHostPort } from '../base/config-schema.ts';
import { organisationProblem } from '../control/config.ts';
import { exposureProblem } from '../http/config.ts';
import { allowProblem } from './listen.ts';
import type { SluiceConfig } from './schema.ts';
import type { Place, Problem } from './source.ts';

/** Where the value at a path stands. */
export type PlaceOf = (path: readonly string[]) => Place;

/** What no section can see alone. Sections with mistakes of their own are absent. */
export function crossChecks(config: Partial<SluiceConfig>, placeOf: PlaceOf): Problem[] {
  const problems: Problem[] = [];
  const complain = (path: readonly string[], message: string | undefined) => {
    if (message !== undefined) problems.push({ place: placeOf(path), message });
  };
  complain(['data-dir'], patternProblem(config));
  const { agents, listen, organisations } = config;
  if (agents !== undefined && organisations !== undefined) {
    complain(['agents', 'groups'], organisationProblem(agents, organisations));
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

/** The embedded database reads the paths of segments as patterns: it would find no file, or others as well. */
function patternProblem({ dataDir, storage }: Partial<SluiceConfig>): string | undefined {
  if (dataDir === undefined || storage?.engine !== 'chdb' || !/[*?{}]/.test(dataDir)) return undefined;
  return `data-dir: expected a path without * ? { }, which the embedded database takes for a pattern; got ${dataDir}`;
}
