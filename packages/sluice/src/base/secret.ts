import { inspect } from 'node:util';
import { bug } from './errors.ts';

/** Where a secret comes from; its value never stands in the configuration itself. */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly name: string };

const SHOWN = '[secret]';

/**
 * A password, token or key. Prints as `[secret]` wherever it is turned into text by accident: string, JSON, inspect, a log field.
 * The configuration first holds only the source; the loader exchanges it for the value.
 */
export class Secret {
  readonly #value: string | undefined;
  readonly #source: SecretSource | undefined;

  private constructor(value: string | undefined, source: SecretSource | undefined) {
    this.#value = value;
    this.#source = source;
  }

  static of(value: string): Secret {
    return new Secret(value, undefined);
  }

  /** A secret that is not read yet. */
  static from(source: SecretSource): Secret {
    return new Secret(undefined, source);
  }

  /** Where the value must be read; absent once it has been. */
  get source(): SecretSource | undefined {
    return this.#source;
  }

  /** The value itself: only for the place that hands it to a peer or compares it. */
  reveal(): string {
    return this.#value ?? bug('a secret was used before it was read');
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
