import { errorText } from '../../base/errors.ts';
import type { Log } from '../../telemetry/log.ts';
import { Periodic } from '../../telemetry/periodic.ts';
import { backOffMs } from '../back-off.ts';
import type { Description, Source, SourceState } from '../source.ts';
import { boundedGet } from './bounded-get.ts';
import { readAside } from './read-aside.ts';
import type { AnswerKind, MetricMetadata, ReadAnswer, ReadConfig, ReadMetadata, ReadTargets } from './read-answers.ts';
import type { PrometheusServer } from './servers.ts';
import type { ServerTargets } from './target-table.ts';

export interface AskedServerOptions {
  readonly server: PrometheusServer;
  readonly log: Log;
  /** Called when its targets or its configuration are other ones. */
  readonly onTargets: () => void;
  /** Called with what is said of metrics when that is something else. */
  readonly onMetadata: (families: readonly MetricMetadata[]) => void;
  /** How often targets are asked for; the rest is asked for every sixth time. Default 10 s. */
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly mostBytes?: number;
  readonly now?: () => number;
}

const INTERVAL_MS = 10_000;
const TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 120_000;
const MOST_BYTES = 64 * 1024 * 1024;
const SELDOM = 6;

const PATHS: Readonly<Record<AnswerKind, string>> = {
  targets: '/api/v1/targets?state=active',
  config: '/api/v1/status/config',
  metadata: '/api/v1/metadata?limit_per_metric=1',
};

/**
 * A Prometheus server that is asked again and again. It describes no resources: it says which of them is behind `job` and `instance` (`targets`). What
 * it said last stays while it cannot be asked; how old that is, and why, stands in `state`. After a failure it is asked at longer and longer
 * intervals, up to 2 minutes.
 */
export class AskedServer implements Source {
  readonly kind = 'prometheus';
  readonly name: string;
  readonly org: number;
  readonly #options: AskedServerOptions;
  readonly #now: () => number;
  readonly #stopped = new AbortController();
  #targets: ReadTargets | undefined;
  #config: ReadConfig | undefined;
  #metadata: ReadMetadata | undefined;
  #state: SourceState;
  readonly #asking: Periodic;
  /** Its targets are other ones, and nobody was told so far. */
  #isUntold = false;
  #rounds = 0;
  #failures = 0;
  /** What is to be asked for in the next round although it is not its turn. */
  readonly #due = new Set<AnswerKind>(['targets', 'config', 'metadata']);

  constructor(options: AskedServerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.name = `prometheus ${options.server.url}`;
    this.org = options.server.org;
    const { url } = options.server;
    this.#state = { kind: 'starting', from: url };
    this.#asking = new Periodic({
      work: () => this.ask(),
      pauseMs: () => this.#pauseMs(),
      log: options.log,
      failure: 'cannot take over what a Prometheus server says; tried again',
      fields: { url },
    });
  }

  /** Asks at once, and from then on. */
  start(): void {
    this.#asking.start('at once');
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#asking.stop();
  }

  current(): Description | undefined {
    return this.#targets === undefined ? undefined : { resources: [] };
  }

  /** It describes no resources, so they never change. */
  onChange(): () => void {
    return () => undefined;
  }

  state(): SourceState {
    return this.#state;
  }

  get url(): string {
    return this.#options.server.url;
  }

  /** What it says; undefined until it has said anything. */
  get targets(): ServerTargets | undefined {
    if (this.#targets === undefined) return undefined;
    return { server: this.name, targets: this.#targets, config: this.#config, vpc: this.#options.server.vpc };
  }

  /** One round of questions. Rejects only as `onTargets` throws; the next round calls that again. */
  async ask(): Promise<void> {
    const kinds: AnswerKind[] = ['targets'];
    const isTurn = this.#rounds++ % SELDOM === 0;
    for (const kind of ['config', 'metadata'] as const) if (isTurn || this.#due.has(kind)) kinds.push(kind);
    const errors: string[] = [];
    for (const kind of kinds) {
      try {
        if (await this.#askFor(kind)) this.#isUntold = true;
        this.#due.delete(kind);
      } catch (error) {
        this.#due.add(kind);
        errors.push(`${PATHS[kind].split('?', 1)[0]}: ${errorText(error)}`);
        // Who cannot be reached need not be asked three times.
        if (kind === 'targets') break;
      }
    }
    if (this.#stopped.signal.aborted) return;
    this.#note(errors);
    // Before it is known which labels are honoured nothing is concluded from them, so the order does not matter.
    if (!this.#isUntold) return;
    this.#options.onTargets();
    this.#isUntold = false;
  }

  async #askFor(kind: AnswerKind): Promise<boolean> {
    const { server, timeoutMs = TIMEOUT_MS, mostBytes = MOST_BYTES } = this.#options;
    const { signal } = this.#stopped;
    const { status, body } = await boundedGet(new URL(server.url + PATHS[kind]), { mostBytes, timeoutMs, signal });
    // Others than Prometheus itself have targets, and nothing else.
    if (status === 404 && kind !== 'targets') return this.#take(kind, undefined);
    if (status !== 200) throw new Error(`expected status 200; got ${status}`);
    const answer = await readAside(kind, body, signal);
    signal.throwIfAborted();
    return this.#take(kind, answer);
  }

  /** True: targets, or what they mean, are other ones now. */
  #take(kind: AnswerKind, answer: ReadAnswer | undefined): boolean {
    const before = { targets: this.#targets, config: this.#config, metadata: this.#metadata }[kind];
    if (before?.digest === answer?.digest) return false;
    if (answer !== undefined && answer.skipped > 0) {
      const { server, log } = this.#options;
      log.warn(
        { url: server.url, kind, skipped: answer.skipped },
        'a part of what a Prometheus server says makes no sense',
      );
    }
    if (answer === undefined) {
      if (kind === 'config') this.#config = undefined;
      else this.#metadata = undefined;
    } else if (answer.kind === 'targets') this.#targets = answer;
    else if (answer.kind === 'config') this.#config = answer;
    else {
      this.#metadata = answer;
      this.#options.onMetadata(answer.families);
    }
    return kind !== 'metadata';
  }

  #note(errors: readonly string[]): void {
    const { server, log } = this.#options;
    const wasFailing = this.#state.kind === 'failing';
    const nowMs = this.#now();
    if (errors.length === 0) {
      this.#failures = 0;
      this.#state = { kind: 'up', from: server.url, lastSuccessMs: nowMs };
      if (wasFailing) log.info({ url: server.url }, 'a Prometheus server answers again');
      return;
    }
    this.#failures++;
    this.#state = { ...this.#state, kind: 'failing', lastError: errors.join('; '), lastErrorMs: nowMs };
    if (wasFailing) return;
    const advice = this.#targets === undefined ? 'its targets are not known' : 'what it said last stays';
    log.warn(
      { url: server.url, cause: errors.join('; ') },
      `cannot ask a Prometheus server for its targets; ${advice}`,
    );
  }

  #pauseMs(): number {
    const { intervalMs = INTERVAL_MS } = this.#options;
    if (this.#failures === 0) return intervalMs;
    const longestMs = Math.max(LONGEST_PAUSE_MS, intervalMs);
    return backOffMs({ failures: this.#failures, firstMs: intervalMs, longestMs });
  }
}
