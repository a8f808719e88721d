import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { describe, test } from 'node:test';
import type { TlsMaterial } from '../../../src/exporters/client-certificates.ts';
import { LaneAgents } from '../../../src/exporters/lane-agents.ts';

const material: TlsMaterial = {
  ca: Buffer.from('ca'),
  cert: undefined,
  key: undefined,
  serverName: 'receiver',
  insecureSkipVerify: false,
};
const plain = new URL('http://receiver:1/a');
const secure = new URL('https://receiver:2/a');

describe('the connection of a lane', () => {
  test('is its own for each origin, and the same for all paths', () => {
    const agents = new LaneAgents();
    const agent = agents.of(0, plain, undefined);
    assert.equal(agents.of(0, new URL('http://receiver:1/b'), undefined), agent);
    assert.equal(agent.maxSockets, 1);
    const others = [agents.of(1, plain, undefined), agents.of(0, new URL('http://receiver:3/a'), undefined)];
    assert.ok(!others.includes(agent));
    agents.close();
    assert.notEqual(agents.of(0, plain, undefined), agent);
  });

  test('is made anew with other certificates, and only where they are used', () => {
    const agents = new LaneAgents();
    const [http, https] = [agents.of(0, plain, material), agents.of(0, secure, material)];
    assert.ok(https instanceof Agent);
    assert.equal(https.options.servername, 'receiver');
    assert.equal(https.options.rejectUnauthorized, true);
    assert.equal(agents.of(0, secure, material), https);
    const next = { ...material, insecureSkipVerify: true };
    assert.equal(agents.of(0, plain, next), http);
    const renewed = agents.of(0, secure, next);
    assert.notEqual(renewed, https);
    assert.equal((renewed as Agent).options.rejectUnauthorized, false);
  });
});
