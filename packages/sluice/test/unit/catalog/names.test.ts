import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { l7ProtocolName, l7ProtocolNames } from '../../../src/catalog/l7-protocols.ts';
import { observationPointNames, observationPoints, roleOf } from '../../../src/catalog/observation-points.ts';

describe('application protocols', () => {
  it('go by their names, with TLS and without', () => {
    assert.equal(l7ProtocolName(20, false), 'HTTP');
    assert.equal(l7ProtocolName(20, true), 'HTTP_TLS');
    assert.equal(l7ProtocolName(49, false), 'TRIPLE');
    assert.equal(l7ProtocolName(121, true), 'TLS');
    assert.equal(l7ProtocolName(127, false), 'Custom');
  });

  it('are N/A where nobody knows the number', () => {
    assert.equal(l7ProtocolName(0, false), 'N/A');
    assert.equal(l7ProtocolName(255, false), 'N/A');
    assert.equal(l7ProtocolName(0, true), 'N/A');
    assert.equal(l7ProtocolName(255, true), 'N/A');
  });

  it('have a name each', () => {
    assert.equal(l7ProtocolNames.size, 33);
    assert.equal(new Set(l7ProtocolNames.values()).size, 33);
  });
});

describe('observation points', () => {
  it('go by their names', () => {
    assert.equal(observationPointNames.length, 51);
    assert.equal(observationPointNames[0], 'rest');
    assert.equal(observationPointNames[1], 'c');
    assert.equal(observationPointNames[3], '');
    assert.equal(observationPointNames[26], 's-gw-hv');
    assert.equal(observationPointNames[50], 's-app');
    assert.equal(observationPointNames.filter((name) => name !== '').length, 17);
  });

  it('say whose side they are on', () => {
    const { c, s, local, rest, app } = observationPoints;
    assert.deepEqual([c, s, local, rest].map(roleOf), [0, 1, 2, 3]);
    for (const [name, number] of Object.entries(observationPoints)) {
      if (name.startsWith('c-')) assert.equal(roleOf(number), 0, name);
      if (name.startsWith('s-')) assert.equal(roleOf(number), 1, name);
    }
    assert.equal(roleOf(app), 3);
  });
});
