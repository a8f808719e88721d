import type { ProtobufWriter } from '../wire/protobuf-writer.ts';
import type { LabelSet } from './label-set.ts';

/** Writes field 1 (label) of a 1.0 TimeSeries or Exemplar. */
export function writeLabel(writer: ProtobufWriter, name: string, value: string): void {
  writer.reserve(2);
  writer.bytes[writer.position++] = (1 << 3) | 2;
  const start = writer.open(1);
  writer.stringField((1 << 3) | 2, name);
  writer.stringField((2 << 3) | 2, value);
  writer.close(start, 1);
}

/**
 * Writes the labels of series after series, and copies from the series before what has not changed.
 *
 * In 1.0 every series repeats all its labels, and most of them (job, instance, region...) equal those of its
 * predecessor at the same place. Comparing two strings is much cheaper than encoding one, and a run of equal labels is
 * copied in one move from where the predecessor's stand in the output. The result is the same byte for byte.
 */
export class RepeatedLabels {
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  /** Ends of the predecessor's labels, relative to the start of its content. */
  readonly #ends: number[] = [];
  #size = 0;
  #previousStart = 0;
  #start = 0;

  /** Writes `labels` at the beginning of a series whose content starts at `start`. */
  write(writer: ProtobufWriter, labels: LabelSet, start: number): void {
    const { size, names, values } = labels;
    const known = Math.min(size, this.#size);
    this.#start = start;
    // Copied labels can sit elsewhere than the predecessor's if a label before them has another length; so only
    // whole runs at unchanged positions in the list are compared, and source offsets come from the old ends.
    let runStart = 0;
    let oldEnd = 0;
    let runFrom = 0;
    for (let index = 0; index < size; index++) {
      const name = names[index]!;
      const value = values[index]!;
      const before = oldEnd;
      if (index < known) {
        oldEnd = this.#ends[index]!;
        if (this.#values[index] === value && this.#names[index] === name) {
          if (runStart === index) runFrom = before;
          continue;
        }
      }
      if (runStart < index) this.#copy(writer, runFrom, before, runStart, index);
      writeLabel(writer, name, value);
      this.#names[index] = name;
      this.#values[index] = value;
      this.#ends[index] = writer.position - start;
      runStart = index + 1;
    }
    if (runStart < size) this.#copy(writer, runFrom, oldEnd, runStart, size);
    this.#size = size;
  }

  /** To be told when the series is complete, and where its content starts now. */
  moved(contentStart: number): void {
    this.#previousStart = contentStart;
  }

  #copy(writer: ProtobufWriter, from: number, to: number, first: number, behind: number): void {
    const length = to - from;
    writer.reserve(length);
    const source = this.#previousStart + from;
    writer.bytes.copyWithin(writer.position, source, source + length);
    const shift = writer.position - this.#start - from;
    writer.position += length;
    for (let index = first; index < behind; index++) this.#ends[index] = this.#ends[index]! + shift;
  }
}
