import type { Located, Place } from './source.ts';

/** Finding values in the tree of a configuration by their path, and naming them. */
export type Path = readonly (string | number)[];

/** The value at a path, or the nearest thing above it. */
export function locate(node: Located | undefined, path: Path): Located | undefined {
  let current = node;
  for (const step of path) {
    const next = child(current, step);
    if (next === undefined) return current;
    current = next;
  }
  return current;
}

/** The value at a path; undefined where nothing is written. */
export function nodeAt(node: Located | undefined, path: Path): Located | undefined {
  let current = node;
  for (const step of path) current = child(current, step);
  return current;
}

/** Where a key stands, or what is above it. */
export function keyPlace(node: Located | undefined, path: Path): Place | undefined {
  const above = locate(node, path.slice(0, -1));
  const key = path.at(-1);
  const entry = above?.kind === 'mapping' && key !== undefined ? above.entries.get(String(key)) : undefined;
  return entry?.place ?? locate(node, path)?.place;
}

export function placeOf(root: Located | undefined, path: Path): Place {
  return locate(root, path)?.place ?? { text: pathText(path), order: 0, inFile: false };
}

/** Nothing is written there, or null. */
export function isAbsent(node: Located | undefined): boolean {
  return node === undefined || (node.kind === 'scalar' && node.value === null);
}

/** `listen.http.addresses[1]`, keys with dots in quotes. */
export function pathText(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      const key = /^[\w-]+$/.test(step) ? step : JSON.stringify(step);
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}

function child(node: Located | undefined, step: string | number): Located | undefined {
  if (node?.kind === 'mapping') return node.entries.get(String(step))?.node;
  return node?.kind === 'list' && typeof step === 'number' ? node.items[step] : undefined;
}
