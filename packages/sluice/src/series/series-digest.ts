import { hash as digestOf } from 'node:crypto';

const REMEMBERED_METRICS = 4096;
const NAME_LABEL = Buffer.from('__name__');

/** Digests of canonical label fields, from which the ids of metrics and series are taken. */
export class SeriesDigest {
  readonly #digest: (bytes: Uint8Array) => Uint8Array;
  /** Ids of metric names used lately: new series mostly have a known name. */
  readonly #metricIds = new Map<string, readonly [number, number]>();

  /** `digest`: SHA-256, at least its first 16 bytes. */
  constructor(digest: (bytes: Uint8Array) => Uint8Array = sha256) {
    this.#digest = digest;
  }

  /** The first four words of the digest: the id of the series, and what tells a collision. */
  ofLabels(labels: Uint8Array): readonly [number, number, number, number] {
    return wordsOf(this.#digest(labels));
  }

  /** The id of the metric that these labels name. */
  ofMetric(labels: Uint8Array): readonly [low: number, high: number] {
    const name = metricName(labels);
    const key = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    let id = this.#metricIds.get(key);
    if (id === undefined) {
      const [low, high] = wordsOf(this.#digest(name));
      id = [low, high];
      if (this.#metricIds.size === REMEMBERED_METRICS) this.#metricIds.clear();
      this.#metricIds.set(key, id);
    }
    return id;
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return digestOf('sha256', bytes, 'buffer');
}

function wordsOf(digest: Uint8Array): readonly [number, number, number, number] {
  const word = (at: number): number =>
    (digest[at]! | (digest[at + 1]! << 8) | (digest[at + 2]! << 16) | (digest[at + 3]! << 24)) >>> 0;
  return [word(0), word(4), word(8), word(12)];
}

/** The value of `__name__` in canonical label fields. */
function metricName(fields: Uint8Array): Uint8Array {
  for (let at = 0; at < fields.length;) {
    const [bodyLength, body] = varint(fields, at + 1);
    const [nameLength, name] = varint(fields, body + 1);
    const [valueLength, value] = varint(fields, name + nameLength + 1);
    if (nameLength === NAME_LABEL.length && NAME_LABEL.every((byte, i) => fields[name + i] === byte)) {
      return fields.subarray(value, value + valueLength);
    }
    at = body + bodyLength;
  }
  return fields.subarray(0, 0);
}

function varint(bytes: Uint8Array, at: number): readonly [value: number, end: number] {
  let value = 0;
  let end = at;
  while (bytes[end]! > 127) value |= (bytes[end]! & 127) << (7 * (end++ - at));
  return [value | (bytes[end]! << (7 * (end - at))), end + 1];
}
