import type { AgentTraffic } from '../base/ports.ts';

/** What came from one agent. */
export interface TrafficEntry {
  readonly org: number;
  readonly agent: number;
  rows: number;
  bytes: number;
  address: string;
  lastMs: number;
  /** Over the last whole interval. */
  rowsPerSecond: number;
}

interface Counted extends TrafficEntry {
  rowsBefore: number;
}

/** Ids that no agent has here may be sent as well: no more entries than agents there can be. */
const MAX_ENTRIES = 65_536;

/** Data per agent, as the data receiver tells it. */
export class Traffic implements AgentTraffic {
  readonly #entries = new Map<number, Counted>();
  readonly #now: () => number;
  #tickedAt: number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#tickedAt = now();
  }

  noteData(org: number, agent: number, rows: number, bytes: number, address: string): void {
    const key = org * 65_536 + agent;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= MAX_ENTRIES) return;
      entry = { org, agent, rows: 0, bytes: 0, address, lastMs: 0, rowsPerSecond: 0, rowsBefore: 0 };
      this.#entries.set(key, entry);
    }
    entry.rows += rows;
    entry.bytes += bytes;
    entry.address = address;
    entry.lastMs = this.#now();
  }

  find(org: number, agent: number): TrafficEntry | undefined {
    return this.#entries.get(org * 65_536 + agent);
  }

  all(): IterableIterator<TrafficEntry> {
    return this.#entries.values();
  }

  /** Ends an interval: what came in it becomes the rate. */
  tick(): void {
    const now = this.#now();
    const seconds = (now - this.#tickedAt) / 1000;
    if (seconds <= 0) return;
    this.#tickedAt = now;
    for (const entry of this.#entries.values()) {
      entry.rowsPerSecond = (entry.rows - entry.rowsBefore) / seconds;
      entry.rowsBefore = entry.rows;
    }
  }
}
