/**
 * `npm run fuzz -- --count 1000000 [--seed N] [--only requests|frames]`: broken requests, and then broken frames of agents, at a running hub; ends with
 * 0 crashes, 0 hangs, memory under the limit, or throws.
 */
import { parseArgs } from 'node:util';
import { fuzzFrames } from '../test/fuzz/fuzz-frames.ts';
import { fuzz } from '../test/fuzz/fuzz.ts';

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    'memory-limit': { type: 'string', default: '800' },
    only: { type: 'string' },
  },
});

const common = {
  count: Number(options.count),
  seed: Number(options.seed),
  memoryLimit: Number(options['memory-limit']) * 1e6,
};
if (options.only !== 'frames') {
  const statuses = await fuzz({ ...common, progress: (done) => console.log(`${done} requests`) });
  console.log(`0 crashes, 0 hangs; answers by status: ${JSON.stringify(Object.fromEntries(statuses))}`);
}
if (options.only !== 'requests') {
  const outcomes = await fuzzFrames({ ...common, progress: (done) => console.log(`${done} frames`) });
  console.log(`0 crashes, 0 failed decoders; records by outcome: ${JSON.stringify(Object.fromEntries(outcomes))}`);
}
