import type { AgentTable } from './inventory.ts';

/** Agents as rows of columns. Row 0 is no agent. */
export class AgentRows implements AgentTable {
  vpc: Int32Array = new Int32Array(16);
  isIpv4: Uint8Array = new Uint8Array(16);
  ip4: Uint32Array = new Uint32Array(16);
  ip6: Uint32Array = new Uint32Array(16 * 4);
  /** Pod cluster of each agent. */
  cluster: Uint32Array = new Uint32Array(16);
  #count = 1;
  readonly #free: number[] = [];

  /** A row to be written whole. */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count === this.vpc.length) this.#grow();
    return this.#count++;
  }

  release(row: number): void {
    this.#free.push(row);
  }

  #grow(): void {
    const length = this.#count * 2;
    const { vpc, isIpv4, ip4, ip6, cluster } = this;
    this.vpc = new Int32Array(length);
    this.vpc.set(vpc);
    this.isIpv4 = new Uint8Array(length);
    this.isIpv4.set(isIpv4);
    this.ip4 = new Uint32Array(length);
    this.ip4.set(ip4);
    this.ip6 = new Uint32Array(length * 4);
    this.ip6.set(ip6);
    this.cluster = new Uint32Array(length);
    this.cluster.set(cluster);
  }
}
