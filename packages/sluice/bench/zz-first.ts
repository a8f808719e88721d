import { compressBlock, encodeRequestV2, encodeWriteRequest, REQUEST_V2, WRITE_REQUEST } from 'promwrite/wire';
import { createHash } from 'node:crypto';
const root = process.env['ROOT'] ?? '/work/main/packages/sluice';
const { LinearMemory } = await import(root + '/src/base/linear-memory.ts');
const { remoteWriteLimitsSchema, toRemoteWriteLimits } = await import(root + '/src/receivers/prometheus/config.ts');
const { createRemoteWrite } = await import(root + '/src/receivers/prometheus/write.ts');
const { SeriesTable } = await import(root + '/src/series/series-table.ts');
const { createLog } = await import(root + '/src/telemetry/log.ts');
const { createMetrics } = await import(root + '/src/telemetry/metrics.ts');
const { labelsOf } = await import('/work/main/packages/sluice/bench/load.ts');
const now = Date.now();
const N = 20000, P = 2000;
const which = process.argv[2];
const limits = toRemoteWriteLimits(remoteWriteLimitsSchema.parse({}));
function fresh() {
  const memory = new LinearMemory();
  const table = new SeriesTable({ memory, limit: 1_000_000, now: Date.now });
  return { table, receiver: createRemoteWrite({ append: async () => {}, series: () => table, memory, acceptWindow: () => ({ behindMs: 3600000, aheadMs: 3600000 }), limits, metrics: createMetrics(), log: createLog({ level: 'silent' }) }) };
}
for (const [name, proto, encode] of [['1.0', WRITE_REQUEST, encodeWriteRequest], ['2.0', REQUEST_V2, encodeRequestV2]] as const) {
  if (which && which !== name) continue;
  const plain: Uint8Array[] = [];
  for (let f = 0; f < N; f += P) plain.push(encode({ timeseries: Array.from({ length: P }, (_, i) => ({ labels: Object.fromEntries(labelsOf(f + i, 15)), samples: [{ timestamp: now, value: i }] })) }).slice());
  const out: string[] = [];
  for (let turn = 0; turn < Number(process.argv[3] ?? 6); turn++) {
    const { receiver } = fresh();
    const b = process.cpuUsage();
    for (const p of plain) await receiver.write(proto, p, 1);
    const u = process.cpuUsage(b);
    out.push(((u.user + u.system) / N).toFixed(1));
  }
  console.log(name, out.join(' '));
}
