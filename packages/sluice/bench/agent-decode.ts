/**
 * CPU of agent records on their way into ClickHouse: rows per CPU-second from record to Native block, without universal tags, one thread.
 *
 *   npm run bench -- agent-decode [CASE...] [--rows N]
 *
 * A round is one block of rows; the best one says what the code can do, the median what the machine was busy with. Records: golden cases (constructed,
 * every field set) and frames of a stock agent, from the project's fixtures and, where it exists, ../shared.
 */
import { cpus, loadavg } from 'node:os';
import { agentCases, BlockSink, goldenRecords, lay, recordedRecords, sender, type AgentCase } from './agent-records.ts';

const ROUNDS = 60;

function rowsPerSecond(records: readonly Uint8Array[], one: AgentCase, rows: number): string {
  if (records.length === 0) return 'no records';
  const { bytes, bounds } = lay(records, one);
  const sink = new BlockSink();
  const decoder = one.create(sink);
  const figures: number[] = [];
  const count = bounds.length - 1;
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    sink.rows = 0;
    while (sink.rows < rows) {
      for (let index = 0; index < count; index++)
        void decoder.decode(bytes, bounds[index]!, bounds[index + 1]!, sender);
    }
    sink.flush();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) figures.push(sink.rows / (user + system));
  }
  figures.sort((a, b) => a - b);
  return `${figures.at(-1)!.toFixed(2)} (${figures[ROUNDS >> 1]!.toFixed(2)}) M, ${Math.round(bytes.length / count)} B`;
}

const options = process.argv.slice(2);
const at = options.indexOf('--rows');
const rows = at < 0 ? 8192 : Number(options.splice(at, 2)[1]);
console.log(
  `rows per CPU-second, ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}; best (median) of ${ROUNDS} rounds; load ${loadavg()[0]!.toFixed(1)}`,
);
console.log('case              golden records        recorded frames       the original (Go, with tags)');
for (const one of agentCases) {
  if (options.length > 0 && !options.includes(one.name)) continue;
  const golden = rowsPerSecond(one.golden.flatMap(goldenRecords), one, rows);
  const recorded = rowsPerSecond(one.frames.flatMap(recordedRecords), one, rows);
  console.log(`${one.name.padEnd(18)}${golden.padEnd(22)}${recorded.padEnd(22)}${one.original}`);
}
