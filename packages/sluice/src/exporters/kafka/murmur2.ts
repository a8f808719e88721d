const MULTIPLIER = 0x5bd1_e995;
/** Seed of Kafka's clients. */
const SEED = 0x9747_b28c;

/** MurmurHash2 of bytes[0, length), as Kafka's Java client hashes keys: 32 bits, signed. */
export function murmur2(bytes: Uint8Array, length: number = bytes.length, seed: number = SEED): number {
  let hash = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const left = length - at;
  if (left === 3) hash ^= bytes[at + 2]! << 16;
  if (left >= 2) hash ^= bytes[at + 1]! << 8;
  if (left >= 1) hash = Math.imul(hash ^ bytes[at]!, MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The number whose remainder by the partitions is the partition that Kafka's default partitioner gives to a key. */
export function partitionNumber(key: Uint8Array, length: number = key.length): number {
  return murmur2(key, length) & 0x7fff_ffff;
}
