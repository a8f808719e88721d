import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerNtp } from '../../../src/control/ntp.ts';

test('a packet of the client gives one of a server', () => {
  const request = Buffer.alloc(48);
  request[0] = 0xe3;
  request[2] = 6;
  request.write('f9c7c29c8da952c9', 40, 'hex');
  const answer = answerNtp(request, 1_795_226_547_250);
  assert.ok(answer !== undefined);
  // No leap second, version 4, mode 4.
  assert.equal(answer[0], 0x24);
  assert.deepEqual([answer[1], answer[2]], [2, 6]);
  assert.equal(answer.subarray(24, 32).toString('hex'), 'f9c7c29c8da952c9');
  for (const at of [32, 40]) {
    assert.equal(answer.readUInt32BE(at), 1_795_226_547 + 2_208_988_800);
    assert.equal(answer.readUInt32BE(at + 4), 2 ** 30);
  }
});

test('seconds wrap in 2036; a short packet is none', () => {
  const answer = answerNtp(Buffer.alloc(60), (2 ** 32 - 2_208_988_800 + 7) * 1000);
  assert.equal(answer?.readUInt32BE(40), 7);
  assert.equal(answer?.length, 48);
  assert.equal(answerNtp(Buffer.alloc(47), 0), undefined);
});
