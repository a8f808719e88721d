import { it } from 'node:test';
import { fuzzFrames } from '../fuzz/fuzz-frames.ts';
import { fuzz } from '../fuzz/fuzz.ts';

it('20,000 broken requests are all answered, none crashes or hangs the hub', { timeout: 300_000 }, async (context) => {
  const statuses = await fuzz({ count: 20_000, seed: 7, memoryLimit: 800e6 });
  context.diagnostic(`answers: ${JSON.stringify(Object.fromEntries(statuses))}`);
});

it('20,000 broken frames of agents: none crashes the hub or a decoder', { timeout: 300_000 }, async (context) => {
  const outcomes = await fuzzFrames({ count: 20_000, seed: 7, memoryLimit: 800e6 });
  context.diagnostic(`records: ${JSON.stringify(Object.fromEntries(outcomes))}`);
});
