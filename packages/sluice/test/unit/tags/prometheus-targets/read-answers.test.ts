import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readAnswer } from '../../../../src/tags/prometheus-targets/read-answers.ts';
import { readAside } from '../../../../src/tags/prometheus-targets/read-aside.ts';

const { signal } = new AbortController();

describe('an answer that takes far more memory than it has bytes is refused before it is read', () => {
  const many = 4_100_000;
  for (const value of ['{}', '[]', '0']) {
    test(`targets of ${value}`, async () => {
      const body = Buffer.from(`{"status":"success","data":{"activeTargets":[${`${value},`.repeat(many)}0]}}`);
      await assert.rejects(readAside('targets', body, signal), /^Error: expected at most 4000000 values; got more$/);
    });
  }

  test('a configuration', () => {
    const yaml = 'a: 1\n'.repeat(250_000);
    const body = Buffer.from(JSON.stringify({ status: 'success', data: { yaml } }));
    assert.throws(
      () => readAnswer('config', body),
      /^Error: expected at most 1048576 characters of configuration; got 1250000$/,
    );
    const deep = Buffer.from(JSON.stringify({ status: 'success', data: { yaml: '['.repeat(1000) } }));
    assert.throws(() => readAnswer('config', deep), /^Error: expected YAML of some levels/);
  });
});
