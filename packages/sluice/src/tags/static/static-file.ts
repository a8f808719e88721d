import { constants, open, stat } from 'node:fs/promises';
import { errorText } from '../../base/errors.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Resource } from '../description.ts';
import type { Description, Source, SourceChange, SourceState } from '../source.ts';
import { MOST_CSV_BYTES, MOST_YAML_BYTES, parseCsv, parseYamlAside, type Parsed } from './parse.ts';

export interface StaticFileOptions {
  readonly path: string;
  /** What messages and metrics call it, after `static `. Default: the last part of its path. */
  readonly name?: string | undefined;
  readonly org: number;
  readonly log: Log;
  /** How often the file is looked at. */
  readonly intervalMs?: number;
  readonly now?: () => number;
}

const INTERVAL_MS = 3000;

/**
 * Resources from a file, YAML or, where its name ends in `.csv`, CSV. It is looked at every 3 s (time, size and inode: that works on every file
 * system and for files that are replaced or mounted); a change is read once the file has rested for one such time, so that a half-written one is not.
 * A file with mistakes, or none, changes nothing: the last good one stays.
 */
export class StaticFile implements Source {
  readonly kind = 'static';
  readonly name: string;
  readonly org: number;
  readonly #options: StaticFileOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<(change: SourceChange) => void>();
  #resources: readonly Resource[] | undefined;
  #state: SourceState;
  #timer: NodeJS.Timeout | undefined;
  /** As the file was when it was last read, and when it was last looked at. */
  #read = '';
  #looked = '';
  readonly #stopped = new AbortController();

  constructor(options: StaticFileOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.name = `static ${options.name ?? tailOf(options.path, 1)}`;
    this.org = options.org;
    this.#state = { kind: 'starting', from: options.path };
  }

  /** Reads the file for the first time and watches it from then on. */
  async start(): Promise<void> {
    this.#looked = await this.#stamp();
    await this.look();
    this.#again();
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  current(): Description | undefined {
    return this.#resources === undefined ? undefined : { resources: this.#resources };
  }

  onChange(listener: (change: SourceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  state(): SourceState {
    return this.#state;
  }

  /** Looks at the file; reads it when it is another one than was read and the same as a moment ago. */
  async look(): Promise<void> {
    const stamp = await this.#stamp();
    const rests = stamp === this.#looked;
    this.#looked = stamp;
    if (stamp === this.#read) {
      if (this.#state.kind === 'up') this.#state = { ...this.#state, lastSuccessMs: this.#now() };
      return;
    }
    if (!rests) return;
    this.#read = stamp;
    await this.#load();
  }

  async #load(): Promise<void> {
    const { path, log } = this.#options;
    let parsed: Parsed;
    try {
      parsed = await this.#parse();
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#fail([`${path}: ${errorText(error)}`]);
      return;
    }
    const { resources, mistakes } = parsed;
    if (resources === undefined) {
      this.#fail(mistakes.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`));
      return;
    }
    this.#resources = resources;
    this.#state = { kind: 'up', from: path, lastSuccessMs: this.#now() };
    log.info({ file: path, resources: resources.length }, 'static tags read');
    for (const listener of this.#listeners) listener({ kind: 'all' });
  }

  async #parse(): Promise<Parsed> {
    const { path } = this.#options;
    const isCsv = path.toLowerCase().endsWith('.csv');
    const most = isCsv ? MOST_CSV_BYTES : MOST_YAML_BYTES;
    const bytes = await readBounded(path, most);
    if (bytes.length > most) {
      const advice = isCsv ? 'write several files' : 'write it as CSV, or as several files';
      throw new Error(`expected at most ${most} bytes; got more: ${advice}`);
    }
    const text = decode(bytes);
    return isCsv ? parseCsv(text) : parseYamlAside(text, this.#stopped.signal);
  }

  #fail(lines: readonly string[]): void {
    const { log } = this.#options;
    const advice = this.#resources === undefined ? 'nothing is known from it' : 'the last good one stays';
    for (const line of lines.slice(0, 10)) log.error({ mistake: line }, `cannot use a file of static tags; ${advice}`);
    this.#state = {
      ...this.#state,
      kind: 'failing',
      lastError: lines.slice(0, 10).join('\n'),
      lastErrorMs: this.#now(),
    };
  }

  async #stamp(): Promise<string> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#options.path);
      return `${mtimeMs} ${size} ${ino}`;
    } catch (error) {
      return errorText(error);
    }
  }

  #again(): void {
    if (this.#stopped.signal.aborted) return;
    this.#timer = setTimeout(() => {
      void this.look().finally(() => this.#again());
    }, this.#options.intervalMs ?? INTERVAL_MS).unref();
  }
}

async function readBounded(path: string, most: number): Promise<Uint8Array> {
  // Opening a pipe would otherwise wait for somebody who writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new Error('expected a file; got a directory');
    if (!stats.isFile()) throw new Error('expected a file; got a pipe or a device');
    const { size } = stats;
    if (size > most) return new Uint8Array(most + 1);
    // It may grow while it is read.
    const buffer = Buffer.alloc(size + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('expected UTF-8 text');
  }
}

/** For each path so many of its last parts that no other path ends in the same. */
export function distinctTails(paths: readonly string[]): readonly string[] {
  return paths.map((path) => {
    const most = path.split('/').length;
    for (let parts = 1; parts < most; parts++) {
      const tail = tailOf(path, parts);
      if (paths.every((other) => other === path || tailOf(other, parts) !== tail)) return tail;
    }
    return path;
  });
}

function tailOf(path: string, parts: number): string {
  return path.split('/').slice(-parts).join('/');
}
