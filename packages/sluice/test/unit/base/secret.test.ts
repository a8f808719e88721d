import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { Secret } from '../../../src/base/secret.ts';

test('a secret shows itself to nobody who does not ask', () => {
  const secret = Secret.of('hunter2');
  const shown = [
    secret.toString(),
    JSON.stringify({ secret }),
    inspect({ deep: [secret] }, { showHidden: true, depth: 9 }),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(Object.getOwnPropertyNames(secret)),
    JSON.stringify(structuredClone(Object.assign({}, secret))),
  ];
  for (const text of shown) assert.ok(!text.includes('hunter2'), text);
  assert.deepEqual(shown.slice(0, 2), ['[secret]', '{"secret":"[secret]"}']);
  assert.equal(secret.reveal(), 'hunter2');
});

test('a secret that was not read cannot be used', () => {
  const secret = Secret.from({ kind: 'file', path: '/run/secrets/x' });
  assert.deepEqual(secret.source, { kind: 'file', path: '/run/secrets/x' });
  assert.throws(() => secret.reveal(), { message: 'BUG: a secret was used before it was read' });
});
