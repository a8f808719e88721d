import { ProtobufWriter, encodeWriteRequest } from 'promwrite/wire';
import type { Batch } from '../../../../src/batch/batch.ts';
import { findDataSource } from '../../../../src/catalog/catalog.ts';

/** Batches of prometheus.samples that a test makes up. */

export const source = findDataSource('prometheus.samples')!;

export interface Sample {
  /** Stands for both ids: the upper half of the series' one. */
  readonly series: number;
  readonly time: bigint;
  /** Bits of the value. */
  readonly bits: bigint;
}

export function batchOf(samples: readonly Sample[]): Batch {
  const column = (of: (sample: Sample) => bigint) => ({
    kind: 'fixed' as const,
    width: 8,
    bytes: new Uint8Array(BigUint64Array.from(samples, (sample) => BigInt.asUintN(64, of(sample))).buffer),
  });
  return {
    source,
    org: 1,
    rows: samples.length,
    columns: [
      column(({ series }) => BigInt(series) + 5n),
      column(({ series }) => (BigInt(series) << 32n) | 7n),
      column(({ time }) => time),
      column(({ bits }) => bits),
    ],
    minTime: 0,
    maxTime: 0,
  };
}

/** Label fields as a series has them: sorted. */
export function fieldsOf(labels: Readonly<Record<string, string>>): Uint8Array {
  const request = encodeWriteRequest(
    { timeseries: [{ labels, samples: [{ value: 0, timestamp: 0 }] }] },
    { writer: new ProtobufWriter() },
  );
  // Without the tag and length of the series, and without the sample behind the labels.
  const { length } = request;
  const body = request.subarray(request[1]! > 127 ? 3 : 2, length);
  return body.slice(0, body.lastIndexOf(0x12));
}
