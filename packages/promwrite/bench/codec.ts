/**
 * Series per second of the codec and MB/s of Snappy, on a body of 2000 series with 15 labels and one sample each.
 * Run: node --conditions=@sluice/source packages/promwrite/bench/codec.ts
 */
import { cpus } from 'node:os';
import { measure } from 'mitata';
import {
  compressBlock,
  decodeRequestV2,
  decodeWriteRequest,
  encodeRequestV2,
  encodeWriteRequest,
  uncompressBlock,
  type TimeSeries,
} from '../src/wire/index.ts';

const SERIES = 2000;
const LABELS = 15;

function makeSeries(record: boolean): TimeSeries[] {
  const timeseries: TimeSeries[] = [];
  for (let index = 0; index < SERIES; index++) {
    const labels: Record<string, string> = { __name__: `http_server_requests_total_${index % 50}` };
    for (let label = 1; label < LABELS; label++) {
      labels[`label_name_${String(label).padStart(2, '0')}`] =
        label < 10 ? `some-constant-value-${label}` : `varying-${(index * label) % 997}`;
    }
    timeseries.push({
      labels: record ? labels : Object.entries(labels).map(([name, value]) => ({ name, value })),
      samples: [{ value: index * 1.1, timestamp: 1_700_000_000_000 + index }],
    });
  }
  return timeseries;
}

async function report(name: string, bytes: number | undefined, work: () => unknown): Promise<void> {
  const { p50 } = await measure(work, { min_cpu_time: 300_000_000 });
  const speed =
    bytes === undefined ? `${Math.round((SERIES / p50) * 1e6)} k series/s` : `${Math.round((bytes / p50) * 1e3)} MB/s`;
  console.log(`${name.padEnd(34)} ${(p50 / 1e6).toFixed(3)} ms  ${speed}`);
}

const records = { timeseries: makeSeries(true) };
const lists = { timeseries: makeSeries(false) };
const bytesV1 = encodeWriteRequest(records);
const bytesV2 = encodeRequestV2(records);
const compressedV1 = compressBlock(bytesV1);
const compressedV2 = compressBlock(bytesV2);
const output = new Uint8Array(bytesV1.length);

console.log(`node ${process.version}, ${cpus()[0]?.model}; bodies ${bytesV1.length} and ${bytesV2.length} bytes,`);
console.log(`compressed ${compressedV1.length} and ${compressedV2.length}`);
await report('encode 1.0, record labels', undefined, () => encodeWriteRequest(records));
await report('encode 1.0, list labels', undefined, () => encodeWriteRequest(lists));
await report('encode 1.0, strict', undefined, () => encodeWriteRequest(lists, { validation: 'strict' }));
await report('encode 2.0, list labels', undefined, () => encodeRequestV2(lists));
await report('decode 1.0', undefined, () => decodeWriteRequest(bytesV1));
await report('decode 2.0', undefined, () => decodeRequestV2(bytesV2));
await report('compress 1.0 body', bytesV1.length, () => compressBlock(bytesV1));
await report('compress 2.0 body', bytesV2.length, () => compressBlock(bytesV2));
await report('uncompress 1.0 body', bytesV1.length, () => uncompressBlock(compressedV1, undefined, output));
await report('uncompress 2.0 body', bytesV2.length, () => uncompressBlock(compressedV2, undefined, output));
