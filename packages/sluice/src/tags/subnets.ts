import { type ParsedAddress, mask4, mask6 } from '../base/address.ts';
import { PrefixLengths } from './prefix-lengths.ts';

/** A subnet as addresses within it get it. */
export interface SubnetPlace {
  readonly id: number;
  readonly region: number;
  readonly az: number;
}

/** The subnets as they are to be, for the addresses of resources that do not say theirs: made anew when a subnet changes. */
export class Subnets {
  readonly #places = new Map<string, SubnetPlace>();
  readonly #lengths4 = new PrefixLengths();
  readonly #lengths6 = new PrefixLengths();

  /** `prefix` is masked. Of two subnets with one prefix the first has it. */
  add(vpc: number, prefix: ParsedAddress, length: number, place: SubnetPlace): void {
    const key = keyOf(vpc, prefix, length);
    if (this.#places.has(key)) return;
    this.#places.set(key, place);
    (prefix.isIpv4 ? this.#lengths4 : this.#lengths6).add(vpc, length);
  }

  /** The subnet with the longest prefix that contains the address. */
  find(vpc: number, address: ParsedAddress): SubnetPlace | undefined {
    for (const length of (address.isIpv4 ? this.#lengths4 : this.#lengths6).of(vpc)) {
      const place = this.#places.get(keyOf(vpc, address, length));
      if (place !== undefined) return place;
    }
    return undefined;
  }
}

function keyOf(vpc: number, { isIpv4, ip4, ip6 }: ParsedAddress, length: number): string {
  if (isIpv4) return `${vpc} ${length} ${mask4(ip4, length)}`;
  const at = length * 4;
  return `${vpc} ${length} ${ip6[0]! & mask6[at]!} ${ip6[1]! & mask6[at + 1]!} ${ip6[2]! & mask6[at + 2]!} ${ip6[3]! & mask6[at + 3]!}`;
}
