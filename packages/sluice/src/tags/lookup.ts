import type { RowBlock } from '../batch/row-block.ts';
import { AddressKey } from './address-key.ts';
import type { Inventory, MacKey } from './inventory.ts';
import { INTERNET } from './tag-bits.ts';

/**
 * Asks one inventory on behalf of all rules, with a small cache for addresses: rows of a block repeat few of them, and finding the network of an
 * address that nobody owns is the dearest question.
 */
export class Lookup {
  readonly inventory: Inventory;
  /** What `locate` looks for; filled in by the rules. */
  readonly key = new AddressKey();
  /** Version of the inventory for each row of the block. */
  versions: Uint32Array = new Uint32Array(256);
  /** Resource of each row's ends, 0 = none. */
  resources: readonly [Uint32Array, Uint32Array] = [new Uint32Array(256), new Uint32Array(256)];

  // A direct-mapped cache, eight words an entry: family (4, 6, or 0 = empty), version, VPC, four words of address, what was found.
  readonly #cache: Uint32Array;
  readonly #agentKey = new AddressKey();
  readonly #mac: { -readonly [K in keyof MacKey]: number } = { vpc: 0, high: 0, low: 0 };

  constructor(inventory: Inventory) {
    this.inventory = inventory;
    const size = inventory.isEmpty ? 0 : CACHE_SIZE;
    this.#cache = new Uint32Array(size * ENTRY_WORDS);
  }

  /** Prepares for the rows of a block. */
  begin(block: RowBlock): void {
    const { rows } = block;
    if (rows > this.versions.length) {
      const capacity = block.capacity;
      this.versions = new Uint32Array(capacity);
      this.resources = [new Uint32Array(capacity), new Uint32Array(capacity)];
    }
    const { inventory } = this;
    if (inventory.isEmpty) return;
    const first = inventory.versionAt(Math.floor(block.minTime / 1000));
    if (first === inventory.versionAt(Math.floor(block.maxTime / 1000))) {
      this.versions.fill(first, 0, rows);
      return;
    }
    const seconds = block.fixed[block.column(block.source.time.column)]!.u32;
    for (let row = 0; row < rows; row++) this.versions[row] = inventory.versionAt(seconds[row]!);
  }

  /** Resource behind `key`: the owner of the address, else its network, else the region of the VPC; nothing on the Internet. */
  locate(): number {
    return this.#locate(this.key);
  }

  /** Resource at an agent's own address. */
  atAgent(version: number, agent: number): number {
    const { inventory } = this;
    const row = inventory.agent(version, agent);
    if (row === 0) return 0;
    const { agents } = inventory;
    const key = this.#agentKey;
    key.version = version;
    key.vpc = agents.vpc[row]!;
    key.set(agents.isIpv4[row] !== 0, agents.ip4, agents.ip6, row);
    return this.#locate(key);
  }

  /** VPC of an agent: that of an unknown one is the Internet, that of no agent (0) unknown. */
  agentVpc(version: number, agent: number): number {
    if (agent === 0) return 0;
    const { inventory } = this;
    const row = inventory.agent(version, agent);
    return row === 0 ? INTERNET : inventory.agents.vpc[row]!;
  }

  /** Resource behind the MAC address at `row` of a column (two words a row: low, high). */
  byMac(version: number, vpc: number, column: Uint32Array, row: number): number {
    const mac = this.#mac;
    mac.vpc = vpc;
    mac.low = column[row * 2]!;
    mac.high = column[row * 2 + 1]! & 0xffff;
    return this.inventory.mac(version, mac);
  }

  #locate(key: AddressKey): number {
    if (key.vpc === INTERNET) return 0;
    const { ip6, isIpv4 } = key;
    const word0 = isIpv4 ? key.ip4 : ip6[0]!;
    const word1 = ip6[1]!;
    const word2 = ip6[2]!;
    const word3 = ip6[3]!;
    const family = isIpv4 ? 4 : 6;
    const cache = this.#cache;
    const at = slotOf(word0 ^ word1 ^ word2 ^ word3, key.vpc, key.version) * ENTRY_WORDS;
    if (
      cache[at] === family &&
      cache[at + 1] === key.version &&
      cache[at + 2] === key.vpc >>> 0 &&
      cache[at + 3] === word0 &&
      cache[at + 4] === word1 &&
      cache[at + 5] === word2 &&
      cache[at + 6] === word3
    ) {
      return cache[at + 7]!;
    }
    const { inventory } = this;
    const found = inventory.address(key) || inventory.network(key) || inventory.vpc(key.version, key.vpc);
    cache[at] = family;
    cache[at + 1] = key.version;
    cache[at + 2] = key.vpc;
    cache[at + 3] = word0;
    cache[at + 4] = word1;
    cache[at + 5] = word2;
    cache[at + 6] = word3;
    cache[at + 7] = found;
    return found;
  }
}

const CACHE_SIZE = 4096;
const ENTRY_WORDS = 8;

function slotOf(address: number, vpc: number, version: number): number {
  let hash = Math.imul(address ^ Math.imul(vpc, 0x9e37_79b1) ^ Math.imul(version, 0x85eb_ca6b), 0xc2b2_ae35);
  hash ^= hash >>> 15;
  return (hash ^ (hash >>> 7)) & (CACHE_SIZE - 1);
}
