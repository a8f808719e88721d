import { TABLES } from './claims.ts';
import { CLAIM, ROW, VALUE_IS, type Facts } from './facts.ts';
import { CLAIM_TABLES, type Held } from './held.ts';
import type { LiveInventory } from './live-inventory.ts';
import { WORDS } from './resource-table.ts';
import type { Slices } from './slices.ts';

/** Writes facts into the tables of an inventory, and takes out what has ended. Nothing of it is seen before `publish`. */
export class ClaimWriter {
  readonly #inventory: LiveInventory;
  /** Nobody has asked the inventory anything yet. */
  #isHidden = true;
  /**
   * Claims with the second at which they begin or end. Those after all that is asked for (`Timeline.last`) are no secret and begin and end at once.
   */
  #begins: number[] = [];
  #ends: number[] = [];
  #changes = new Set<number>();
  #prepared: Retired[] = [];
  /** What ended, to be removed when nobody can ask for it any more; in the order of publishing. */
  #retired: Retired[] = [];
  #retiredAt = 0;

  constructor(inventory: LiveInventory) {
    this.#inventory = inventory;
  }

  /** Whether something waits for `publish`. */
  get isPrepared(): boolean {
    return this.#changes.size > 0;
  }

  /** Puts facts into the tables, to be true from a second on. */
  begin(facts: Facts, fromS: number): Pick<Held, 'claims' | 'rows' | 'row' | 'agentRow' | 'fromS'> {
    const { resources, claims } = this.#inventory;
    const rows: number[] = [];
    for (let i = 0; i < facts.rowCount; i++) {
      const row = resources.take();
      const at = i * ROW;
      resources.words.set(facts.rows.subarray(at, at + WORDS), row * WORDS);
      resources.ip6.set(facts.rows.subarray(at + WORDS, at + ROW), row * 4);
      rows.push(row);
    }
    const agentRow = facts.hasAgent ? this.#addAgent(facts.agent) : 0;
    const added: number[] = [];
    for (let i = 0; i < facts.claimCount; i++) {
      const at = i * CLAIM;
      const tableNumber = facts.claims[at]!;
      const name = TABLES[tableNumber]!;
      const table = claims[name];
      for (let k = 0; k < table.key.length; k++) table.key[k] = facts.claims[at + 3 + k]!;
      if (name === 'network4') this.#inventory.lengths4.add(table.key[0]!, table.key[1]!);
      if (name === 'network6') this.#inventory.lengths6.add(table.key[0]!, table.key[1]!);
      const entry = table.add(this.#valueOf(facts, at, { rows, agentRow }), facts.rank);
      const claim = entry * CLAIM_TABLES + tableNumber;
      added.push(claim);
      if (this.#isSeen(fromS)) this.#begins.push(claim, fromS);
      else table.begin(entry, fromS);
    }
    if (added.length > 0) this.#changeAt(fromS);
    return { claims: added, rows, row: rows[facts.mainRow] ?? 0, agentRow, fromS };
  }

  /** What was true of a resource is so until a second. */
  end({ claims, rows, agentRow }: Held, endS: number): void {
    if (claims.length === 0) return;
    const isSeen = this.#isSeen(endS);
    for (const claim of claims) {
      if (isSeen) this.#ends.push(claim, endS);
      else this.#inventory.claims[TABLES[claim % CLAIM_TABLES]!].end(Math.floor(claim / CLAIM_TABLES), endS);
    }
    this.#changeAt(endS);
    this.#prepared.push({ endS, claims, rows, agentRow });
  }

  /** Makes everything true in one step; false when there is nothing. */
  publish(): boolean {
    if (!this.isPrepared) return false;
    const { claims, timeline } = this.#inventory;
    const tables = TABLES.map((name) => claims[name]);
    const begins = this.#begins;
    const ends = this.#ends;
    for (let i = 0; i < begins.length; i += 2) {
      const claim = begins[i]!;
      tables[claim % CLAIM_TABLES]!.begin(Math.floor(claim / CLAIM_TABLES), begins[i + 1]!);
    }
    for (let i = 0; i < ends.length; i += 2) {
      const claim = ends[i]!;
      tables[claim % CLAIM_TABLES]!.end(Math.floor(claim / CLAIM_TABLES), ends[i + 1]!);
    }
    timeline.change(this.#changes);
    for (const retired of this.#prepared) this.#retired.push(retired);
    this.#begins = [];
    this.#ends = [];
    this.#changes = new Set();
    this.#prepared = [];
    this.#inventory.publishServices();
    this.#isHidden = false;
    return true;
  }

  /** Removes what was true only before a second. */
  async forget(beforeS: number, slices: Slices): Promise<void> {
    const from = this.#inventory.timeline.forget(beforeS);
    while (this.#retiredAt < this.#retired.length && this.#retired[this.#retiredAt]!.endS <= from) {
      this.#remove(this.#retired[this.#retiredAt++]!);
      if (slices.isDue) await slices.pause();
    }
    if (this.#retiredAt > 1000 || this.#retiredAt === this.#retired.length) {
      this.#retired = this.#retired.slice(this.#retiredAt);
      this.#retiredAt = 0;
    }
  }

  #valueOf(facts: Facts, at: number, added: { readonly rows: readonly number[]; readonly agentRow: number }): number {
    const given = facts.claims[at + 2]!;
    const valueIs = facts.claims[at + 1];
    if (valueIs === VALUE_IS.row) return added.rows[given]!;
    if (valueIs === VALUE_IS.agentRow) return added.agentRow;
    return valueIs === VALUE_IS.peers ? this.#inventory.peerLists.add(facts.peers) : given;
  }

  #addAgent(words: Uint32Array): number {
    const { agents } = this.#inventory;
    const row = agents.take();
    agents.vpc[row] = words[0]!;
    agents.isIpv4[row] = words[1]!;
    agents.ip4[row] = words[2]!;
    agents.ip6.set(words.subarray(3, 7), row * 4);
    agents.cluster[row] = words[7]!;
    return row;
  }

  #isSeen(second: number): boolean {
    return !this.#isHidden && second <= this.#inventory.timeline.last;
  }

  #changeAt(second: number): void {
    this.#changes.add(Math.max(second, this.#inventory.timeline.start));
  }

  #remove({ claims, rows, agentRow }: Retired): void {
    const inventory = this.#inventory;
    for (const claim of claims) {
      const name = TABLES[claim % CLAIM_TABLES]!;
      const table = inventory.claims[name];
      const entry = Math.floor(claim / CLAIM_TABLES);
      if (name === 'network4') inventory.lengths4.remove(table.keyWord(entry, 0), table.keyWord(entry, 1));
      if (name === 'network6') inventory.lengths6.remove(table.keyWord(entry, 0), table.keyWord(entry, 1));
      if (name === 'peers') inventory.peerLists.release(table.value(entry));
      table.remove(entry);
    }
    for (const row of rows) inventory.resources.release(row);
    if (agentRow !== 0) inventory.agents.release(agentRow);
  }
}

interface Retired {
  readonly endS: number;
  readonly claims: readonly number[];
  readonly rows: readonly number[];
  readonly agentRow: number;
}
