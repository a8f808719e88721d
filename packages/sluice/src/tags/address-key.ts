import type { ParsedAddress } from '../base/address.ts';

/** An address in a VPC, at a time: what most look-ups go by. One object is filled in anew for each row. */
export class AddressKey {
  /** Version of the inventory (`Inventory.versionAt`). */
  version = 0;
  vpc = 0;
  isIpv4 = true;
  /** 10.1.0.9 is 0x0a010009. 0 for IPv6. */
  ip4 = 0;
  /** The 16 bytes as four words, in the order of the bytes (on a little-endian machine the first byte is the low one of the first word). */
  readonly ip6: Uint32Array = new Uint32Array(4);

  /** For a single question. */
  static of(address: ParsedAddress, vpc: number, version: number): AddressKey {
    const key = new AddressKey();
    key.version = version;
    key.vpc = vpc;
    key.isIpv4 = address.isIpv4;
    key.ip4 = address.ip4;
    key.ip6.set(address.ip6);
    return key;
  }

  /** The address at `row` of columns. */
  set(isIpv4: boolean, ip4: Uint32Array, ip6: Uint32Array, row: number): void {
    this.isIpv4 = isIpv4;
    this.ip4 = isIpv4 ? ip4[row]! : 0;
    const words = this.ip6;
    const at = row * 4;
    for (let i = 0; i < 4; i++) words[i] = isIpv4 ? 0 : ip6[at + i]!;
  }
}
