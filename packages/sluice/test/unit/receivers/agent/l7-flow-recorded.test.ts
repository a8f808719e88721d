import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { L7FlowDecoder } from '../../../../src/receivers/agent/l7-flow.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget } from '../block-target.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import { comparable, expectedL7Row, type L7Record } from './l7-flow-expected.ts';

/** Frames of a stock agent: every record becomes a row, and the rows are what an independent decoder read. */

const types = ['PROTOCOLLOG', 'PROTOCOLLOG_zstd', 'PROTOCOLLOG_ebpf_zstd'];

describe('recorded frames of PROTOCOLLOG', () => {
  it('are all there', { skip: missingFrames() ?? false }, () => {
    assert.equal(types.flatMap(recordedFrames).length, 13);
  });

  for (const frame of types.flatMap(recordedFrames)) {
    it(frame.name, () => {
      const target = new BlockTarget(64);
      const decoder = new L7FlowDecoder({ target, rowIds: new RowIds({ hubId: 3 }) });
      const { org, team, agent } = frame;
      for (const record of frame.records) {
        const dropped = decoder.decode(record, 0, record.length, { org, team, agent, address: '127.0.0.1' });
        assert.equal(dropped, undefined);
      }
      const rows = target.take('flow_log.l7_flow_log');
      assert.equal(rows.length, frame.records.length);
      assert.ok(frame.decoded.size > 0);
      for (const [index, decoded] of frame.decoded) {
        const expected = expectedL7Row(decoded as L7Record, team);
        assert.deepEqual(comparable(rows[index]!, expected), expected, `record ${index}`);
      }
      const ids = rows.map((row) => BigInt(String(row['_id'])));
      assert.equal(new Set(ids).size, ids.length);
      for (const [index, id] of ids.entries()) {
        assert.equal(Number(id >> 32n), rows[index]!['time']);
        assert.equal(Number((id >> 22n) & 1023n), 3);
      }
    });
  }
});
