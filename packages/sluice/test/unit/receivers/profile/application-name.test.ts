import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeName, parseApplicationName } from '../../../../src/receivers/profile/application-name.ts';

const cases: readonly (readonly [string, string, string | undefined, readonly (readonly [string, string])[]])[] = [
  ['shop', 'shop', undefined, []],
  ['shop.cpu', 'shop', 'cpu', []],
  ['shop.cpu{env=prod}', 'shop', 'cpu', [['env', 'prod']]],
  [
    'my.shop.alloc_space{env=prod, region = eu west ,empty=}',
    'my.shop',
    'alloc_space',
    [
      ['env', 'prod'],
      ['region', 'eu west'],
      ['empty', ''],
    ],
  ],
  ['simple.golang.app{}', 'simple.golang.app', undefined, []],
  ['.cpu', '.cpu', undefined, []],
  ['cpu', 'cpu', undefined, []],
  ['shop.CPU', 'shop.CPU', undefined, []],
  [
    'shop{a=b=c,=d,e,f={g}}',
    'shop',
    undefined,
    [
      ['a', 'b=c'],
      ['f', '{g}'],
    ],
  ],
  ['shop{a=b', 'shop', undefined, [['a', 'b']]],
  ['', '', undefined, []],
];
for (const [text, service, eventType, tags] of cases) {
  test(`name ${JSON.stringify(text)}`, () =>
    assert.deepEqual(parseApplicationName(text), { service, eventType, tags }));
}

test('names are encoded as in a query', () => {
  assert.equal(decodeName('shop.cpu%7Benv%3Dprod+1%2B%7D'), 'shop.cpu{env=prod 1+}');
  assert.equal(decodeName('caf%C3%A9'), 'café');
  assert.equal(decodeName('100%'), '100%');
  assert.equal(decodeName('%ff'), '%ff');
});
