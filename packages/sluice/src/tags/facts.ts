import { keyWidth, MOST_KEY_WORDS, TABLES, type TableName } from './claims.ts';
import { WORDS, word, type Resource } from './resource-table.ts';

/**
 * What follows from one resource for the inventory, before it is there: rows and claims, as numbers. One object is filled in anew for each resource;
 * `signature` tells whether anything has changed since the last time.
 *
 * Layout: a row is 20 words (those of resource-table.ts, then an IPv6 address), a claim 9 (table, what its value is, value, key).
 */
export class Facts {
  rows: Uint32Array = new Uint32Array(64 * ROW);
  rowCount = 0;
  /** Number of the row that stands for the resource, -1 = none. */
  mainRow = -1;
  claims: Uint32Array = new Uint32Array(64 * CLAIM);
  claimCount = 0;
  /** Row of agents: VPC, whether IPv4, IPv4 address, four words, cluster. */
  readonly agent = new Uint32Array(8);
  hasAgent = false;
  /** List of VPCs that one claim of `peers` is about. */
  peers: readonly number[] = [];
  hasAddress = false;
  /** Rank of its claims. */
  rank = 0;

  begin(rank: number): void {
    this.rowCount = 0;
    this.mainRow = -1;
    this.claimCount = 0;
    this.hasAgent = false;
    this.agent.fill(0);
    this.peers = [];
    this.hasAddress = false;
    this.rank = rank;
  }

  /** Adds a row, the words at first those of `base`; returns its number, for claims. */
  row(base: Uint32Array): number {
    if ((this.rowCount + 1) * ROW > this.rows.length) this.rows = doubled(this.rows);
    this.rows.set(base, this.rowCount * ROW);
    return this.rowCount++;
  }

  setWord(row: number, name: keyof typeof word, value: number): void {
    this.rows[row * ROW + word[name]] = value;
  }

  setIp6(row: number, words: Uint32Array): void {
    this.rows.set(words, row * ROW + WORDS);
  }

  /** Claims a key for a row of these facts. */
  claimRow(table: TableName, row: number, key: ArrayLike<number>): void {
    this.#claim(table, VALUE_IS.row, row, key);
  }

  claim(table: TableName, value: number, key: ArrayLike<number>): void {
    this.#claim(table, VALUE_IS.number, value, key);
  }

  /** Claims an agent's id for the row in `agent`. */
  claimAgent(id: number): void {
    this.hasAgent = true;
    this.#claim('agent', VALUE_IS.agentRow, 0, [id]);
  }

  claimPeers(vpc: number, peers: readonly number[]): void {
    this.peers = peers;
    this.#claim('peers', VALUE_IS.peers, 0, [vpc]);
  }

  /** Equal for equal facts, and hardly ever for others. */
  get signature(): number {
    hash.low = 1;
    hash.high = 1;
    mix(this.rows, this.rowCount * ROW);
    mix(this.claims, this.claimCount * CLAIM);
    mix(this.agent, this.hasAgent ? 8 : 0);
    mix(this.peers, this.peers.length);
    mix([this.rank / 2 ** 32, this.rank, this.mainRow], 3);
    return hash.low * 2 ** 21 + (hash.high >>> 11);
  }

  // oxlint-disable-next-line max-params -- one claim is four things
  #claim(table: TableName, valueIs: number, value: number, key: ArrayLike<number>): void {
    if ((this.claimCount + 1) * CLAIM > this.claims.length) this.claims = doubled(this.claims);
    const { claims } = this;
    const at = this.claimCount++ * CLAIM;
    claims[at] = TABLE_NUMBERS.get(table)!;
    claims[at + 1] = valueIs;
    claims[at + 2] = value;
    for (let i = 0; i < MOST_KEY_WORDS; i++) claims[at + 3 + i] = i < keyWidth(table) ? key[i]! : 0;
  }
}

/** Words of a row and of a claim of facts. */
export const ROW = 20;
export const CLAIM = 3 + MOST_KEY_WORDS;

/** What the value of a claim is. */
export const VALUE_IS = { number: 0, row: 1, agentRow: 2, peers: 3 } as const;

const TABLE_NUMBERS: ReadonlyMap<TableName, number> = new Map(TABLES.map((name, index) => [name, index]));

/** The words of a row from names. */
export function baseWords(values: Omit<Resource, 'ip6'>): Uint32Array {
  const words = new Uint32Array(ROW);
  for (const name of WORD_NAMES) words[word[name]] = values[name] ?? 0;
  return words;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are these by its type
const WORD_NAMES = Object.keys(word) as (keyof typeof word)[];

const hash = { low: 0, high: 0 };

function mix(words: ArrayLike<number>, count: number): void {
  let { low, high } = hash;
  for (let i = 0; i < count; i++) {
    low = Math.imul(low ^ words[i]!, 0x85eb_ca6b);
    low ^= low >>> 15;
    high = Math.imul(high ^ words[i]!, 0xc2b2_ae35);
    high ^= high >>> 13;
  }
  hash.low = Math.imul(low ^ count, 0x27d4_eb2f) >>> 0;
  hash.high = Math.imul(high ^ count, 0x1656_67b1) >>> 0;
}

function doubled(old: Uint32Array): Uint32Array {
  const result = new Uint32Array(old.length * 2);
  result.set(old);
  return result;
}
