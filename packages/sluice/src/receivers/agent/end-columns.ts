import type { RowBlock } from '../../batch/row-block.ts';
import { storedEpc } from './epc.ts';

/** Columns of one end of a document: `ip4`, `ip6`, `l3_epc_id` and `pod_key`, with a suffix. */
export class EndColumns {
  pod: Uint32Array = new Uint32Array(0);
  readonly #suffix: string;
  #ip4: Uint32Array = new Uint32Array(0);
  #ip6: Uint8Array = new Uint8Array(0);
  #epc: Int32Array = new Int32Array(0);

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  /** To be called whenever the block or its generation has changed. */
  bind(block: RowBlock): void {
    const values = (name: string) => block.fixed[block.column(`${name}${this.#suffix}`)]!;
    this.#ip4 = values('ip4').u32;
    this.#ip6 = values('ip6').u8;
    this.#epc = values('l3_epc_id').i32;
    this.pod = values('pod_key').u32;
  }

  /**
   * Writes the address in [start, end), 4 or 16 bytes in network order, and puts the VPC of the row right; false when it is not an address of that
   * kind. Older agents have 16 bytes for IPv4 too, the address in the first four.
   */
  writeAddress(row: number, bytes: Uint8Array, start: number, end: number, isIpv6: boolean): boolean {
    const length = end - start;
    if (length !== 16 && (length !== 4 || isIpv6)) return false;
    if (isIpv6) for (let i = 0; i < 16; i++) this.#ip6[row * 16 + i] = bytes[start + i]!;
    else {
      this.#ip4[row] = (bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!;
    }
    this.#epc[row] = storedEpc(this.#epc[row]!);
    return true;
  }
}
