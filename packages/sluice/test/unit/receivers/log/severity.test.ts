import assert from 'node:assert/strict';
import { test } from 'node:test';
import { severityNumber } from '../../../../src/receivers/log/severity.ts';

const names: Readonly<Record<number, string>> = {
  2: 'FATAL FATA fatal Fatal2 FATAL3 fatal4 CRITICAL critical CRIT',
  3: 'ERROR error Error ERRO ERROR2 ERROR3 error4',
  4: 'WARN WARNING warning WARN2 WARN4',
  5: 'INFO info Info INFO2 INFO3 INFO4',
  6: 'DEBUG DEBU debug DEBUG4',
  7: 'TRACE trace TRACE2',
  8: 'UNKNOWN NOTICE ERROR1 ERROR5 ERROR22 CRIT2 WARNING2 ERR E 3',
};

for (const [number, list] of Object.entries(names)) {
  test(`severity ${number}`, () => {
    for (const name of list.split(' ')) assert.equal(severityNumber(name), Number(number), name);
  });
}

test('no level is of no severity', () => {
  assert.equal(severityNumber(''), 8);
  assert.equal(severityNumber('ERROR'.repeat(1000)), 8);
});
