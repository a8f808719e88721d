/** Which lengths the network prefixes of each VPC have, so that only those are tried. */
export class PrefixLengths {
  readonly #counts = new Map<number, Uint32Array>();
  readonly #lengths = new Map<number, Uint8Array>();

  /** Lengths of a VPC's prefixes, longest first. */
  of(vpc: number): Uint8Array {
    return this.#lengths.get(vpc) ?? NONE;
  }

  add(vpc: number, length: number): void {
    let counts = this.#counts.get(vpc);
    if (counts === undefined) this.#counts.set(vpc, (counts = new Uint32Array(129)));
    if (counts[length]!++ === 0) this.#list(vpc, counts);
  }

  remove(vpc: number, length: number): void {
    const counts = this.#counts.get(vpc)!;
    if (--counts[length]! === 0) this.#list(vpc, counts);
  }

  #list(vpc: number, counts: Uint32Array): void {
    const lengths: number[] = [];
    for (let length = 128; length >= 0; length--) if (counts[length] !== 0) lengths.push(length);
    this.#lengths.set(vpc, Uint8Array.from(lengths));
  }
}

const NONE = new Uint8Array(0);
