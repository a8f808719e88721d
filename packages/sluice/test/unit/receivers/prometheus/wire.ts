/** Remote-write messages put together by hand, so that tests can also make wrong ones. */

export type Labels = readonly (readonly [name: string | Buffer, value: string | Buffer])[];

export function varint(value: number | bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Buffer.from(out);
}

export const number = (field: number, value: number | bigint): Buffer =>
  Buffer.concat([varint(field * 8), varint(value)]);
export const zigzag = (field: number, value: number): Buffer => number(field, value < 0 ? -value * 2 - 1 : value * 2);

export function bytes(field: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

export function double(field: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(field * 8 + 1), rawDouble(value)]);
}

/** A double, or one given by its bits. */
export function rawDouble(value: number | bigint): Buffer {
  const out = Buffer.alloc(8);
  if (typeof value === 'bigint') out.writeBigUInt64LE(value);
  else out.writeDoubleLE(value);
  return out;
}

export const sample = (time: number | bigint, value: number | bigint): Buffer =>
  bytes(2, ...(Object.is(value, 0) ? [] : [double(1, value)]), number(2, time));

export interface HistogramParts {
  readonly count?: number | bigint;
  readonly countFloat?: number;
  readonly sum?: number | bigint;
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly zeroCount?: number | bigint;
  readonly zeroCountFloat?: number;
  readonly negativeSpans?: readonly (readonly [number, number])[];
  readonly negativeDeltas?: readonly number[];
  readonly negativeCounts?: readonly number[];
  readonly positiveSpans?: readonly (readonly [number, number])[];
  readonly positiveDeltas?: readonly number[];
  readonly positiveCounts?: readonly number[];
  readonly resetHint?: number;
  readonly time: number;
  readonly customValues?: readonly number[];
  readonly startTime?: number;
  /** Numbers one by one instead of packed. */
  readonly unpacked?: boolean;
}

export function histogram(field: number, parts: HistogramParts): Buffer {
  const out: Buffer[] = [];
  const packed = (target: number, values: readonly number[] | undefined): void => {
    if (values === undefined) return;
    if (parts.unpacked === true) out.push(...values.map((value) => zigzag(target, value)));
    else out.push(bytes(target, ...values.map((value) => varint(value < 0 ? -value * 2 - 1 : value * 2))));
  };
  const doubles = (target: number, values: readonly number[] | undefined): void => {
    if (values === undefined) return;
    if (parts.unpacked === true) out.push(...values.map((value) => double(target, value)));
    else out.push(bytes(target, ...values.map(rawDouble)));
  };
  const spans = (target: number, list: readonly (readonly [number, number])[] | undefined): void => {
    for (const [offset, length] of list ?? []) out.push(bytes(target, zigzag(1, offset), number(2, length)));
  };
  if (parts.count !== undefined) out.push(number(1, parts.count));
  if (parts.countFloat !== undefined) out.push(double(2, parts.countFloat));
  if (parts.sum !== undefined) out.push(double(3, parts.sum));
  if (parts.schema !== undefined) out.push(zigzag(4, parts.schema));
  if (parts.zeroThreshold !== undefined) out.push(double(5, parts.zeroThreshold));
  if (parts.zeroCount !== undefined) out.push(number(6, parts.zeroCount));
  if (parts.zeroCountFloat !== undefined) out.push(double(7, parts.zeroCountFloat));
  spans(8, parts.negativeSpans);
  packed(9, parts.negativeDeltas);
  doubles(10, parts.negativeCounts);
  spans(11, parts.positiveSpans);
  packed(12, parts.positiveDeltas);
  doubles(13, parts.positiveCounts);
  if (parts.resetHint !== undefined) out.push(number(14, parts.resetHint));
  out.push(number(15, parts.time));
  doubles(16, parts.customValues);
  if (parts.startTime !== undefined) out.push(number(17, parts.startTime));
  return bytes(field, ...out);
}

export const labelFields = (labels: Labels): Buffer =>
  Buffer.concat(labels.map(([name, value]) => bytes(1, bytes(1, name), bytes(2, value))));

/** A 1.0 TimeSeries field of a WriteRequest: labels, then any points. */
export const seriesV1 = (labels: Labels, ...points: readonly Buffer[]): Buffer =>
  bytes(1, labelFields(labels), ...points);

export const exemplarV1 = (labels: Labels, time: number, value: number): Buffer =>
  bytes(3, labelFields(labels), double(2, value), number(3, time));

export const metadataV1 = (family: string, type: number, help: string, unit: string): Buffer =>
  bytes(3, number(1, type), bytes(2, family), bytes(4, help), bytes(5, unit));

/** Builds 2.0 Requests: interns symbols as it goes. */
export class RequestV2 {
  readonly symbols: (string | Buffer)[] = [''];
  readonly series: Buffer[] = [];
  readonly #refs = new Map<string, number>([['', 0]]);

  ref(symbol: string | Buffer): number {
    const key = Buffer.from(symbol as string).toString('latin1');
    let ref = this.#refs.get(key);
    if (ref === undefined) {
      ref = this.symbols.push(symbol) - 1;
      this.#refs.set(key, ref);
    }
    return ref;
  }

  refs(labels: Labels): number[] {
    return labels.flatMap(([name, value]) => [this.ref(name), this.ref(value)]);
  }

  /** Adds a TimeSeries of any fields. */
  add(labels: Labels, ...fields: readonly Buffer[]): this {
    return this.addRefs(this.refs(labels), ...fields);
  }

  addRefs(refs: readonly number[], ...fields: readonly Buffer[]): this {
    this.series.push(bytes(5, bytes(1, ...refs.map(varint)), ...fields));
    return this;
  }

  exemplar(labels: Labels, time: number, value: number): Buffer {
    return bytes(4, bytes(1, ...this.refs(labels).map(varint)), double(2, value), number(3, time));
  }

  metadata(type: number, help: string, unit: string): Buffer {
    return bytes(5, number(1, type), number(3, this.ref(help)), number(4, this.ref(unit)));
  }

  encode(order: 'symbols first' | 'symbols last' = 'symbols first'): Buffer {
    const symbols = this.symbols.map((symbol) => bytes(4, symbol));
    return Buffer.concat(order === 'symbols first' ? [...symbols, ...this.series] : [...this.series, ...symbols]);
  }
}

/** Snappy block of literals only: valid, and independent of any compressor. */
export function snappy(message: Uint8Array): Buffer {
  const parts: Buffer[] = [varint(message.length)];
  for (let at = 0; at < message.length; at += 60) {
    const piece = message.subarray(at, at + 60);
    parts.push(Buffer.from([(piece.length - 1) << 2]), Buffer.from(piece));
  }
  return Buffer.concat(parts);
}
