/**
 * Roots of process trees by organisation, agent and pid, as forks and execs tell them: a child belongs to the tree of its parent, so it can be looked
 * up by the root long before the process list names the child itself. Entries are good for ten minutes; when there are too many the oldest go.
 */
export class ProcessRoots {
  readonly #roots = new Map<number, Root>();
  readonly #capacity: number;

  constructor(capacity = 262_144) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#roots.size;
  }

  /** The root of a pid's tree if it is known, else 0. */
  find(process: ProcessKey, now: number): number {
    const key = keyOf(process);
    const known = this.#roots.get(key);
    if (known === undefined) return 0;
    if (now < known.until) return known.pid;
    this.#roots.delete(key);
    return 0;
  }

  /** A process was forked or ends: its root is the parent's, or the parent itself, or (without one) the process itself. */
  forked(process: ProcessKey, parent: number, now: number): number {
    const known = this.find(process, now);
    if (known !== 0) return known;
    if (parent === 0 || parent === process.pid) return this.#keep(process, process.pid, now);
    const ofParent = this.find({ ...process, pid: parent }, now);
    return this.#keep(process, ofParent === 0 ? parent : ofParent, now);
  }

  /** A process runs another program: without a known tree it begins one of its own. */
  executed(process: ProcessKey, parent: number, now: number): number {
    const known = this.find(process, now);
    if (known !== 0) return known;
    const ofParent = parent === 0 ? 0 : this.find({ ...process, pid: parent }, now);
    return this.#keep(process, ofParent === 0 ? process.pid : ofParent, now);
  }

  /** A process has ended: its pid may come again as another one. */
  forget(process: ProcessKey): void {
    this.#roots.delete(keyOf(process));
  }

  #keep(process: ProcessKey, root: number, now: number): number {
    if (process.pid === 0 || process.pid > MAX_PID) return root;
    const key = keyOf(process);
    // Entries stand in the order of their ends, as all live equally long.
    this.#roots.delete(key);
    this.#roots.set(key, { pid: root, until: now + KEPT_MS });
    for (const [oldest, { until }] of this.#roots) {
      if (until > now && this.#roots.size <= this.#capacity) break;
      this.#roots.delete(oldest);
    }
    return root;
  }
}

export interface ProcessKey {
  readonly org: number;
  readonly agent: number;
  readonly pid: number;
}

interface Root {
  readonly pid: number;
  readonly until: number;
}

const KEPT_MS = 600_000;
/** Linux has pids below 2^22. */
const MAX_PID = 0x3f_ffff;

/** 11 bits organisation, 16 bits agent, 22 bits pid: an exact number. */
function keyOf({ org, agent, pid }: ProcessKey): number {
  return pid > MAX_PID ? -1 : (org * 0x1_0000 + agent) * (MAX_PID + 1) + pid;
}
