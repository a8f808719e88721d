import type { z } from 'zod';
import { shown } from '../base/config-schema.ts';
import { nearestHint } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/** The words for what zod finds: "expected A; got B". Handed to safeParse as its error map. */
export function issueText(issue: z.core.$ZodRawIssue): string {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- the rest is worded by the schema or below
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return `expected ${typeName(issue.expected)}; the key is missing`;
      return `expected ${typeName(issue.expected)}; got ${shown(issue.input)}${quoteHint(issue)}`;
    case 'invalid_value':
      return `expected ${oneOf(issue.values)}; got ${shown(issue.input)}${
        typeof issue.input === 'string' ? nearestHint(issue.input, issue.values.map(String)) : ''
      }`;
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'expected a text that is not empty';
      return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${countable(issue)}`;
    case 'too_big':
      return `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${countable(issue)}`;
    case 'invalid_format':
      return `expected a text of the form ${issue.format}; got ${shown(issue.input)}`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}; got ${shown(issue.input)}`;
    case 'invalid_key':
      return 'this key is not one that can stand here';
    default:
      return `${shown(issue.input)} cannot stand here`;
  }
}

/** One complaint: where, and what. `unknownKey` is set for a key that nothing knows. */
export interface Finding {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly unknownKey?: string;
}

/** Resolves unions to the alternative that was meant, and lists of unknown keys to one finding each. `input` is what was validated. */
export function findings(issues: readonly Issue[], input: unknown, base: readonly (string | number)[] = []): Finding[] {
  return issues.flatMap((issue): Finding[] => {
    const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path, unknownKey: key, message: `unknown key ${JSON.stringify(key)}` }));
    }
    if (issue.code === 'invalid_union') return unionFindings(issue, input, path);
    if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
      return issue.issues.length === 0 ? [{ path, message: issue.message }] : findings(issue.issues, input, path);
    }
    return [{ path, message: issue.message }];
  });
}

/** zod's own words for a union that names none. */
const NO_WORDS = 'Invalid input';

function unionFindings(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  input: unknown,
  path: (string | number)[],
): Finding[] {
  const value = valueAt(input, path);
  if ('discriminator' in issue && issue.discriminator !== undefined) {
    const options: unknown = 'options' in issue ? issue.options : undefined;
    const wanted = Array.isArray(options) ? options.filter((option) => typeof option === 'string') : [];
    const hint = typeof value === 'string' ? nearestHint(value, wanted) : '';
    return [{ path, message: `expected ${oneOf(wanted)}; got ${shown(value)}${hint}` }];
  }
  // An alternative whose complaint lies inside the value was meant; one that takes another kind of value was not.
  const inside = issue.errors.filter((errors) => !errors.some((error) => isWrongKind(error)));
  const [only] = inside;
  if (only !== undefined) return findings(only, input, path);
  if (issue.message !== NO_WORDS && !issue.message.endsWith(CANNOT_STAND)) return [{ path, message: issue.message }];
  const wanted = new Set(issue.errors.flat().flatMap((error) => wantedBy(error)));
  return [{ path, message: `expected ${[...wanted].join(' or ')}; got ${shown(value)}` }];
}

const CANNOT_STAND = 'cannot stand here';

function isWrongKind(error: Issue): boolean {
  if (error.path.length > 0) return false;
  return error.code === 'invalid_type' || error.code === 'invalid_value' || isNeverOrInstance(error);
}

function isNeverOrInstance(error: Issue): boolean {
  return error.code === 'custom' && error.message.endsWith(CANNOT_STAND);
}

function wantedBy(error: Issue): string[] {
  if (error.code === 'invalid_type') return [typeName(error.expected)];
  if (error.code === 'invalid_value') return error.values.map(String);
  return [];
}

function valueAt(input: unknown, path: readonly (string | number)[]): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, step)?.value;
  }
  return value;
}

function typeName(expected: string): string {
  switch (expected) {
    case 'string':
      return 'a text';
    case 'number':
      return 'a number';
    case 'int':
      return 'a whole number';
    case 'boolean':
      return 'true or false';
    case 'array':
    case 'tuple':
    case 'set':
      return 'a list';
    case 'object':
    case 'record':
    case 'map':
      return 'a mapping';
    case 'null':
      return 'nothing';
    default:
      return expected;
  }
}

function oneOf(values: readonly z.core.util.Primitive[]): string {
  const names = values.map((value) => (value === null ? 'null' : String(value)));
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} or ${last}`;
}

function quoteHint(issue: z.core.$ZodRawIssue): string {
  const isScalar = typeof issue.input === 'number' || typeof issue.input === 'boolean';
  return issue.code === 'invalid_type' && issue.expected === 'string' && isScalar ? '; write it in quotes' : '';
}

function countable(issue: z.core.$ZodRawIssue): string {
  if ('origin' in issue && issue.origin === 'string') return ` characters; got ${String(issue.input).length}`;
  if (Array.isArray(issue.input)) return ` entries; got ${issue.input.length}`;
  return `; got ${shown(issue.input)}`;
}
