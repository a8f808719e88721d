import type { IdMessage } from '../../base/shared-ids.ts';

/** `learns`: the tables were not read yet; `follows`: another hub gives ids, or nobody; `applies`: about to give them; `gives`. */
export type RoleState = 'learns' | 'follows' | 'applies' | 'gives';

export interface RoleOptions {
  /** This hub. */
  readonly hub: string;
  /** Whether it may give ids at all. */
  readonly mayGive: boolean;
  /** A hub that has said nothing for so long, while the tables could be read, does not give ids any more. */
  readonly silenceMs: number;
  /** How long an application stands in the table, for others to see and to be seen beside, before it counts. */
  readonly settleMs: number;
}

/** What else was read. */
export interface Seen {
  /** What this hub needs for giving ids has been read back. */
  readonly isReady: boolean;
  /** The greatest term under which ids have been published, by whomever. */
  readonly publishedTerm: number;
  /** While this hub gives ids: another one has published some under the same term. */
  readonly isContested: boolean;
}

/** What a hub, this one too, said last as the table has it. */
interface Known {
  /** As people call the hub. */
  readonly name: string;
  readonly term: number;
  readonly gives: boolean;
  /** By its own clock. */
  readonly saidMs: number;
  /** When it was last seen to say something, by ours. */
  readonly seenMs: number;
}

/**
 * Which of the hubs on one ClickHouse gives ids. There is no lock to be had, so it goes by what stands in a table that all read. Who gives says so
 * again and again, with a term that grows from one to the next. A hub that may give ids, and sees nobody who does, applies; when its application has
 * come back to it and has stood there for a while, with no better one beside it, it gives. Who sees one that gives with a greater term (of equal ones:
 * of a hub with a smaller id) steps back.
 *
 * What was published with a greater term counts, whether or not the hub that did so still says anything. So who gives must have a term above all that
 * others have published with: it takes one as soon as it reads of them, and says everything again.
 *
 * Should two give at once all the same (tables that show rows very late), they still have ranges of numbers apart from each other (shared-ids.ts).
 */
export class Role {
  readonly #options: RoleOptions;
  readonly #known = new Map<string, Known>();
  #state: RoleState = 'learns';
  #term = 0;
  #readMs: number | undefined;
  /** When the application was first read back. */
  #appliedMs: number | undefined;

  constructor(options: RoleOptions) {
    this.#options = options;
  }

  get state(): RoleState {
    return this.#state;
  }

  /** Of this hub while it gives ids or applies; else of the one that gives them, 0 = none is known. */
  get term(): number {
    return this.#state === 'gives' || this.#state === 'applies' ? this.#term : (this.giver?.term ?? 0);
  }

  /** The other hub that gives ids. */
  get giver(): (Known & { readonly hub: string }) | undefined {
    return this.#others(({ gives }) => gives).toSorted(better)[0];
  }

  /** Whether another hub that applies, too, has the better claim. */
  get isOutranked(): boolean {
    return this.#others(({ term }) => term > 0).some(({ hub }) => hub < this.#options.hub);
  }

  /** Whether there is any other hub. */
  get isAlone(): boolean {
    return this.#others(() => true).length === 0;
  }

  /** Takes in messages of record `hub`. `nowMs` monotonic. */
  note({ hub, name, id: term, isGone, timeMs: saidMs }: IdMessage, nowMs: number): void {
    const before = this.#known.get(hub);
    if (before !== undefined && before.saidMs >= saidMs) return;
    this.#known.set(hub, { name, term, gives: !isGone, saidMs, seenMs: nowMs });
  }

  /** The tables were read at this time: works out the role. */
  step(nowMs: number, { isReady, publishedTerm, isContested }: Seen): RoleState {
    this.#excuseSilence(nowMs);
    const { hub, mayGive, settleMs } = this.#options;
    if (!mayGive) return this.#become('follows');
    const { giver } = this;
    const own = this.#known.get(hub);
    // It was this hub before the restart.
    if (this.#state === 'learns' && own?.gives === true) this.#give(own.term);
    if (this.#state === 'gives') {
      if (giver !== undefined && better(giver, { hub, term: this.#term }) < 0) return this.#become('follows');
      // One that has given with the same term steps back; what it has said must not count as much as ours.
      const isEqual = isContested || giver?.term === this.#term;
      if (isEqual || publishedTerm > this.#term) this.#term = Math.max(this.#term, publishedTerm) + 1;
      return 'gives';
    }
    if (giver !== undefined) return this.#become('follows');
    const greatest = Math.max(0, ...[...this.#known.values()].map(({ term }) => term));
    if (this.#state !== 'applies') {
      this.#appliedMs = undefined;
      this.#term = greatest + 1;
      return this.#become('applies');
    }
    if (greatest > this.#term) {
      this.#term = greatest;
      this.#appliedMs = undefined;
    }
    if (own?.term === this.#term && !own.gives) this.#appliedMs ??= nowMs;
    const isSettled = this.#appliedMs !== undefined && nowMs - this.#appliedMs >= settleMs;
    const isDue = isSettled && isReady && !this.isOutranked;
    return isDue ? this.#give(Math.max(this.#term, publishedTerm + 1)) : 'applies';
  }

  #become(state: RoleState): RoleState {
    this.#state = state;
    return state;
  }

  #give(term: number): RoleState {
    this.#term = term;
    return this.#become('gives');
  }

  /** While the tables cannot be read nobody can be heard. */
  #excuseSilence(nowMs: number): void {
    const unheardMs = nowMs - (this.#readMs ?? nowMs);
    this.#readMs = nowMs;
    if (unheardMs < this.#options.silenceMs / 4) return;
    for (const [hub, known] of this.#known) {
      if (known.seenMs < nowMs) this.#known.set(hub, { ...known, seenMs: known.seenMs + unheardMs });
    }
  }

  #others(which: (known: Known) => boolean): (Known & { readonly hub: string })[] {
    const since = (this.#readMs ?? 0) - this.#options.silenceMs;
    return [...this.#known]
      .filter(([hub, known]) => hub !== this.#options.hub && known.seenMs > since && which(known))
      .map(([hub, known]) => ({ hub, ...known }));
  }
}

function better(left: { term: number; hub: string }, right: { term: number; hub: string }): number {
  return right.term - left.term || (left.hub < right.hub ? -1 : 1);
}
