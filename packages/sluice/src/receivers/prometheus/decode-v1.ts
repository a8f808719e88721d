import { METRIC_TYPES } from 'promwrite/wire';
import type { LinearMemory } from '../../base/linear-memory.ts';
import { LabelList } from '../../base/label-fields.ts';
import type { ActiveSeries } from '../../base/ports.ts';
import type { Acceptance } from './acceptance.ts';
import type { RemoteWriteLimits } from './config.ts';
import { HistogramReader } from './histogram.ts';
import { type MessageMemory, SCRATCH_BYTES } from './message-memory.ts';
import { MAX_SERIES_BYTES } from './new-series.ts';
import { SampleReader } from './sample-reader.ts';
import { WireReader } from './wire-reader.ts';

/*
 * prometheus.WriteRequest, remote write 1.0:
 *
 *   WriteRequest    1 TimeSeries (repeated) | 3 MetricMetadata (repeated)
 *   TimeSeries      1 Label (repeated) | 2 Sample (repeated) | 3 Exemplar (repeated) | 4 Histogram (repeated)
 *   Label           1 name | 2 value
 *   Exemplar        1 Label (repeated) | 2 value, double | 3 timestamp
 *   MetricMetadata  1 type | 2 family name | 4 help | 5 unit
 *
 * The familiar majority is taken by ActiveSeries.takeFamiliar; here is everything else, in any order of fields.
 */
export class DecoderV1 {
  readonly #message: MessageMemory;
  readonly #memory: LinearMemory;
  readonly #reader: WireReader;
  readonly #samples: SampleReader;
  readonly #histograms: HistogramReader;
  readonly #exemplarLabels: LabelList = new LabelList();
  #taken!: Acceptance;
  #series!: ActiveSeries;

  constructor(message: MessageMemory, limits: RemoteWriteLimits) {
    this.#message = message;
    this.#memory = message.memory;
    this.#reader = new WireReader(message.memory);
    this.#samples = new SampleReader(message.memory);
    this.#histograms = new HistogramReader(message.memory, limits.histogramBuckets);
  }

  /** Decodes the placed message into `taken`. Throws `bad_request` when it is malformed or beyond a limit; then nothing of it may be used. */
  decode(taken: Acceptance): void {
    this.#taken = taken;
    this.#series = taken.scope.series;
    this.#refresh();
    const reader = this.#reader;
    const { end, stage } = this.#message;
    // A chain of 1.0 forms begins with 0.
    stage.previous = 0;
    for (;;) {
      reader.at = taken.takeFamiliar(0);
      if (reader.at >= end) return;
      const tag = reader.tag(end);
      if (tag === 0x0a) {
        const stop = reader.limit(end);
        taken.entries(1);
        stage.previous = this.#timeSeries(reader.at, stop, stage.previous);
        reader.at = stop;
      } else if (tag === 0x1a) {
        const stop = reader.limit(end);
        this.#metadata(stop);
        reader.at = stop;
      } else reader.skipUnknown(tag, end, tag >>> 3 === 1 || tag >>> 3 === 3);
      stage.at = reader.at;
    }
  }

  /** Returns the form, for the next one's guess. */
  #timeSeries(start: number, stop: number, previous: number): number {
    const series = this.#series;
    const form = series.follow(previous, start, stop);
    if (form < 0) return this.#unfamiliar(start, stop, previous);
    const at = start + series.formLength(form);
    if (this.#hasLabels(at, stop)) return this.#unfamiliar(start, stop, previous);
    const number = series.seriesOf(form);
    this.#taken.touch(number);
    this.#points(at, stop, number);
    return form;
  }

  /** Labels not guessed: found by their hash, or new, or not in one piece. */
  #unfamiliar(start: number, stop: number, previous: number): number {
    const reader = this.#reader;
    // Where the labels end if they come first and in one piece, as they should.
    let labelsEnd = start;
    let isWhole = true;
    reader.at = start;
    while (reader.at < stop) {
      const before = reader.at;
      const tag = reader.tag(stop);
      reader.skipUnknown(tag, stop, tag !== 0x0a && tag >>> 3 === 1);
      if (tag !== 0x0a) continue;
      if (before === labelsEnd) labelsEnd = reader.at;
      else isWhole = false;
    }
    let [from, to] = [start, labelsEnd];
    if (!isWhole) [from, to] = this.#gather(start, stop);
    let form = to - from > MAX_SERIES_BYTES ? -1 : this.#series.find(0, previous, from, to);
    if (form < 0) form = this.#newForm(previous, from, to);
    const number = form < 0 ? -1 : this.#series.seriesOf(form);
    if (number > 0) this.#taken.touch(number);
    this.#points(start, stop, number);
    return form < 0 ? previous : form;
  }

  /** Copies label fields that lie apart into the scratch place, one after the other. */
  #gather(start: number, stop: number): [from: number, to: number] {
    const reader = this.#reader;
    const from = this.#message.scratch;
    let to = from;
    reader.at = start;
    while (reader.at < stop) {
      const before = reader.at;
      const tag = reader.tag(stop);
      reader.skip(tag, stop);
      if (tag !== 0x0a) continue;
      // What does not fit is over the limit of a series, and refused as such.
      const size = Math.min(reader.at - before, from + SCRATCH_BYTES - to);
      this.#memory.bytes.copyWithin(to, before, before + size);
      to += size;
    }
    return [from, to];
  }

  #newForm(previous: number, from: number, to: number): number {
    const taken = this.#taken;
    if (to - from > MAX_SERIES_BYTES) {
      return taken.refuse(
        'label_limit',
        `a series has label fields of ${to - from} bytes; expected at most ${MAX_SERIES_BYTES}`,
      );
    }
    this.#labels(taken.list, from, to, 0x0a);
    const form = taken.newForm(previous, (labels) => this.#series.add(from, to, labels));
    this.#refresh();
    return form;
  }

  /** Reads the label fields of [from, to) into `list`; other fields are stepped over. */
  #labels(list: LabelList, from: number, to: number, labelTag: number): void {
    const reader = this.#reader;
    list.clear();
    reader.at = from;
    while (reader.at < to) {
      const tag = reader.tag(to);
      if (tag === labelTag) this.#label(list, reader.limit(to));
      else reader.skip(tag, to);
    }
  }

  #label(list: LabelList, stop: number): void {
    const reader = this.#reader;
    let nameStart = reader.at;
    let nameEnd = nameStart;
    let valueStart = nameStart;
    let valueEnd = nameStart;
    while (reader.at < stop) {
      const tag = reader.tag(stop);
      if (tag === 0x0a) {
        nameEnd = reader.limit(stop);
        nameStart = reader.at;
        reader.at = nameEnd;
      } else if (tag === 0x12) {
        valueEnd = reader.limit(stop);
        valueStart = reader.at;
        reader.at = valueEnd;
      } else reader.skipUnknown(tag, stop, tag >>> 3 <= 2);
    }
    list.push(nameStart, nameEnd, valueStart, valueEnd);
  }

  #hasLabels(at: number, stop: number): boolean {
    const reader = this.#reader;
    reader.at = at;
    while (reader.at < stop) {
      const tag = reader.tag(stop);
      if (tag >>> 3 === 1) return true;
      reader.skip(tag, stop);
    }
    return false;
  }

  /** Samples, exemplars and histograms of [at, stop); -1: they are only counted. */
  #points(at: number, stop: number, series: number): void {
    const reader = this.#reader;
    const taken = this.#taken;
    let points = 0;
    reader.at = at;
    while (reader.at < stop) {
      const tag = reader.tag(stop);
      if (tag === 0x12) {
        const end = reader.limit(stop);
        const samples = this.#samples;
        samples.read(reader.at, end);
        taken.sample(series, samples.timeLow, samples.timeHigh, samples.valueLow, samples.valueHigh);
        reader.at = end;
        points++;
      } else if (tag === 0x1a) {
        const end = reader.limit(stop);
        this.#exemplar(end, series);
        reader.at = end;
        points++;
      } else if (tag === 0x22) {
        const end = reader.limit(stop);
        taken.histogram(series, this.#histograms.read(reader.at, end));
        reader.at = end;
        points++;
      } else reader.skipUnknown(tag, stop, tag !== 0x0a && tag >>> 3 <= 4);
    }
    taken.addPoints(points);
  }

  #exemplar(end: number, series: number): void {
    const reader = this.#reader;
    const labels = this.#exemplarLabels;
    const time: [number, number] = [0, 0];
    const value: [number, number] = [0, 0];
    labels.clear();
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x0a) this.#label(labels, reader.limit(end));
      else if (tag === 0x11) {
        reader.fixed64(end);
        value[0] = reader.low;
        value[1] = reader.high;
      } else if (tag === 0x18) {
        reader.varint(end);
        time[0] = reader.low;
        time[1] = reader.high;
      } else reader.skipUnknown(tag, end, tag >>> 3 <= 3);
    }
    this.#taken.exemplar(series, labels, time, value);
  }

  #metadata(end: number): void {
    const reader = this.#reader;
    let type = 0;
    let family: string | undefined;
    let help: string | undefined = '';
    let unit: string | undefined = '';
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x08) {
        reader.varint(end);
        type = reader.low;
      } else if (tag === 0x12) family = this.#text(end);
      else if (tag === 0x22) help = this.#text(end);
      else if (tag === 0x2a) unit = this.#text(end);
      else reader.skipUnknown(tag, end, tag >>> 3 <= 5 && tag >>> 3 !== 3);
    }
    if (family === undefined || family === '' || help === undefined || unit === undefined) {
      this.#taken.problems.drop('invalid_metadata', 1);
    } else this.#taken.metadata({ family, type: METRIC_TYPES[type] ?? 'unknown', unit, help });
  }

  #text(end: number): string | undefined {
    const stop = this.#reader.limit(end);
    const text = this.#taken.text(this.#reader.at, stop);
    this.#reader.at = stop;
    return text;
  }

  #refresh(): void {
    this.#reader.refresh();
    this.#samples.refresh();
  }
}
