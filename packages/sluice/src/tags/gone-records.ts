import type { IdRecord } from './id-file.ts';

/** Epoch seconds before which what is gone is forgotten, and how many are kept at most, whatever their time. */
export interface Forgetting {
  readonly beforeS: number;
  readonly most: number;
}

/**
 * The records of a kind that are gone, each once, to be taken out by the time of their going. Other hubs' words bring them in any order: they are sorted
 * when that matters, which is when some are due.
 */
export class GoneRecords {
  #records = new Set<IdRecord>();
  #isSorted = true;
  /** Time of the one added last. */
  #lastS = 0;
  /** None of them went earlier. */
  #leastS = Infinity;

  get size(): number {
    return this.#records.size;
  }

  /** `goneS` of the record stays as it is until it is taken out. */
  add(record: IdRecord): void {
    this.#isSorted &&= record.goneS >= this.#lastS;
    this.#lastS = record.goneS;
    this.#leastS = Math.min(this.#leastS, record.goneS);
    this.#records.add(record);
  }

  delete(record: IdRecord): void {
    this.#records.delete(record);
  }

  /** Takes out those that are due, earliest first. */
  takeDue({ beforeS, most }: Forgetting): readonly IdRecord[] {
    if (this.size <= most && this.#leastS > beforeS) return [];
    this.#sort();
    const due: IdRecord[] = [];
    this.#leastS = Infinity;
    for (const record of this.#records) {
      if (this.size <= most && record.goneS > beforeS) {
        this.#leastS = record.goneS;
        break;
      }
      this.#records.delete(record);
      due.push(record);
    }
    return due;
  }

  #sort(): void {
    if (this.#isSorted) return;
    const sorted = [...this.#records].toSorted((left, right) => left.goneS - right.goneS);
    this.#records = new Set(sorted);
    this.#isSorted = true;
    this.#lastS = sorted.at(-1)?.goneS ?? 0;
  }
}
