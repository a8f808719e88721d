/** Broken inputs made from good ones. Everything follows from the seed, so a run can be repeated. */
import { readdirSync, readFileSync } from 'node:fs';
import { compressSync, uncompressSync } from 'snappy';
import { fileURLToPath } from 'node:url';

/** Small, fast, seeded generator (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= value < below. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}

export interface SeedFrame {
  /** Uncompressed protobuf message. */
  readonly message: Buffer;
  readonly contentType: string;
}

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** Recorded remote-write requests, uncompressed. */
export function recordedWrites(): SeedFrame[] {
  const frames: SeedFrame[] = [];
  for (const sender of readdirSync(`${fixtures}remote-write`)) {
    for (const file of readdirSync(`${fixtures}remote-write/${sender}`)) {
      if (!file.endsWith('.bin')) continue;
      const headers = readFileSync(
        `${fixtures}remote-write/${sender}/${file.replace('.bin', '.headers.json')}`,
        'utf8',
      );
      if (!headers.includes('snappy')) continue;
      frames.push({
        message: uncompressSync(readFileSync(`${fixtures}remote-write/${sender}/${file}`)) as Buffer,
        contentType: headers.includes('io.prometheus.write.v2.Request')
          ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
          : 'application/x-protobuf',
      });
    }
  }
  return frames;
}

/** Recorded remote-read requests, uncompressed. */
export function recordedReads(): SeedFrame[] {
  const frames: SeedFrame[] = [];
  for (const kind of readdirSync(`${fixtures}remote-read`)) {
    for (const file of readdirSync(`${fixtures}remote-read/${kind}`)) {
      if (!file.endsWith('.request.bin')) continue;
      frames.push({
        message: uncompressSync(readFileSync(`${fixtures}remote-read/${kind}/${file}`)) as Buffer,
        contentType: 'application/x-protobuf',
      });
    }
  }
  return frames;
}

/** A body made from a recorded message: broken before compression, after it, or not a message at all. */
export function brokenBody(random: Random, seeds: readonly SeedFrame[], message: Buffer): Buffer {
  switch (random.below(8)) {
    case 0:
      return mutate(random, compressSync(message));
    case 1:
      return snappyBomb(random);
    case 2:
      return random.bytes(random.below(300));
    case 3: {
      const other = random.pick(seeds).message;
      const cut = random.below(message.length);
      return compressSync(Buffer.concat([message.subarray(0, cut), other.subarray(random.below(other.length))]));
    }
    case 4:
      return compressSync(nested(random));
    default:
      return compressSync(mutate(random, message));
  }
}

/** One to eight small wounds: flipped bits, lying lengths, huge varints, cuts, insertions, repeats. */
export function mutate(random: Random, original: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let wounds = 1 + random.below(8); wounds > 0; wounds--) {
    const at = random.below(bytes.length + 1);
    switch (random.below(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << random.below(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random.below(256);
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(12)), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), random.pick(hugeVarints), bytes.subarray(at)]);
        break;
      case 5:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          random.pick(hugeVarints),
          bytes.subarray(Math.min(bytes.length, at + 1)),
        ]);
        break;
      default: {
        const end = Math.min(bytes.length, at + 1 + random.below(64));
        bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
      }
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

const hugeVarints = [
  Buffer.from('ffffffff0f', 'hex'),
  Buffer.from('ffffffffffffffff7f', 'hex'),
  Buffer.from('ffffffffffffffffff01', 'hex'),
  Buffer.from('ffffffffffffffffffffff01', 'hex'),
  Buffer.from('80808080808080808000', 'hex'),
  Buffer.from('8080808008', 'hex'),
];

/** A block that claims more than it holds, or really expands as far as Snappy can. */
function snappyBomb(random: Random): Buffer {
  if (random.below(2) === 0) return Buffer.concat([random.pick(hugeVarints), random.bytes(random.below(40))]);
  const copies = 1 + random.below(2000);
  const length = 1 + copies * 64;
  const head: number[] = [];
  for (let rest = length; ; rest >>>= 7) {
    if (rest < 128) {
      head.push(rest);
      break;
    }
    head.push((rest & 127) | 128);
  }
  const body = Buffer.alloc(2 + copies * 3);
  body[0] = 0;
  body[1] = 0x0a;
  for (let i = 0; i < copies; i++) body.set([0xfe, 1, 0], 2 + i * 3);
  return Buffer.concat([Buffer.from(head), body]);
}

/** Messages within messages, a thousand deep, or groups that never end. */
function nested(random: Random): Buffer {
  if (random.below(2) === 0) return Buffer.alloc(1 + random.below(5000), 0x0b);
  let inner: Buffer = random.bytes(4);
  for (let depth = random.below(1000); depth > 0 && inner.length < 100_000; depth--) {
    const length: number[] = [];
    for (let rest = inner.length; ; rest >>>= 7) {
      if (rest < 128) {
        length.push(rest);
        break;
      }
      length.push((rest & 127) | 128);
    }
    inner = Buffer.concat([Buffer.from([0x0a]), Buffer.from(length), inner]);
  }
  return inner;
}
