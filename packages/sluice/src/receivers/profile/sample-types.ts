import type { SampleType } from './pprof.ts';

/** How the values of one sample type become rows. */
export interface ValueRule {
  /** Number of the value in a sample. */
  readonly value: number;
  readonly eventType: string;
  readonly unit: string;
  /** Counted since the program began: what the profile before it had is to be taken off. */
  readonly isCumulative: boolean;
}

/**
 * What to make of the sample types of a profile. Without a configuration every type is taken under its own name; Pyroscope's clients send one as JSON,
 * which names the types that are wanted:
 *
 *   { "<type>": { "display-name": ..., "units": ..., "cumulative": bool }, ... }
 *
 * Undefined when the configuration cannot be read.
 */
export function valueRules(types: readonly SampleType[], config: Uint8Array | undefined): ValueRule[] | undefined {
  if (config === undefined) {
    return types.map(({ type, unit }, value) => ({ value, eventType: type, unit, isCumulative: false }));
  }
  const wanted = parseConfig(config);
  if (wanted === undefined) return undefined;
  return types.flatMap(({ type, unit }, value) => {
    const rule = wanted.get(type);
    if (!isObject(rule)) return [];
    const eventType = textOr(rule['display-name'], type);
    return [{ value, eventType, unit: textOr(rule['units'], unit), isCumulative: rule['cumulative'] === true }];
  });
}

function parseConfig(config: Uint8Array): ReadonlyMap<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(config));
    return isObject(parsed) ? new Map(Object.entries(parsed)) : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOr(value: unknown, other: string): string {
  return typeof value === 'string' && value !== '' ? value : other;
}
