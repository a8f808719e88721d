import { join } from 'node:path';
import type { Log } from '../telemetry/log.ts';
import type { GpidEntry, ProcessInfo } from './protocol.ts';
import { readState, StateWriter } from './state-writer.ts';

/*
 * `<data-dir>/state/processes.json`, a state file (base/state-file.ts) of version 1: the global ids of processes.
 *
 *   {"version":1,"reserved":n,"processes":[[global id, agent id, pid, start, last seen], ...]}
 *
 * `start` (0 = not known) and `last seen` are Unix seconds. Ids below `reserved` may have been given out: a process that was not written before a
 * crash gets another id, but no id ever means two processes.
 */
const VERSION = 1;

const RESERVE = 10_000;
/** A process that nothing was heard of for so long is forgotten. */
const FORGET_AFTER_S = 86_400;
/** When a process was seen last matters to the hour. */
const SAVE_EVERY_S = 3600;
const MOST_PER_AGENT = 20_000;
const MOST = 1_000_000;
/** Agents work a process's start out anew each time; it moves when their clock is set. */
const START_TOLERANCE_S = 2;

interface Process {
  readonly gpid: number;
  startS: number;
  seenS: number;
}

/** Gives every process of every agent a number of its own. */
export class ProcessIds {
  readonly #byAgent = new Map<number, Map<number, Process>>();
  readonly #writer: StateWriter;
  #count = 0;
  #next = 1;
  #reserved = 1;
  #savedS = 0;
  #isDirty = false;

  private constructor(path: string) {
    this.#writer = new StateWriter(path, () => this.#content());
  }

  /** Throws SluiceError `format_too_new` and `data_dir_unusable`. */
  static async open(dataDir: string, log: Log): Promise<ProcessIds> {
    const path = join(dataDir, 'state', 'processes.json');
    const ids = new ProcessIds(path);
    const content = readState(path, VERSION, log);
    if (content !== undefined) ids.#load(content);
    return ids;
  }

  get size(): number {
    return this.#count;
  }

  /** The id of a process; a new one is made, 0 when there are too many. */
  idOf(agentId: number, pid: number, nowS: number): number {
    if (pid === 0) return 0;
    const processes = this.#processesOf(agentId);
    const known = processes.get(pid);
    if (known !== undefined) {
      known.seenS = nowS;
      return known.gpid;
    }
    return this.#add(processes, pid, { startS: 0, nowS });
  }

  /** The id that a process has been given already; else 0. */
  peek(agentId: number, pid: number): number {
    return this.#byAgent.get(agentId)?.get(pid)?.gpid ?? 0;
  }

  /** A process list says when each began: a pid with another start is another process. */
  noteProcesses(agentId: number, processes: readonly ProcessInfo[], nowS: number): void {
    const known = this.#byAgent.get(agentId);
    if (known === undefined) return;
    for (const { pid: text, start_time: startS = 0 } of processes) {
      const pid = Number(text ?? 0);
      const process = known.get(pid);
      if (process === undefined || startS === 0) continue;
      if (process.startS !== 0 && Math.abs(process.startS - startS) > START_TOLERANCE_S) {
        known.delete(pid);
        this.#count--;
        this.#add(known, pid, { startS, nowS });
        continue;
      }
      if (process.startS === 0) this.#isDirty = true;
      process.startS ||= startS;
      process.seenS = nowS;
    }
  }

  /** The entries of a GPIDSync with ids in the places of pids. */
  replacePids(agentId: number, entries: readonly GpidEntry[], nowS: number): GpidEntry[] {
    return entries.map((entry) => {
      const { pid_0 = 0, pid_1 = 0, pid_real = 0 } = entry;
      return {
        ...entry,
        pid_0: this.idOf(agentId, pid_0, nowS),
        pid_1: this.idOf(agentId, pid_1, nowS),
        pid_real: this.idOf(agentId, pid_real, nowS),
      };
    });
  }

  /** Before ids are told to anybody: makes sure that none of them is ever given out again. */
  async reserve(nowS: number): Promise<void> {
    if (this.#next > this.#reserved) await this.save(nowS);
  }

  /** Forgets what is long gone, and writes what is new or was not written for an hour. Throws SluiceError `data_dir_unusable`. */
  async save(nowS: number): Promise<void> {
    this.#forget(nowS);
    if (!this.#isDirty && (this.#count === 0 || nowS - this.#savedS < SAVE_EVERY_S)) return;
    this.#isDirty = false;
    const reserved = this.#reserved;
    this.#reserved = this.#next + RESERVE;
    try {
      await this.#writer.save();
      this.#savedS = nowS;
    } catch (error) {
      this.#isDirty = true;
      this.#reserved = reserved;
      throw error;
    }
  }

  #processesOf(agentId: number): Map<number, Process> {
    let processes = this.#byAgent.get(agentId);
    if (processes === undefined) this.#byAgent.set(agentId, (processes = new Map()));
    return processes;
  }

  #add(processes: Map<number, Process>, pid: number, { startS, nowS }: { startS: number; nowS: number }): number {
    if (processes.size >= MOST_PER_AGENT || this.#count >= MOST) return 0;
    const gpid = this.#next++;
    processes.set(pid, { gpid, startS, seenS: nowS });
    this.#count++;
    this.#isDirty = true;
    return gpid;
  }

  #forget(nowS: number): void {
    for (const [agentId, processes] of this.#byAgent) {
      for (const [pid, { seenS }] of processes) {
        if (nowS - seenS < FORGET_AFTER_S) continue;
        processes.delete(pid);
        this.#count--;
        this.#isDirty = true;
      }
      if (processes.size === 0) this.#byAgent.delete(agentId);
    }
  }

  #content() {
    const processes: number[][] = [];
    for (const [agentId, byPid] of this.#byAgent) {
      for (const [pid, { gpid, startS, seenS }] of byPid) processes.push([gpid, agentId, pid, startS, seenS]);
    }
    return { version: VERSION, reserved: this.#reserved, processes };
  }

  #load(content: Readonly<Record<string, unknown>>): void {
    this.#next = Math.max(1, Number(content['reserved']) || 1);
    this.#reserved = this.#next;
    for (const row of Array.isArray(content['processes']) ? content['processes'] : []) {
      const [gpid, agentId, pid, startS, seenS] = (Array.isArray(row) ? row : []).map(Number);
      if (gpid === undefined || agentId === undefined || pid === undefined || !Number.isInteger(gpid)) continue;
      this.#processesOf(agentId).set(pid, { gpid, startS: startS ?? 0, seenS: seenS ?? 0 });
      this.#count++;
      if (gpid >= this.#next) this.#next = gpid + 1;
    }
  }
}

const IGNORE_IF_EQUAL_TO_PREVIOUS = 1;

/** Entries with all their fields, whatever way they were made smaller. */
export function expandEntries(entries: readonly GpidEntry[], algorithm: number | undefined): readonly GpidEntry[] {
  if (algorithm !== IGNORE_IF_EQUAL_TO_PREVIOUS) return entries;
  let previous: GpidEntry = {};
  return entries.map((entry) => (previous = { ...previous, ...entry }));
}
