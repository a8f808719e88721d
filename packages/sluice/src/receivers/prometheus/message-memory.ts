import { zstdDecompressSync } from 'node:zlib';
import { SluiceError, bug } from '../../base/errors.ts';
import { BLOCK_BYTES, type LinearMemory } from '../../base/linear-memory.ts';
import { SampleStage } from '../../base/sample-stage.ts';
import type { ExtraLabels } from './extra-labels.ts';
import { type LabelFunctions, labelFunctions } from './label-code.ts';
import { OUTPUT_SLACK, type UncompressElements, uncompressElements, writeTable } from './snappy-code.ts';

/** Bytes of the scratch place. */
export const SCRATCH_BYTES = BLOCK_BYTES / 2;

/** Snappy cannot make a body smaller than a 22nd. */
const MAX_RATIO = 22;
const RATIO_SLACK = 64;

/**
 * Where messages are uncompressed and decoded, one at a time: decoding is synchronous and copies what it keeps, so one place, used again and again,
 * serves all requests. Fresh memory for each body would cost more in page faults than uncompressing does.
 */
export class MessageMemory {
  readonly memory: LinearMemory;
  /** Where the message is. */
  start = 0;
  end = 0;
  /** Where the message's samples are gathered. */
  readonly stage: SampleStage;
  /** A place for SCRATCH_BYTES bytes beside the message. */
  readonly scratch: number;
  /** A place beside that for the canonical labels of one series. */
  readonly canonical: number;
  readonly labels: LabelFunctions;
  readonly #table: number;
  readonly #uncompress: UncompressElements;
  readonly #input: Region;
  readonly #output: Region;

  constructor(memory: LinearMemory) {
    this.memory = memory;
    this.stage = new SampleStage(memory);
    const block = memory.allocate();
    if (block === 0) bug('the memory is new; expected room for a block');
    this.#table = block;
    this.scratch = block + 4096;
    this.canonical = this.scratch + SCRATCH_BYTES;
    this.labels = labelFunctions(memory);
    writeTable(memory, this.#table);
    this.#uncompress = uncompressElements(memory);
    this.#input = new Region(memory);
    this.#output = new Region(memory);
  }

  /** A message as it is. */
  place(message: Uint8Array): void {
    const at = this.#output.reserve(message.length);
    this.memory.bytes.set(message, at);
    this.start = at;
    this.end = at + message.length;
  }

  /** A body in Snappy block format. Throws SluiceError `bad_request` for a corrupt one and for one that declares more than `limit` bytes. */
  placeSnappy(body: Uint8Array, limit: number): void {
    let declared = 0;
    let at = 0;
    for (; at < 5; at++) {
      if (at >= body.length) throw corrupt('its length is cut off');
      const byte = body[at]!;
      declared += (byte & 127) * 2 ** (7 * at);
      if (byte < 128) break;
    }
    if (at === 5 || declared > 0xffffffff) throw corrupt('its length is no 32-bit number');
    at++;
    if (declared > limit) throw tooLarge(`it declares ${declared} bytes`, limit);
    if (declared > MAX_RATIO * body.length + RATIO_SLACK) {
      throw corrupt(`it declares ${declared} bytes; ${body.length} bytes cannot hold so many`);
    }
    const output = this.#output.reserve(declared);
    const input = this.#input.reserve(body.length);
    this.memory.bytes.set(body, input);
    if (this.#uncompress(input + at, input + body.length, output, output + declared, this.#table) !== 1) {
      throw corrupt(`it does not hold the ${declared} bytes it declares`);
    }
    this.start = output;
    this.end = output + declared;
  }

  /** A zstd frame, as vmagent sends it. Throws as `placeSnappy` does. */
  placeZstd(body: Uint8Array, limit: number): void {
    let message: Uint8Array;
    try {
      message = zstdDecompressSync(body, { maxOutputLength: limit });
    } catch (error) {
      if (error instanceof RangeError) throw tooLarge('it is longer', limit);
      throw new SluiceError('bad_request', 'cannot uncompress the body: it is not a whole zstd frame', {
        cause: error,
      });
    }
    this.place(message);
  }

  /** Adds labels to all series of the 1.0 message that was placed. Throws `bad_request` when it could then have more than `limit` bytes. */
  addLabels(labels: ExtraLabels, limit: number): void {
    const most = labels.mostBytes(this.memory.bytes, this.start, this.end);
    if (most > limit) throw tooLarge(`with the labels to add it has up to ${most} bytes`, limit);
    // Where the compressed body was.
    const at = this.#input.reserve(most);
    this.end = labels.write(this.memory.bytes, this.start, this.end, at);
    this.start = at;
  }
}

/** A place that grows. */
class Region {
  readonly #memory: LinearMemory;
  #address = 0;
  #blocks = 0;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
  }

  /** Room for `size` bytes and the slack behind them; what was there is lost. */
  reserve(size: number): number {
    const blocks = Math.ceil((size + OUTPUT_SLACK) / BLOCK_BYTES);
    if (blocks > this.#blocks) {
      if (this.#blocks > 0) this.#memory.release(this.#address, this.#blocks);
      this.#address = this.#memory.allocate(blocks);
      this.#blocks = this.#address === 0 ? 0 : blocks;
      if (this.#address === 0) {
        throw new SluiceError('overloaded', 'cannot take the body: no memory is left for it', {
          retryAfterMs: 5_000,
        });
      }
    }
    return this.#address;
  }
}

function corrupt(why: string): SluiceError {
  return new SluiceError('bad_request', `cannot uncompress the body: ${why}; expected the Snappy block format`);
}

function tooLarge(what: string, limit: number): SluiceError {
  return new SluiceError(
    'bad_request',
    `cannot uncompress the body: ${what}; expected at most ${limit} (limits.write-decoded)`,
  );
}
