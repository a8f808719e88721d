import { it } from 'node:test';
import { fuzz } from '../fuzz/fuzz.ts';

it('20,000 broken requests are all answered, none crashes or hangs the hub', { timeout: 300_000 }, async (context) => {
  const statuses = await fuzz({ count: 20_000, seed: 7, memoryLimit: 800e6 });
  context.diagnostic(`answers: ${JSON.stringify(Object.fromEntries(statuses))}`);
});
