import type { ReadConfig, ReadTarget, ReadTargets } from './read-answers.ts';

/** What one server says. */
export interface ServerTargets {
  /** What the server is called, for people. */
  readonly server: string;
  readonly targets: ReadTargets;
  /** Absent: not known, and every job counts as one that honours the labels of what it scrapes. */
  readonly config: ReadConfig | undefined;
  /** VPC that the addresses of its targets are in. */
  readonly vpc: number;
}

/** What is behind a series' target. Texts are '' where nothing is known. */
export interface FoundTarget {
  readonly target: ReadTarget;
  readonly vpc: number;
  /** Who told of it. */
  readonly server: string;
}

interface Entry extends FoundTarget {
  readonly externalLabels: ReadConfig['externalLabels'];
  /** Labels that all series of the target have; others may have been said by the program itself. */
  readonly own: ReadTarget['labels'];
}

/**
 * Targets of all servers of an organisation, by job and instance. Servers do not know of each other, so several may say the same job and instance and
 * mean different things: then the servers' external labels and the targets' other labels decide, and if that does not help it is none of them.
 */
export class TargetTable {
  /** Labels that decide between targets, beside job and instance. */
  readonly names: ReadonlySet<string>;
  readonly size: number;
  readonly #entries = new Map<string, Entry[]>();

  constructor(servers: readonly ServerTargets[]) {
    const names = new Set<string>();
    let size = 0;
    for (const { server, targets, config, vpc } of servers) {
      const honours = new Map(config?.honorLabels);
      const externalLabels = config?.externalLabels ?? [];
      for (const [name] of externalLabels) names.add(name);
      for (const target of targets.targets) {
        const own = (honours.get(target.pool) ?? true) ? [] : target.labels;
        const key = keyOf(target.job, target.instance);
        const known = this.#entries.get(key);
        const entry = { target, vpc, server, externalLabels, own };
        if (known === undefined) this.#entries.set(key, [entry]);
        else known.push(entry);
        size++;
      }
    }
    for (const entries of this.#entries.values()) {
      if (entries.length > 1) for (const { own } of entries) for (const [name] of own) names.add(name);
    }
    this.names = names;
    this.size = size;
  }

  /** The target of a series with these labels; of the others only those in `names` count. */
  find(labels: ReadonlyMap<string, string>): FoundTarget | undefined {
    const entries = this.#entries.get(keyOf(labels.get('job') ?? '', labels.get('instance') ?? ''));
    if (entries === undefined) return undefined;
    let best: Entry | undefined;
    let bestScore = -1;
    let isSure = true;
    for (const entry of entries) {
      // A single one need not agree in its own labels: they may be relabelled on the way.
      const score = scoreOf(labels, entry, entries.length > 1);
      if (score < bestScore || score < 0) continue;
      if (score > bestScore) [best, bestScore, isSure] = [entry, score, true];
      else isSure &&= best !== undefined && isSamePlace(best, entry);
    }
    return isSure ? best : undefined;
  }
}

export const NO_TARGETS = new TargetTable([]);

/** How many labels agree; -1 when one does not. */
function scoreOf(labels: ReadonlyMap<string, string>, { externalLabels, own }: Entry, withOwn: boolean): number {
  let score = 0;
  for (const list of withOwn ? [externalLabels, own] : [externalLabels]) {
    for (const [name, value] of list) {
      const given = labels.get(name);
      if (given === undefined) continue;
      if (given !== value) return -1;
      score++;
    }
  }
  return score;
}

function isSamePlace(left: Entry, right: Entry): boolean {
  const [a, b] = [left.target, right.target];
  return (
    left.vpc === right.vpc &&
    a.host === b.host &&
    a.pod === b.pod &&
    a.namespace === b.namespace &&
    a.podUid === b.podUid &&
    a.podIp === b.podIp &&
    a.node === b.node
  );
}

function keyOf(job: string, instance: string): string {
  return `${job}\0${instance}`;
}
