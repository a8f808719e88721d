import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identityOf } from '../../../src/control/identity.ts';

test('address, MAC and team; the MAC not for agents known by address; the connection stands for no address', () => {
  const said = { ctrl_ip: '10.0.0.1', ctrl_mac: '02:AB:00:00:00:01', team_id: 't' };
  assert.deepEqual(identityOf(said, 'x'), { ctrlIp: '10.0.0.1', ctrlMac: '02:ab:00:00:00:01', teamId: 't' });
  assert.deepEqual(identityOf({ ...said, agent_unique_identifier: 2 }, 'x'), {
    ctrlIp: '10.0.0.1',
    ctrlMac: '',
    teamId: 't',
  });
  assert.deepEqual(identityOf({}, '192.0.2.7'), { ctrlIp: '192.0.2.7', ctrlMac: '', teamId: '' });
});

test('texts that could be no identity', () => {
  for (const wrong of [{ ctrl_ip: 'a b' }, { ctrl_mac: '\n' }, { team_id: 'ü' }, { ctrl_ip: 'x'.repeat(65) }]) {
    assert.throws(() => identityOf(wrong, 'x'), { code: 'bad_request' });
  }
});
