import { isUtf8 } from 'node:buffer';
import { LabelList } from '../../base/label-fields.ts';
import type { ActiveSeries, FormKind, SeriesAdded, SeriesTagger } from '../../base/ports.ts';
import { SluiceError } from '../../base/errors.ts';
import type { SampleStage } from '../../base/sample-stage.ts';
import type { Batch } from '../../batch/batch.ts';
import type { StringBuilder } from '../../batch/builder.ts';
import { storableTimes } from '../../catalog/prometheus.ts';
import type { RemoteWriteLimits } from './config.ts';
import { type FamilyMetadata, type FamilyMetadataCache, REPEAT_MS } from './family-metadata.ts';
import { HistogramColumns } from './histogram-columns.ts';
import { histogramProblem } from './histogram-rules.ts';
import type { Histogram } from './histogram.ts';
import type { MessageMemory } from './message-memory.ts';
import { checkLabels, describeLabels, putLabels } from './new-series.ts';
import { Problems } from './problems.ts';
import { RowSet } from './row-set.ts';

/** Times a table accepts, inclusive, in epoch milliseconds. */
export interface TimeWindow {
  readonly min: number;
  readonly max: number;
}

export interface AcceptanceScope {
  readonly org: number;
  readonly series: ActiveSeries;
  /** Absent: series are not tagged. */
  readonly tagger?: SeriesTagger | undefined;
  /** Agent that the message came through, 0 = none. */
  readonly agent: number;
  readonly metadata: FamilyMetadataCache;
  readonly nowMs: number;
  readonly samples: TimeWindow;
  readonly histograms: TimeWindow;
  readonly exemplars: TimeWindow;
}

/** Greatest start timestamp, which is stored as a whole number: what is exact as a number. */
const MAX_START = Number.MAX_SAFE_INTEGER;

/**
 * What of one message is taken: rows, problems and counts. The decoders hand over what they find; a series number of -1 stands for one that is not
 * taken, its points are only counted. Pooled together with its rows: in use until `append` has settled.
 */
export class Acceptance {
  readonly rows = new RowSet();
  readonly problems = new Problems();
  readonly list = new LabelList();
  readonly announced = new Set<number>();
  families: FamilyMetadata[] = [];
  histograms = 0;
  exemplars = 0;
  /** Series that the series limit kept out. */
  limited = 0;
  /** Series that were refused because another one has their id. */
  collided = 0;
  /** Why points of the present refused series are dropped. */
  #refusal = '';
  #scope!: AcceptanceScope;
  #series!: ActiveSeries;
  #ids!: Uint32Array;
  #message!: MessageMemory;
  #stage!: SampleStage;
  readonly #limits: RemoteWriteLimits;
  readonly #histogramColumns: HistogramColumns = new HistogramColumns(this.rows.histograms);
  readonly #metadataTime = this.rows.metadata.fixed('time');
  readonly #metadataTexts: readonly StringBuilder[] = ['metric_family_name', 'type', 'unit', 'help'].map((name) =>
    this.rows.metadata.string(name),
  );
  /** The new series whose canonical labels `list` has, as ranges of the memory; 0 = none. */
  #listed = 0;
  #labelBytes = 0;
  #points = 0;
  #entries = 0;
  #pendingFamilies = new Map<string, FamilyMetadata>();
  readonly #pendingMetadata = new Set<number>();
  #metadataGeneration = 0;

  constructor(limits: RemoteWriteLimits) {
    this.#limits = limits;
  }

  get samples(): number {
    return this.rows.samples.rows;
  }

  get scope(): AcceptanceScope {
    return this.#scope;
  }

  get limits(): RemoteWriteLimits {
    return this.#limits;
  }

  /** Begins the message that was placed. */
  begin(scope: AcceptanceScope, message: MessageMemory): void {
    this.reset();
    this.#scope = scope;
    this.#series = scope.series;
    this.#ids = scope.series.ids;
    scope.series.begin();
    this.#metadataGeneration = scope.series.metadataGeneration;
    this.#message = message;
    this.#stage = message.stage;
    this.#stage.begin(message.start, message.end, scope.samples.min, scope.samples.max);
  }

  /** All of the message was decoded: its samples go from the stage into the rows. */
  finish(): readonly Batch[] {
    this.rows.samples.drain(this.#stage);
    return this.rows.finish(this.#scope.org, this.#scope.nowMs);
  }

  reset(): void {
    this.rows.reset();
    this.problems.clear();
    this.announced.clear();
    this.families = [];
    this.#pendingFamilies.clear();
    this.#pendingMetadata.clear();
    this.histograms = 0;
    this.exemplars = 0;
    this.limited = 0;
    this.collided = 0;
    this.#listed = 0;
    this.#labelBytes = 0;
    this.#points = 0;
    this.#entries = 0;
  }

  /** Counts TimeSeries entries. */
  entries(count: number): void {
    this.#entries += count;
    if (this.#entries > this.#limits.seriesPerRequest) {
      throw tooMany('TimeSeries', this.#limits.seriesPerRequest, 'write-series');
    }
  }

  /** Counts points against the limit of a request; called once an entry. */
  addPoints(count: number): void {
    this.#points += count;
    if (this.#points > this.#limits.samplesPerRequest) {
      throw tooMany('samples', this.#limits.samplesPerRequest, 'write-samples');
    }
  }

  /**
   * Takes familiar TimeSeries of the stage's message (ActiveSeries.takeFamiliar) until one is not familiar or the message ends. Returns where that is.
   */
  takeFamiliar(kind: FormKind): number {
    const stage = this.#stage;
    for (;;) {
      const before = stage.rows;
      this.#series.takeFamiliar(kind, stage);
      const taken = stage.rows - before;
      if (kind === 0) this.entries(taken);
      this.addPoints(taken);
      if (!stage.isFull) return stage.at;
      this.rows.samples.drain(stage);
    }
  }

  /** Takes a float sample; time and value as unsigned halves. */
  sample(series: number, timeLow: number, timeHigh: number, valueLow: number, valueHigh: number): void {
    if (series < 0) {
      this.problems.drop(this.#refusal, 1);
      return;
    }
    const time = toNumber(timeLow, timeHigh);
    if (!this.#isInWindow(series, time, this.#scope.samples)) return;
    const stage = this.#stage;
    if (stage.isFull) this.rows.samples.drain(stage);
    stage.push(this.#ids, series, timeLow, timeHigh, valueLow, valueHigh);
    this.rows.samples.points.saw(time);
  }

  histogram(series: number, histogram: Histogram): void {
    if (series < 0) {
      this.problems.drop(this.#refusal, 1);
      return;
    }
    const [low, high] = histogram.timestamp;
    const time = toNumber(low, high);
    if (!this.#isInWindow(series, time, this.#scope.histograms)) return;
    const problem =
      histogramProblem(histogram) ??
      (Math.abs(toNumber(...histogram.startTimestamp)) > MAX_START ? 'has a start timestamp beyond 2^53' : undefined);
    if (problem !== undefined) {
      this.problems.drop('invalid_histogram', 1);
      this.#complain(series, `a histogram ${problem}`);
      return;
    }
    this.rows.histograms.push(this.#ids, series, low, high, time);
    this.#histogramColumns.push(histogram);
    this.histograms++;
  }

  /** Takes an exemplar whose labels stand in `labels` as ranges of the memory. Time and value as halves. */
  exemplar(series: number, labels: LabelList, time: readonly [number, number], value: readonly [number, number]): void {
    if (series < 0) {
      this.problems.drop(this.#refusal, 1);
      return;
    }
    const milliseconds = toNumber(...time);
    if (!this.#isInWindow(series, milliseconds, this.#scope.exemplars)) return;
    const problem = this.#exemplarProblem(labels);
    if (problem !== undefined) {
      this.problems.drop('invalid_exemplar', 1);
      this.#complain(series, `an exemplar ${problem}`);
      return;
    }
    this.rows.exemplars.push(this.#ids, series, time[0], time[1], milliseconds);
    this.rows.exemplarValue.appendHalves(value[0], value[1]);
    this.rows.exemplarLabels.push(labels, this.#series.memory.bytes);
    this.exemplars++;
  }

  /** Why points of a series are refused that its entry itself makes impossible. Returns -1, the number of such a series. */
  refuse(reason: string, text: string): -1 {
    this.#refusal = reason;
    if (this.problems.listsMore) this.problems.add(text);
    else this.problems.addUnlisted();
    return -1;
  }

  /**
   * Checks the labels in `list` (ranges of the memory) of a spelling not seen before, and lets `add` add it. Returns the form, or -1 when the series
   * is refused; the reason is then noted. It becomes the successor of `previous`.
   */
  newForm(previous: number, add: (labels: Uint8Array) => SeriesAdded): number {
    const { memory } = this.#series;
    const message = this.#message;
    this.#listed = 0;
    const problem = checkLabels(this.list, memory, message.labels, this.#limits);
    if (problem !== undefined) {
      return this.refuse(problem.reason, `${this.#describe(memory.bytes)} ${problem.text}`);
    }
    const end = putLabels(this.list, message.canonical, message.labels);
    this.#labelBytes += end - message.canonical;
    if (this.#labelBytes > this.#limits.labelBytesPerRequest) {
      throw tooMany('bytes of label text', this.#limits.labelBytesPerRequest, 'write-label-bytes');
    }
    const added = add(memory.bytes.subarray(message.canonical, end));
    this.#ids = this.#series.ids;
    if (added.kind !== 'refused') {
      this.#listed = added.series;
      this.#series.link(previous, added.form);
      return added.form;
    }
    if (added.reason === 'limit') {
      this.limited++;
      return this.refuse('series_limit', `${this.#describe(memory.bytes)} is one series too many (limits.series)`);
    }
    this.collided++;
    return this.refuse('series_collision', `${this.#describe(memory.bytes)} has the same id as another series`);
  }

  /** Marks a series as seen, and announces it when that is due. */
  touch(series: number): void {
    if (this.#series.touch(series) && !this.announced.has(series)) this.#announce(series);
  }

  /**
   * Takes metadata of a family; texts must be valid UTF-8. `number` is what ActiveSeries.setMetadata returned for it, which is told until when it is
   * good.
   */
  metadata(metadata: FamilyMetadata, number = 0): void {
    const { nowMs } = this.#scope;
    const until = this.#scope.metadata.goodUntil(metadata);
    if (nowMs < until) {
      this.#series.setMetadataGood(number, Math.floor(until / 1000));
      return;
    }
    // Not good before it is in the journal.
    this.#series.setMetadataGood(number, 0);
    if (number !== 0) this.#pendingMetadata.add(number);
    const pending = this.#pendingFamilies.get(metadata.family);
    if (pending?.type === metadata.type && pending.unit === metadata.unit && pending.help === metadata.help) return;
    this.#pendingFamilies.set(metadata.family, metadata);
    this.families.push(metadata);
    const texts = [metadata.family, metadata.type, metadata.unit, metadata.help];
    for (const [index, column] of this.#metadataTexts.entries()) column.appendText(texts[index]!);
    this.#metadataTime.appendHalves(nowMs % 4294967296, nowMs / 4294967296);
  }

  /** Whether this message writes metadata of this number already. */
  writesMetadata(number: number): boolean {
    return this.#pendingMetadata.has(number);
  }

  /** The journal has the message's rows. */
  written(): void {
    const { metadata, nowMs } = this.#scope;
    const series = this.#series;
    series.announced(this.announced);
    metadata.written(this.families, nowMs);
    if (series.metadataGeneration !== this.#metadataGeneration) return;
    const until = Math.floor((nowMs + REPEAT_MS) / 1000);
    for (const number of this.#pendingMetadata) series.setMetadataGood(number, until);
  }

  /** Text [start, end) of the memory for metadata; undefined when it is not valid UTF-8 or longer than the limit. */
  text(start: number, end: number): string | undefined {
    if (end - start > this.#limits.metadataTextBytes) return undefined;
    const { bytes } = this.#series.memory;
    return isUtf8(bytes.subarray(start, end)) ? bytes.toString('utf8', start, end) : undefined;
  }

  #announce(series: number): void {
    this.announced.add(series);
    const list = this.list;
    let labels: Uint8Array = this.#series.memory.bytes;
    if (series !== this.#listed) {
      labels = this.#series.labels(series);
      this.#listed = 0;
      list.parse(labels, 0, labels.length);
    }
    const tags = this.#tags(series, labels);
    const validFrom = this.#series.validFrom(series);
    this.rows.series.push(this.#series, this.#scope.nowMs, { series, list, bytes: labels, validFrom, tags });
  }

  /** The tags of the series whose labels `list` has. Other ones than those it was announced with begin a new version of it. */
  #tags(series: number, labels: Uint8Array): Uint32Array | undefined {
    const { tagger, agent, nowMs } = this.#scope;
    if (tagger === undefined) return undefined;
    const { tags } = this.#series;
    const subject = tagger.subjectOf(this.list, labels, agent);
    const signature = tagger.signatureOf(subject);
    const before = tags.signature(series);
    if (before !== 0 && before !== signature) this.#series.renew(series, nowMs);
    tags.setSubject(series, subject);
    tags.setAnnounced(series, agent, signature);
    return tagger.tagsOf(subject);
  }

  #isInWindow(series: number, time: number, { min, max }: TimeWindow): boolean {
    if (time >= min && time <= max) return true;
    const isTooOld = time < min;
    const isStorable = time >= storableTimes.from && time <= storableTimes.until;
    const reason = !isStorable ? 'time_range' : isTooOld ? 'too_old' : 'too_new';
    this.problems.drop(reason, 1);
    this.#complain(
      series,
      reason === 'time_range'
        ? 'the timestamp is not within the years 1900 to 2299, in milliseconds'
        : `the timestamp ${time} is too far in the ${isTooOld ? 'past' : 'future'}; accepted are ${min} to ${max}`,
    );
    return false;
  }

  #exemplarProblem(labels: LabelList): string | undefined {
    const { bytes } = this.#series.memory;
    let characters = 0;
    for (let i = 0; i < labels.count; i++) {
      const name = bytes.subarray(labels.nameStart(i), labels.nameEnd(i));
      const value = bytes.subarray(labels.valueStart(i), labels.valueEnd(i));
      if (name.length === 0) return 'has an empty label name';
      if (!isUtf8(name) || !isUtf8(value)) return 'has a label that is not valid UTF-8';
      characters += characterCount(name) + characterCount(value);
    }
    if (characters > this.#limits.exemplarLabelCharacters) {
      return `has ${characters} characters of labels; expected at most ${this.#limits.exemplarLabelCharacters} (limits.exemplar-labels)`;
    }
    labels.sort(bytes);
    for (let i = 1; i < labels.count; i++) if (labels.compareNames(bytes, i - 1, i) === 0) return 'has a label twice';
    return undefined;
  }

  #complain(series: number, text: string): void {
    if (!this.problems.listsMore) {
      this.problems.addUnlisted();
      return;
    }
    const labels = this.#series.labels(series);
    const list = new LabelList();
    list.parse(labels, 0, labels.length);
    this.problems.add(`${describeLabels(list, labels)}: ${text}`);
  }

  #describe(bytes: Uint8Array): string {
    return this.problems.listsMore ? describeLabels(this.list, bytes) : '';
  }
}

/** An int64 given as unsigned halves. */
export function toNumber(low: number, high: number): number {
  return (high | 0) * 4294967296 + low;
}

/** Code points of valid UTF-8. */
function characterCount(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if ((byte & 0xc0) !== 0x80) count++;
  return count;
}

function tooMany(what: string, limit: number, key: string): SluiceError {
  return new SluiceError(
    'bad_request',
    `cannot take the request: it has more than ${limit} ${what} (limits.${key}); send fewer at a time`,
  );
}
