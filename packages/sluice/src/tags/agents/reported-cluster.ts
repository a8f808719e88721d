import { hash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import type { ClusterReport, ReportedObject } from '../../base/ports.ts';
import { ClusterObjects, type ClusterOptions } from '../cluster-objects.ts';
import { hasMoreValues } from '../json-fields.ts';
import { isObjectKind, objectId, readObject, type ObjectKind } from '../object-kinds.ts';
import type { Slices } from '../slices.ts';

const MOST_OBJECT_BYTES = 4 * 1024 * 1024;
/** Commas and brackets of one object: a pod has some hundreds. */
const MOST_OBJECT_VALUES = 100_000;
/** What new objects of a report may take uncompressed: so much, or so many times what they take compressed. JSON of objects is compressed to a fifth or less. */
const MOST_INFLATED_BYTES = 64 * 1024 * 1024;
const MOST_INFLATION = 20;
/** That of zlib's best case. */
const BEST_INFLATION = 1032;
/** Trimmed objects are small; the memory of an inflate, counted from outside, is what makes the garbage collector run. */
const CHUNK_BYTES = 4096;
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
  /** Bytes that objects of the present report may still take uncompressed. */
  #inflatable = 0;

  constructor(options: ClusterOptions, count: (reason: SkipReason) => void) {
    this.objects = new ClusterObjects(options);
    this.#count = count;
  }

  /** Takes in a report; returns how many of its objects were not looked into, because the report takes too much once it is uncompressed. */
  async take(report: ClusterReport, slices: Slices): Promise<number> {
    const compressed = report.objects.reduce((sum, one) => sum + (one.isCompressed ? one.json.length : 0), 0);
    this.#inflatable = Math.max(MOST_INFLATED_BYTES, compressed * MOST_INFLATION);
    const known = new Map<string, string | undefined>();
    const ids = new Set<string>();
    let leftOut = 0;
    for (const one of report.objects) {
      if (slices.isDue) await slices.pause();
      const kind = kindOf(one.type);
      if (kind === undefined) continue;
      const digest = `${kind} ${hash('sha256', one.json, 'base64')}`;
      if (this.#known.has(digest)) known.set(digest, this.#known.get(digest));
      else if (one.isCompressed && this.#inflatable <= 0) {
        this.#count('limit');
        leftOut++;
      } else this.#read(kind, one, (id) => known.set(digest, id));
      const id = known.get(digest);
      if (id !== undefined) ids.add(id);
    }
    for (const [digest, id] of this.#known) {
      if (id === undefined || ids.has(id)) continue;
      // It may be among those that were not looked into.
      if (leftOut > 0) known.set(digest, id);
      else this.objects.remove(id);
    }
    this.#known = known;
    return leftOut;
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
    try {
      const bytes = isCompressed ? this.#inflate(json) : Buffer.from(json);
      if (bytes.length <= MOST_OBJECT_BYTES && !hasMoreValues(bytes, MOST_OBJECT_VALUES)) {
        return JSON.parse(bytes.toString('utf8')) as unknown;
      }
      this.#count('too_large');
    } catch (error) {
      this.#count(isTooLarge(error) ? 'too_large' : 'malformed');
    }
    return undefined;
  }

  #inflate(json: Uint8Array): Buffer {
    // What fails may have taken as much.
    let taken = Math.min(MOST_OBJECT_BYTES, json.length * BEST_INFLATION);
    try {
      const bytes = inflateSync(json, { maxOutputLength: MOST_OBJECT_BYTES, chunkSize: CHUNK_BYTES });
      taken = bytes.length;
      return bytes;
    } finally {
      this.#inflatable -= taken;
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
