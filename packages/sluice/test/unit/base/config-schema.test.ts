import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { z } from 'zod';
import {
  bytesSchema,
  durationSchema,
  filePath,
  hostPort,
  secretFile,
  secretRef,
  shown,
} from '../../../src/base/config-schema.ts';
import { Secret } from '../../../src/base/secret.ts';

function message(schema: z.ZodType, input: unknown): string {
  const outcome = schema.safeParse(input);
  return outcome.success ? 'accepted' : outcome.error.issues.map((issue) => issue.message).join('; ');
}

test('durations and sizes', () => {
  assert.equal(durationSchema.parse('1h30m'), 5_400_000);
  assert.equal(durationSchema.parse(0), 0);
  assert.equal(durationSchema.prefault('2s').parse(undefined), 2000);
  assert.equal(bytesSchema.parse('1KiB'), 1024);
  assert.equal(bytesSchema.parse(77), 77);
  assert.equal(message(durationSchema, 5), 'expected a duration such as 30s; got 5');
  assert.equal(message(durationSchema, [1]), 'expected a duration such as 30s; got a list');
  assert.equal(
    message(durationSchema, '5'),
    'expected a duration such as 500ms, 30s, 1h30m or 15d; got "5" without a unit',
  );
  assert.equal(message(bytesSchema, true), 'expected a size such as 64MiB; got true');
  assert.notEqual(message(bytesSchema, 1.5), 'accepted');
});

describe('hostPort', () => {
  const good: readonly [string, string, number][] = [
    ['127.0.0.1:20416', '127.0.0.1', 20416],
    ['localhost:0', 'localhost', 0],
    ['[::1]:9000', '::1', 9000],
    ['[fe80::1%eth0]:1', 'fe80::1%eth0', 1],
    [':20416', '::', 20416],
    ['hub.example.com:65535', 'hub.example.com', 65535],
  ];
  for (const [text, host, port] of good) {
    test(text, () => assert.deepEqual(hostPort.parse(text), { host, port }));
  }
  for (const text of [
    '',
    'localhost',
    '::1:9000',
    '127.0.0.1:',
    '127.0.0.1:65536',
    'a b:1',
    'http://x:1',
    'x:1/',
    '[]:1',
  ]) {
    test(`not ${JSON.stringify(text)}`, () => {
      assert.equal(
        message(hostPort, text),
        `expected host:port with a port of 0 to 65535, such as 127.0.0.1:20416 or [::1]:20416; got ${JSON.stringify(text)}`,
      );
    });
  }
  test('not a number', () => {
    assert.equal(message(hostPort, 20416), 'expected an address such as 127.0.0.1:20416; got 20416');
  });
});

test('paths', () => {
  assert.equal(filePath.parse('a/b'), 'a/b');
  assert.equal(message(filePath, ''), 'expected a path; got an empty text');
  assert.equal(message(filePath, 'a\0b'), 'expected a path; got a text with a NUL character');
});

test('secrets are references, never values', () => {
  assert.deepEqual(secretRef.parse('${TOKEN}').source, { kind: 'environment', name: 'TOKEN' });
  assert.deepEqual(secretRef.parse({ file: '/x' }).source, { kind: 'file', path: '/x' });
  assert.deepEqual(secretFile.parse('/x').source, { kind: 'file', path: '/x' });
  const read = Secret.of('x');
  assert.equal(secretRef.parse(read), read);
  assert.equal(secretFile.parse(read), read);
  for (const input of ['hunter2', '$TOKEN', '${TOKEN', 'x${TOKEN}', '${1}', 7, { path: '/x' }, null]) {
    assert.equal(
      message(secretRef, input),
      'expected ${NAME} or {file: PATH}; secrets are not written into the configuration',
    );
  }
});

test('values in messages are short', () => {
  assert.deepEqual([undefined, null, [], {}, 'a', 1.5, true, 'x'.repeat(99), Number.NaN].map(shown), [
    'nothing',
    'nothing',
    'a list',
    'a mapping',
    '"a"',
    '1.5',
    'true',
    `"${'x'.repeat(56)}...`,
    'NaN',
  ]);
});
