import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorText } from '../../base/errors.ts';
import { LabelList } from '../../base/label-fields.ts';
import type { ActiveSeries, Append, SeriesTagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { Periodic } from '../../telemetry/periodic.ts';
import { SeriesRows } from './series-rows.ts';

export interface TagChangesOptions {
  readonly org: number;
  readonly series: ActiveSeries;
  readonly tagger: SeriesTagger;
  readonly append: Append<Batch>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Until what the journal refused is tried again, and between rounds that give unused subjects back. */
  readonly retryMs?: number;
  readonly tidyMs?: number;
  readonly now?: () => number;
}

const RETRY_MS = 1000;
const TIDY_MS = 60_000;
/** Work between two turns of the event loop. */
const SLICE_MS = 5;
/** Rows of one append: some milliseconds of work. */
const MOST_ROWS = 1000;

/**
 * Announces series anew whose tags have changed, without waiting for their next sample: a row in prometheus.series with a later `valid_from`.
 *
 * Which series a change is about is known by subject (SeriesTagState), so the others are not looked at. All of them are gone through once after the
 * start, for those that came from the dictionary, and when subjects have become void; a few milliseconds at a time.
 */
export class TagChanges {
  readonly #options: TagChangesOptions;
  readonly #now: () => number;
  readonly #rows = new SeriesRows();
  readonly #list = new LabelList();
  readonly #mayLog = rateLimited(60_000);
  readonly #unsubscribe: () => void;
  readonly #tidying: Periodic;
  /** Subjects with series to be looked at. */
  #changed = new Set<number>();
  /** Next series to be gone through; Infinity = none. */
  #sweepAt = Infinity;
  #generation = 0;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: TagChangesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#unsubscribe = options.tagger.onChange((changed) => {
      for (const subject of changed ?? []) this.#changed.add(subject);
      this.#start();
    });
    this.#tidying = new Periodic({
      work: () => this.tidy(),
      pauseMs: options.tidyMs ?? TIDY_MS,
      log: options.log,
      failure: 'cannot give tags back that no series has any more; tried again',
      fields: { org: options.org },
    });
    this.#tidying.start();
    this.#start();
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Gives subjects back that no series has any more. */
  tidy(): void {
    const { series, tagger } = this.#options;
    if (this.#generation !== tagger.generation) return;
    const unused = [...tagger.subjects()].filter((subject) => series.tags.first(subject) === 0);
    tagger.release(unused);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    await this.#tidying.stop();
    clearTimeout(this.#retry);
    await this.settle();
  }

  #start(): void {
    if (this.#isStopped || this.#running !== undefined || this.#retry !== undefined) return;
    this.#running = this.#run()
      .catch((error: unknown) => this.#again(error))
      .finally(() => {
        this.#running = undefined;
        if (this.#hasWork()) this.#start();
      });
  }

  #again(error: unknown): void {
    const { org, log, retryMs = RETRY_MS } = this.#options;
    this.#mayLog((suppressed) =>
      log.warn(
        { org, cause: errorText(error), suppressed },
        'cannot announce series whose tags have changed; tried again',
      ),
    );
    if (this.#isStopped) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#start();
    }, retryMs).unref();
  }

  #hasWork(): boolean {
    const { tagger } = this.#options;
    return this.#changed.size > 0 || this.#sweepAt !== Infinity || this.#generation !== tagger.generation;
  }

  async #run(): Promise<void> {
    const { series, tagger } = this.#options;
    // What is told in one turn of the event loop is taken together.
    await nextTurn();
    while (!this.#isStopped && this.#hasWork()) {
      if (this.#generation !== tagger.generation) {
        this.#generation = tagger.generation;
        this.#changed.clear();
        series.tags.clearSubjects();
        this.#sweepAt = 1;
      }
      const [subject] = this.#changed;
      if (subject === undefined) await this.#sweep();
      else {
        await this.#announce(this.#seriesOf(subject));
        // A refusal has left it here.
        if (this.#seriesOf(subject).length === 0) this.#changed.delete(subject);
      }
    }
  }

  /** Series of a subject that were announced with other tags. */
  #seriesOf(subject: number): number[] {
    const { series, tagger } = this.#options;
    const signature = tagger.signatureOf(subject);
    const found: number[] = [];
    for (let one = series.tags.first(subject); one !== 0; one = series.tags.next(one)) {
      if (series.tags.signature(one) !== signature) found.push(one);
    }
    return found;
  }

  /** Goes through series without a subject, for a slice of time. */
  async #sweep(): Promise<void> {
    const { series, tagger } = this.#options;
    const { tags } = series;
    const until = performance.now() + SLICE_MS;
    const due: number[] = [];
    let at = this.#sweepAt;
    for (; at < series.end && performance.now() < until && due.length < MOST_ROWS; at++) {
      if (tags.subject(at) !== 0 || !series.isActive(at)) continue;
      const labels = this.#labels(at);
      const subject = tagger.subjectOf(this.#list, labels, tags.agent(at));
      tags.setSubject(at, subject);
      if (tags.signature(at) !== tagger.signatureOf(subject)) due.push(at);
    }
    // Before the cursor moves: after a refusal the same ones are looked at again.
    for (const one of due) if (tags.subject(one) !== 0) this.#changed.add(tags.subject(one));
    await this.#announce(due);
    this.#sweepAt = at >= series.end ? Infinity : at;
    await nextTurn();
  }

  async #announce(due: readonly number[]): Promise<void> {
    for (let from = 0; from < due.length; from += MOST_ROWS) {
      await this.#announceSome(due.slice(from, from + MOST_ROWS));
    }
  }

  async #announceSome(due: readonly number[]): Promise<void> {
    const { org, series, tagger, append, metrics } = this.#options;
    const { tags } = series;
    const nowMs = this.#now();
    const said: (readonly [series: number, signature: number])[] = [];
    this.#rows.reset();
    for (const one of due) {
      if (!series.isActive(one)) continue;
      const subject = tags.subject(one);
      const signature = tagger.signatureOf(subject);
      if (tags.signature(one) === signature) continue;
      // Until now it had none: they hold for all of its samples.
      if (tags.signature(one) !== 0) series.renew(one, nowMs);
      const bytes = this.#labels(one);
      const validFrom = series.validFrom(one);
      this.#rows.push(series, nowMs, { series: one, list: this.#list, bytes, validFrom, tags: tagger.tagsOf(subject) });
      said.push([one, signature]);
    }
    if (said.length === 0) return;
    const batches: Batch[] = [];
    this.#rows.finish(org, batches);
    await append(batches);
    const announced = said.filter(([one]) => series.isActive(one));
    for (const [one, signature] of announced) tags.setAnnounced(one, tags.agent(one), signature);
    series.announced(announced.map(([one]) => one));
    metrics.tagSeriesChanged.inc({ org }, announced.length);
  }

  /** Canonical labels of a series, and their ranges in `#list`. */
  #labels(series: number): Uint8Array {
    const labels = this.#options.series.labels(series);
    this.#list.parse(labels, 0, labels.length);
    return labels;
  }
}
