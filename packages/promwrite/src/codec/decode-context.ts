import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { WireError } from '../wire/wire-error.ts';
import { DEFAULT_MAX_ELEMENTS, type DecodeOptions } from './decoded.ts';

/** What the decoders of one request share: the reader, and how many more objects may be made. */
export class DecodeContext {
  readonly reader: ProtobufReader;
  readonly #limit: number;
  #remaining: number;

  constructor(bytes: Uint8Array, options: DecodeOptions | undefined) {
    this.reader = new ProtobufReader(bytes);
    this.#limit = options?.maxElements ?? DEFAULT_MAX_ELEMENTS;
    this.#remaining = this.#limit;
  }

  /** Accounts for one object about to be made. */
  spend(): void {
    if (--this.#remaining < 0) {
      throw new WireError(
        `cannot decode request: it holds more than the allowed ${this.#limit} series, labels, samples and other elements`,
        'limit',
        this.reader.position,
      );
    }
  }
}
