import type { Batch } from '../batch/batch.ts';
import { columnNamed, uint8Values } from './columns.ts';

/** Which rows hold their addresses as IPv4 and which as IPv6, as `nulls` of the columns of the other family; worked out once for each Batch. */
export class Families {
  readonly #batch: Batch;
  readonly #masks = new Map<string, { readonly isIpv6: Uint8Array; readonly any: boolean; isIpv4?: Uint8Array }>();

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  /** 1 where a row has no address in this IPv4 column; undefined = in no row. */
  withoutIpv4(column: string): Uint8Array | undefined {
    const masks = this.#of(column);
    return masks?.any === true ? masks.isIpv6 : undefined;
  }

  /** 1 where a row has no address in this IPv6 column. */
  withoutIpv6(column: string): Uint8Array | undefined {
    const masks = this.#of(column);
    return masks === undefined ? undefined : (masks.isIpv4 ??= masks.isIpv6.map((value) => 1 - value));
  }

  #of(column: string): { readonly isIpv6: Uint8Array; readonly any: boolean; isIpv4?: Uint8Array } | undefined {
    // Of translated addresses only the IPv4 ones are stored.
    if (column.startsWith('nat_real')) return undefined;
    const key = column.startsWith('tunnel_') ? 'tunnel_is_ipv4' : 'is_ipv4';
    let masks = this.#masks.get(key);
    if (masks === undefined) {
      const isIpv6 = key === 'is_ipv4' ? this.#isIpv6() : this.#isTunnelIpv6();
      masks = { isIpv6, any: isIpv6.includes(1) };
      this.#masks.set(key, masks);
    }
    return masks;
  }

  #isIpv6(): Uint8Array {
    const isIpv4 = uint8Values(columnNamed(this.#batch, 'is_ipv4'));
    const isIpv6 = new Uint8Array(isIpv4.length);
    for (let row = 0; row < isIpv4.length; row++) isIpv6[row] = isIpv4[row] === 0 ? 1 : 0;
    return isIpv6;
  }

  /** Without a tunnel the flag says nothing: there the addresses are IPv4's 0.0.0.0, as DeepFlow writes it. */
  #isTunnelIpv6(): Uint8Array {
    const isIpv4 = uint8Values(columnNamed(this.#batch, 'tunnel_is_ipv4'));
    const type = uint8Values(columnNamed(this.#batch, 'tunnel_type'));
    const isIpv6 = new Uint8Array(isIpv4.length);
    for (let row = 0; row < isIpv4.length; row++) {
      // The type is 16 bits wide; its values are small.
      isIpv6[row] = isIpv4[row] === 0 && (type[row * 2] !== 0 || type[row * 2 + 1] !== 0) ? 1 : 0;
    }
    return isIpv6;
  }
}
