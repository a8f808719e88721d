/** `npm run fuzz -- --count 1000000 [--seed N]`: broken requests at a running hub; ends with 0 crashes, 0 hangs, memory under the limit, or throws. */
import { parseArgs } from 'node:util';
import { fuzz } from '../test/fuzz/fuzz.ts';

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    'memory-limit': { type: 'string', default: '800' },
  },
});

const statuses = await fuzz({
  count: Number(options.count),
  seed: Number(options.seed),
  memoryLimit: Number(options['memory-limit']) * 1e6,
  progress: (done) => console.log(`${done} requests`),
});
console.log(`0 crashes, 0 hangs; answers by status: ${JSON.stringify(Object.fromEntries(statuses))}`);
