import { it } from 'node:test';
import { killRounds } from './kill-rounds.ts';

it('20 kills at random moments lose no acknowledged row and double none', { timeout: 240_000 }, async (context) => {
  const report = await killRounds(20);
  context.diagnostic(`${report.acknowledged} rows acknowledged, ${report.stored} stored`);
});
