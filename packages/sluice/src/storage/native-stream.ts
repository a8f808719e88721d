import { SluiceError } from '../base/errors.ts';
import { decodeNative, type NativeBlock } from '../batch/native.ts';

const EMPTY = new Uint8Array(0);

/** Cuts a Native answer that comes in pieces of any size into its blocks. Blocks are views of the pieces. */
export class NativeStream {
  #rest: Uint8Array = EMPTY;
  /** Pieces behind `#rest` that are not joined to it yet: a block is only tried again when twice as much is there. */
  #more: Uint8Array[] = [];
  #moreBytes = 0;

  *push(piece: Uint8Array): Generator<NativeBlock> {
    if (this.#rest.length === 0 && this.#more.length === 0) this.#rest = piece;
    else {
      this.#more.push(piece);
      this.#moreBytes += piece.length;
      if (this.#moreBytes < this.#rest.length) return;
      this.#join();
    }
    yield* this.#blocks();
  }

  /** The answer is complete: yields what was held back. Throws when it ends within a block, with the database's own words if it wrote some there. */
  *finish(what: string): Generator<NativeBlock> {
    this.#join();
    yield* this.#blocks();
    if (this.#rest.length > 0) throw cutOff(what, this.#rest);
  }

  *#blocks(): Generator<NativeBlock> {
    let at = 0;
    while (at < this.#rest.length) {
      let block: NativeBlock | undefined;
      try {
        block = decodeNative(this.#rest, at);
      } catch (error) {
        throw exceptionIn(this.#rest.subarray(at)) ?? error;
      }
      if (block === undefined) break;
      at = block.end;
      if (block.rows > 0) yield block;
    }
    this.#rest = this.#rest.subarray(at);
  }

  #join(): void {
    if (this.#more.length === 0) return;
    this.#rest = Buffer.concat([this.#rest, ...this.#more]);
    this.#more = [];
    this.#moreBytes = 0;
  }
}

function cutOff(what: string, rest: Uint8Array): Error {
  return exceptionIn(rest) ?? new SluiceError('storage_unavailable', `cannot ${what}: the answer ends within a block`);
}

/**
 * A server that fails in the middle of an answer writes its exception into the body: `__exception__`, a tag, the text. Looked for only where the
 * bytes are no block.
 */
function exceptionIn(bytes: Uint8Array): Error | undefined {
  for (const part of [bytes.subarray(0, 65_536), bytes.subarray(-65_536)]) {
    const text = Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
    const at = text.search(/Code: \d+\. DB::Exception/);
    if (at >= 0) return new Error(text.slice(at, at + 1000));
  }
  return undefined;
}
