import { hash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import type { ClusterReport, ReportedObject } from '../../base/ports.ts';
import { ClusterObjects, type ClusterOptions } from '../cluster-objects.ts';
import { isObjectKind, objectId, readObject, type ObjectKind } from '../object-kinds.ts';
import type { Slices } from '../slices.ts';

const MOST_OBJECT_BYTES = 4 * 1024 * 1024;
/** Trimmed objects are small; the memory of an inflate, counted from outside, is what makes the garbage collector run. */
const INFLATE = { maxOutputLength: MOST_OBJECT_BYTES, chunkSize: 4096 };
const SETTINGS = { environment: new Set<string>() };

/**
 * The objects of a cluster as an agent reports them: all of them each time, nearly all of them the same as the last time. Those are known by a hash of
 * their bytes and are not looked into again.
 */
export class ReportedCluster {
  readonly objects: ClusterObjects;
  readonly #count: (reason: SkipReason) => void;
  /** Ids of objects by the hash of what was reported; undefined: it is none. */
  #known = new Map<string, string | undefined>();

  constructor(options: ClusterOptions, count: (reason: SkipReason) => void) {
    this.objects = new ClusterObjects(options);
    this.#count = count;
  }

  /** Takes in a report; how many of its objects were new. */
  async take(report: ClusterReport, slices: Slices): Promise<number> {
    const known = new Map<string, string | undefined>();
    const ids = new Set<string>();
    let fresh = 0;
    for (const one of report.objects) {
      const kind = kindOf(one.type);
      if (kind === undefined) continue;
      const digest = `${kind} ${hash('sha256', one.json, 'base64')}`;
      if (this.#known.has(digest)) known.set(digest, this.#known.get(digest));
      else {
        fresh++;
        this.#read(kind, one, (id) => known.set(digest, id));
      }
      const id = known.get(digest);
      if (id !== undefined) ids.add(id);
      if (slices.isDue) await slices.pause();
    }
    for (const id of this.#known.values()) if (id !== undefined && !ids.has(id)) this.objects.remove(id);
    this.#known = known;
    return fresh;
  }

  #read(kind: ObjectKind, { json, isCompressed }: ReportedObject, keep: (id: string | undefined) => void): void {
    const value = this.#parse(json, isCompressed);
    const object = value === undefined ? undefined : readObject(kind, value, SETTINGS);
    if (object === undefined) {
      if (value !== undefined) this.#count('malformed');
      keep(undefined);
      return;
    }
    // There may be room for it the next time.
    if (this.objects.put(object)) keep(objectId(object));
    else this.#count('limit');
  }

  #parse(json: Uint8Array, isCompressed: boolean): unknown {
    if (!isCompressed && json.length > MOST_OBJECT_BYTES) {
      this.#count('too_large');
      return undefined;
    }
    try {
      const bytes = isCompressed ? inflateSync(json, INFLATE) : Buffer.from(json);
      return JSON.parse(bytes.toString('utf8')) as unknown;
    } catch (error) {
      this.#count(isTooLarge(error) ? 'too_large' : 'malformed');
      return undefined;
    }
  }
}

export type SkipReason = 'malformed' | 'too_large' | 'limit';

/** `*v1.Pod` is a Pod; undefined: nothing that tags are made from. */
function kindOf(type: string): ObjectKind | undefined {
  const name = type.slice(type.lastIndexOf('.') + 1);
  return isObjectKind(name) ? name : undefined;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
