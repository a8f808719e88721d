import { METRIC_TYPES } from 'promwrite/wire';
import { SluiceError } from '../../base/errors.ts';
import { LabelList } from '../../base/label-fields.ts';
import type { LinearMemory } from '../../base/linear-memory.ts';
import type { ActiveSeries } from '../../base/ports.ts';
import type { Acceptance } from './acceptance.ts';
import type { RemoteWriteLimits } from './config.ts';
import { familyOf } from './family-metadata.ts';
import { HistogramReader } from './histogram.ts';
import type { MessageMemory } from './message-memory.ts';
import { NOT_INTERNED, SymbolReferences } from './message-symbols.ts';
import { describeLabels } from './new-series.ts';
import { SampleReader } from './sample-reader.ts';
import { malformed, WireReader } from './wire-reader.ts';

/** References of one series that are looked at; a series with more is over every limit of labels. */
const MAX_REFS = 4096;

/*
 * io.prometheus.write.v2.Request, remote write 2.0:
 *
 *   Request     4 symbol (repeated string) | 5 TimeSeries (repeated), in any order
 *   TimeSeries  1 labels_refs (packed uint32: name, value, ...) | 2 Sample (repeated) | 3 Histogram (repeated) | 4 Exemplar (repeated) | 5 Metadata
 *               | 6 created timestamp of old drafts, skipped
 *   Exemplar    1 labels_refs | 2 value, double | 3 timestamp
 *   Metadata    1 type | 3 help_ref | 4 unit_ref
 *
 * Two passes, as symbols may come last: symbols, then TimeSeries. A series is recognised by the numbers of its interned symbols. The familiar majority
 * is taken by ActiveSeries.takeFamiliar; here is everything else, in any order of fields.
 */
export class DecoderV2 {
  readonly #message: MessageMemory;
  readonly #memory: LinearMemory;
  readonly #reader: WireReader;
  readonly #samples: SampleReader;
  readonly #histograms: HistogramReader;
  readonly #symbols: SymbolReferences;
  readonly #refs: Uint32Array = new Uint32Array(MAX_REFS);
  readonly #exemplarRefs: Uint32Array = new Uint32Array(MAX_REFS);
  readonly #exemplarLabels: LabelList = new LabelList();
  readonly #limits: RemoteWriteLimits;
  /** Metadata of the TimeSeries at hand, if it has any. */
  #hasMetadata = false;
  #type = 0;
  #helpRef = 0;
  #unitRef = 0;
  #taken!: Acceptance;
  #series!: ActiveSeries;

  constructor(message: MessageMemory, limits: RemoteWriteLimits) {
    this.#message = message;
    this.#memory = message.memory;
    this.#limits = limits;
    this.#symbols = new SymbolReferences(message.stage);
    this.#reader = new WireReader(message.memory);
    this.#samples = new SampleReader(message.memory);
    this.#histograms = new HistogramReader(message.memory, limits.histogramBuckets);
  }

  /** Decodes the placed message into `taken`. Throws `bad_request` when it is malformed or beyond a limit; then nothing of it may be used. */
  decode(taken: Acceptance): void {
    this.#taken = taken;
    this.#series = taken.scope.series;
    this.#refresh();
    const { start, end, stage } = this.#message;
    const reader = this.#reader;
    stage.at = this.#readSymbols(start, end);
    // A chain of 2.0 forms begins with 1.
    stage.previous = 1;
    for (;;) {
      reader.at = taken.takeFamiliar(1);
      if (reader.at >= end) return;
      const tag = reader.tag(end);
      if (tag === 0x2a) {
        const stop = reader.limit(end);
        stage.previous = this.#timeSeries(reader.at, stop, stage.previous);
        reader.at = stop;
      } else reader.skip(tag, end);
      stage.at = reader.at;
    }
  }

  /** Looks through the whole message for symbols; returns where the first TimeSeries is. */
  #readSymbols(start: number, end: number): number {
    const reader = this.#reader;
    const symbols = this.#symbols;
    const { stage } = this.#message;
    reader.at = start;
    for (;;) {
      const at = symbols.scan(reader.at, end, this.#limits.symbolsPerRequest);
      // The table may have let the memory grow.
      this.#refresh();
      if (at === false) {
        throw new SluiceError('overloaded', 'cannot take the request: no memory is left for its symbols');
      }
      if (symbols.count > this.#limits.symbolsPerRequest) {
        throw new SluiceError(
          'bad_request',
          `cannot take the request: it has more than ${this.#limits.symbolsPerRequest} symbols (limits.write-symbols)`,
        );
      }
      if (at >= end) break;
      reader.at = at;
      const tag = reader.tag(end);
      if (tag === 0x22) {
        const stop = reader.limit(end);
        symbols.push(reader.at, stop);
        reader.at = stop;
      } else if (tag === 0x2a) {
        stage.sawEntry(at);
        reader.at = reader.limit(end);
      } else reader.skipUnknown(tag, end, tag >>> 3 === 4 || tag >>> 3 === 5);
    }
    this.#taken.entries(stage.entries);
    return stage.firstEntry === 0 ? end : stage.firstEntry;
  }

  /** Returns the form, for the next one's guess. */
  #timeSeries(start: number, stop: number, previous: number): number {
    const count = this.#readRefs(start, stop, this.#refs);
    const form = this.#form(count, previous);
    this.#readMetadata(start, stop);
    this.#points(start, stop, form < 0 ? -1 : this.#accepted(form));
    return form < 0 ? previous : form;
  }

  /** The form that the references name, known or new; -1 when the series is refused. */
  #form(count: number, previous: number): number {
    const taken = this.#taken;
    const symbols = this.#symbols;
    const refs = this.#refs;
    if (count % 2 !== 0)
      return taken.refuse('invalid_labels', `a series has ${count} labels_refs; expected an even number`);
    if (count > MAX_REFS) {
      return taken.refuse(
        'label_limit',
        `a series has ${count / 2} labels; expected at most ${this.#limits.labelsPerSeries} (limits.labels)`,
      );
    }
    for (let i = 0; i < count; i++) {
      if (refs[i]! >= symbols.count) {
        return taken.refuse(
          'invalid_labels',
          `a series refers to symbol ${refs[i]}; expected one of ${symbols.count} symbols`,
        );
      }
    }
    if (this.#isInterned(count)) {
      const { scratch } = this.#message;
      for (let i = 0; i < count; i++) this.#memory.words[scratch / 4 + i] = symbols.numbers[refs[i]!]!;
      const end = scratch + count * 4;
      let form = this.#series.follow(previous, scratch, end);
      if (form < 0 || this.#series.formLength(form) !== count * 4) form = this.#series.find(1, previous, scratch, end);
      if (form >= 0) return form;
    }
    this.#pushLabels(taken.list, refs, count);
    const form = taken.newForm(previous, (labels) => this.#series.addSymbolic(symbols, refs, count, labels));
    this.#refresh();
    return form;
  }

  #isInterned(count: number): boolean {
    for (let i = 0; i < count; i++) {
      if (this.#numberOf(this.#refs[i]!) === NOT_INTERNED) return false;
    }
    return true;
  }

  /** Number of the form's series once its metadata is found good, or -1. */
  #accepted(form: number): number {
    const series = this.#series.seriesOf(form);
    if (!this.#hasMetadata) {
      this.#taken.touch(series);
      return series;
    }
    const { count } = this.#symbols;
    if (this.#helpRef >= count || this.#unitRef >= count) {
      return this.#taken.refuse(
        'invalid_metadata',
        `${this.#describe(series)} refers to help ${this.#helpRef} and unit ${this.#unitRef}; expected two of ${count} symbols`,
      );
    }
    this.#taken.touch(series);
    this.#metadata(form);
    return series;
  }

  /** Reads the metadata among the fields of [at, stop), before any of them is taken. */
  #readMetadata(at: number, stop: number): void {
    const reader = this.#reader;
    this.#hasMetadata = false;
    reader.at = at;
    while (reader.at < stop) {
      const tag = reader.tag(stop);
      if (tag !== 0x2a) {
        reader.skip(tag, stop);
        continue;
      }
      const end = reader.limit(stop);
      this.#hasMetadata = true;
      this.#type = 0;
      this.#helpRef = 0;
      this.#unitRef = 0;
      while (reader.at < end) {
        const field = reader.tag(end);
        if (field === 0x08 || field === 0x18 || field === 0x20) {
          reader.varint(end);
          const number = reader.high === 0 ? reader.low : NOT_INTERNED;
          if (field === 0x08) this.#type = number;
          else if (field === 0x18) this.#helpRef = number;
          else this.#unitRef = number;
        } else reader.skipUnknown(field, end, field >>> 3 <= 4 && field >>> 3 !== 2);
      }
    }
  }

  #metadata(form: number): void {
    const symbols = this.#symbols;
    const [type, helpRef, unitRef] = [this.#type, this.#helpRef, this.#unitRef];
    // Senders of the old protobuf library write an empty message where nothing is known.
    if (type === 0 && symbols.isEmpty(helpRef) && symbols.isEmpty(unitRef)) return;
    if (this.#series.hasMetadata(form, type, this.#numberOf(helpRef), this.#numberOf(unitRef))) return;
    const number = this.#series.setMetadata(form, symbols, { type, helpRef, unitRef });
    this.#refresh();
    if (this.#taken.writesMetadata(number)) return;
    const typeName = METRIC_TYPES[type] ?? 'unknown';
    const help = this.#taken.text(...symbols.range(helpRef));
    const unit = this.#taken.text(...symbols.range(unitRef));
    if (help === undefined || unit === undefined) {
      this.#series.setMetadataGood(number, 0);
      this.#taken.problems.drop('invalid_metadata', 1);
    } else {
      const family = familyOf(this.#series.metricName(form), typeName);
      this.#taken.metadata({ family, type: typeName, unit, help }, number);
    }
  }

  /** Number of the interned symbol, or NOT_INTERNED. */
  #numberOf(ref: number): number {
    return this.#symbols.numbers[ref]! || this.#symbols.resolve(ref, this.#series);
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
        taken.histogram(series, this.#histograms.read(reader.at, end));
        reader.at = end;
        points++;
      } else if (tag === 0x22) {
        const end = reader.limit(stop);
        this.#exemplar(end, series);
        reader.at = end;
        points++;
      } else reader.skipUnknown(tag, stop, isWrongType(tag));
    }
    taken.addPoints(points);
  }

  #exemplar(end: number, series: number): void {
    const reader = this.#reader;
    const start = reader.at;
    const time: [number, number] = [0, 0];
    const value: [number, number] = [0, 0];
    while (reader.at < end) {
      const tag = reader.tag(end);
      if (tag === 0x11) {
        reader.fixed64(end);
        value[0] = reader.low;
        value[1] = reader.high;
      } else if (tag === 0x18) {
        reader.varint(end);
        time[0] = reader.low;
        time[1] = reader.high;
      } else reader.skipUnknown(tag, end, tag !== 0x0a && tag !== 0x08 && tag >>> 3 <= 3);
    }
    const refs = this.#exemplarRefs;
    const count = this.#readRefs(start, end, refs);
    const symbols = this.#symbols;
    const isGood = count % 2 === 0 && count <= MAX_REFS && refs.subarray(0, count).every((ref) => ref < symbols.count);
    if (series > 0 && !isGood) {
      this.#taken.problems.drop('invalid_exemplar', 1);
      this.#taken.problems.add(`${this.#describe(series)}: an exemplar has labels_refs that are no pairs of symbols`);
      return;
    }
    this.#pushLabels(this.#exemplarLabels, refs, isGood ? count : 0);
    this.#taken.exemplar(series, this.#exemplarLabels, time, value);
  }

  /** References in field 1 of [start, stop), packed or not, in several pieces or one; returns how many, also of those beyond the array. */
  #readRefs(start: number, stop: number, into: Uint32Array): number {
    const reader = this.#reader;
    let count = 0;
    reader.at = start;
    while (reader.at < stop) {
      const tag = reader.tag(stop);
      if (tag >>> 3 !== 1) {
        reader.skip(tag, stop);
        continue;
      }
      if ((tag & 7) !== 0 && (tag & 7) !== 2) throw malformed(`field 1 with wire type ${tag & 7}`);
      const isPacked = (tag & 7) === 2;
      const end = isPacked ? reader.limit(stop) : stop;
      while (reader.at < end) {
        reader.varint(end);
        if (count < into.length) into[count] = reader.high === 0 ? reader.low : NOT_INTERNED;
        count++;
        if (!isPacked) break;
      }
    }
    return count;
  }

  #pushLabels(list: LabelList, refs: Uint32Array, count: number): void {
    const { ranges } = this.#symbols;
    list.clear();
    for (let i = 0; i + 1 < count; i += 2) {
      const [name, value] = [refs[i]!, refs[i + 1]!];
      list.push(ranges[name * 2]!, ranges[name * 2 + 1]!, ranges[value * 2]!, ranges[value * 2 + 1]!);
    }
  }

  #describe(series: number): string {
    if (!this.#taken.problems.listsMore) return '';
    const labels = this.#series.labels(series);
    const list = new LabelList();
    list.parse(labels, 0, labels.length);
    return describeLabels(list, labels);
  }

  #refresh(): void {
    this.#reader.refresh();
    this.#samples.refresh();
  }
}

/** A known field with another wire type than its own; labels_refs (1) and metadata (5) were looked at before. */
function isWrongType(tag: number): boolean {
  const field = tag >>> 3;
  return (field >= 2 && field <= 4) || (field === 5 && (tag & 7) !== 2);
}
