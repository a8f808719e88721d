import type { Interface, Pairs, Resource } from './description.ts';

/**
 * What several sources tell of one resource, as one: each field from the first that has it (they come best first). Addresses are joined: all that any
 * of them names; so are labels and the like, name by name.
 */
export function mergeResources(found: readonly Resource[]): Resource {
  const [first, ...others] = found;
  if (first === undefined) throw new Error('BUG: no resource to merge');
  if (others.length === 0) return first;
  const merged: Record<string, unknown> = { ...first };
  for (const other of others) {
    for (const [field, value] of Object.entries(other)) {
      const own = merged[field];
      if (own === undefined || own === '') merged[field] = value;
      else if (PAIRS.has(field)) merged[field] = joinPairs(own as Pairs, value as Pairs);
      else if (field === 'interfaces') merged[field] = [...(own as Interface[]), ...(value as Interface[])];
      else if (field === 'addresses') merged[field] = [...(own as string[]), ...(value as string[])];
    }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all are of one kind, and each field is of one of them
  return withoutTwins(merged as unknown as Resource);
}

const PAIRS: ReadonlySet<string> = new Set(['labels', 'annotations', 'environment', 'cloudTags', 'appTags']);

function joinPairs(own: Pairs, other: Pairs): Pairs {
  const names = new Set(own.map(([name]) => name));
  const joined = [...own, ...other.filter(([name]) => !names.has(name))];
  return joined.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

/** Each address once: with its interface where one is known, the first of several. */
function withoutTwins(resource: Resource): Resource {
  if (!('interfaces' in resource || 'addresses' in resource)) return resource;
  const seen = new Set<string>();
  const interfaces = resource.interfaces?.map((one) => ({
    ...one,
    addresses: one.addresses.filter(({ ip }) => isFirst(seen, `${one.vpc ?? ''} ${ip}`)),
  }));
  const known = new Set([...seen].map((text) => text.slice(text.indexOf(' ') + 1)));
  const addresses = resource.addresses?.filter((ip) => isFirst(known, ip));
  return {
    ...resource,
    ...(interfaces === undefined ? {} : { interfaces }),
    ...(addresses === undefined ? {} : { addresses }),
  };
}

function isFirst(seen: Set<string>, text: string): boolean {
  if (seen.has(text)) return false;
  seen.add(text);
  return true;
}

/** Whether two descriptions say the same. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    for (let i = 0; i < left.length; i++) if (!isSame(left[i], right[i])) return false;
    return true;
  }
  const fields = Object.keys(left);
  if (fields.length !== Object.keys(right).length) return false;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- plain objects, compared field by field
  const [a, b] = [left, right] as [Record<string, unknown>, Record<string, unknown>];
  return fields.every((field) => isSame(a[field], b[field]));
}
