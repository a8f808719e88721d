/**
 * Resources as rows of numbers. A row is 16 words, one cache line, as a row of a block usually needs all of it:
 *
 *   word  0 region      4 device      8 pod group        12 VPC (two's complement)
 *         1 zone        5 subnet      9 pod group type   13 VPC found through the MAC address
 *         2 host        6 pod node   10 pod              14 1: address is IPv4
 *         3 device type 7 namespace  11 pod cluster      15 IPv4 address
 *
 * IPv6 addresses stand apart, four words a row. Row 0 is "nothing": all zeros.
 */
export class ResourceTable {
  /** Replaced when the table grows: read it anew after `add`. */
  words: Uint32Array = new Uint32Array(16 * WORDS);
  ip6: Uint32Array = new Uint32Array(16 * 4);
  #count = 1;
  /** Rows that were given back. */
  readonly #free: number[] = [];

  /** Rows, the empty one and those that are free included. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.words.byteLength + this.ip6.byteLength;
  }

  /** A row to be written whole. */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const row = this.#count++;
    if (this.#count * WORDS > this.words.length) this.#grow();
    return row;
  }

  /** Gives a row back that nothing points to any more. */
  release(row: number): void {
    this.#free.push(row);
  }

  /** Adds a row and returns its number. `ip6` as 16 bytes. */
  add(resource: Resource): number {
    const row = this.take();
    const at = row * WORDS;
    for (const [name, value] of Object.entries(resource)) {
      if (name === 'ip6') continue;
      this.words[at + word[name as keyof typeof word]] = value as number;
    }
    const { ip6 } = resource;
    if (ip6 !== undefined) new Uint8Array(this.ip6.buffer, row * 16, 16).set(ip6);
    return row;
  }

  #grow(): void {
    const words = new Uint32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
    const ip6 = new Uint32Array(this.ip6.length * 2);
    ip6.set(this.ip6);
    this.ip6 = ip6;
  }
}

/** Words of a row. */
export const WORDS = 16;

/** Where a value stands in its row. */
export const word = {
  region: 0,
  zone: 1,
  host: 2,
  deviceType: 3,
  device: 4,
  subnet: 5,
  podNode: 6,
  podNamespace: 7,
  podGroup: 8,
  podGroupType: 9,
  pod: 10,
  podCluster: 11,
  vpc: 12,
  macVpc: 13,
  isIpv4: 14,
  ip4: 15,
} as const;

/** Values of a row; what is absent is 0. */
export type Resource = Partial<Record<keyof typeof word, number>> & { readonly ip6?: Uint8Array };
