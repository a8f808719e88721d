/** What the name of a posted profile says. */
export interface ApplicationName {
  readonly service: string;
  /** What was sampled, when the name ends in it. */
  readonly eventType: string | undefined;
  readonly tags: readonly (readonly [name: string, value: string])[];
}

/** What names may end in. Names of applications have dots themselves, so another ending belongs to the name. */
const eventTypes = new Set([
  'cpu',
  'wall',
  'itimer',
  'samples',
  'goroutines',
  'exceptions',
  'contentions',
  'delay',
  'live',
  'alloc_objects',
  'alloc_space',
  'inuse_objects',
  'inuse_space',
  'alloc_in_new_tlab_objects',
  'alloc_in_new_tlab_bytes',
  'alloc_outside_tlab_objects',
  'alloc_outside_tlab_bytes',
  'mutex_count',
  'mutex_duration',
  'block_count',
  'block_duration',
  'lock_count',
  'lock_duration',
]);

/**
 * Reads a name in Pyroscope's syntax:
 *
 *   shop.cpu{env=prod,region=eu}       application . what was sampled { tags }; only the first part has to be there
 */
export function parseApplicationName(text: string): ApplicationName {
  const open = text.indexOf('{');
  const name = (open < 0 ? text : text.slice(0, open)).trim();
  const dot = name.lastIndexOf('.');
  const ending = name.slice(dot + 1);
  const isTyped = dot > 0 && eventTypes.has(ending);
  return {
    service: isTyped ? name.slice(0, dot) : name,
    eventType: isTyped ? ending : undefined,
    tags: open < 0 ? [] : tagsOf(text.slice(open + 1)),
  };
}

function tagsOf(text: string): (readonly [string, string])[] {
  const close = text.lastIndexOf('}');
  const tags: (readonly [string, string])[] = [];
  for (const part of (close < 0 ? text : text.slice(0, close)).split(',')) {
    const equals = part.indexOf('=');
    if (equals < 0) continue;
    const name = part.slice(0, equals).trim();
    if (name !== '') tags.push([name, part.slice(equals + 1).trim()]);
  }
  return tags;
}

/** Undoes the encoding of a query string; a text that is not encoded so stays as it is. */
export function decodeName(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
