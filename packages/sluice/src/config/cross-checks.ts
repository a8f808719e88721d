import { exposureProblem } from '../http/config.ts';
import { allowProblem, formatHostPort } from './listen.ts';
import type { SluiceConfig } from './schema.ts';
import type { Place, Problem } from './source.ts';

/** Where the value at a path stands. */
export type PlaceOf = (path: readonly string[]) => Place;

/** What no section can see alone. Sections with mistakes of their own are absent. */
export function crossChecks(config: Partial<SluiceConfig>, placeOf: PlaceOf): Problem[] {
  const { listen } = config;
  if (listen === undefined) return [];
  const problems: Problem[] = [];
  const complain = (path: readonly string[], message: string | undefined) => {
    if (message !== undefined) problems.push({ place: placeOf(path), message });
  };
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
