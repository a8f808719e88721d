import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSluiceError } from '../../../../src/base/errors.ts';
import { createL4FlowDecoder } from '../../../../src/receivers/agent/l4-flow.ts';
import { parseProvinces } from '../../../../src/receivers/agent/provinces.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget, SENDER } from '../block-target.ts';
import { encodeMessage } from './flow-definitions.ts';
import { l4FlowLog } from '../../../../src/catalog/l4-flow-log.ts';

const address = (text: string) => text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
const TABLE = `
# two ranges that touch, out of order
192.0.2.128/25, 江苏
192.0.2.0 - 192.0.2.127, Hebei
255.255.255.255,Last
`;

describe('a table of address ranges', () => {
  it('names the first and the last address of each range, and none beside', () => {
    const provinces = parseProvinces(TABLE, 't');
    const found = [
      '192.0.1.255',
      '192.0.2.0',
      '192.0.2.127',
      '192.0.2.128',
      '192.0.2.255',
      '192.0.3.0',
      '255.255.255.255',
    ];
    const names = found.map((text) => provinces.find(address(text)));
    assert.deepEqual(
      names.map((name) => name !== undefined),
      [false, true, true, true, true, false, true],
    );
    assert.equal(names[1], names[2]);
    assert.notEqual(names[2], names[3]);
    assert.equal(names[3], names[4]);
  });

  for (const [line, why] of [
    ['192.0.2.1/24,A', 'expected NETWORK,NAME'],
    ['192.0.2.9-192.0.2.1,A', 'expected NETWORK,NAME'],
    ['192.0.2.0/24', 'expected NETWORK,NAME'],
    ['192.0.2.0/24,', 'expected NETWORK,NAME'],
    ['192.0.2.256,A', 'expected NETWORK,NAME'],
    ['192.0.2.0/24,A\n192.0.2.7,B', 't:2: the range overlaps that of line 1'],
  ] as const) {
    it(`refuses ${JSON.stringify(line)}`, () => {
      assert.throws(
        () => parseProvinces(line, 't'),
        (error) => isSluiceError(error, 'config_invalid') && error.message.includes(why),
      );
    });
  }

  it('fills the provinces of flows over IPv4', () => {
    const target = new BlockTarget();
    const provinces = parseProvinces(TABLE, 't');
    const decoder = createL4FlowDecoder({ target, rowIds: new RowIds({ hubId: 0 }), provinces });
    const flow_key = { ip_src: address('192.0.2.200'), ip_dst: address('10.0.0.1') };
    const flow = { flow_key, metrics_peer_src: {}, metrics_peer_dst: {}, end_time: '1700000001987654321' };
    for (const eth_type of [0x0800, 0x86dd]) {
      const bytes = encodeMessage('TaggedFlow', { flow: { ...flow, eth_type } });
      assert.equal(decoder.decode(bytes, 0, bytes.length, SENDER), undefined);
    }
    const { block } = target.blocks.get(`1/${l4FlowLog.id}`)!;
    const text = (name: string, row: number) => Buffer.from(block.textAt(block.column(name), row)).toString();
    assert.deepEqual([text('province_0', 0), text('province_1', 0), text('province_0', 1)], ['江苏', '', '']);
  });
});
