import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toTracesLimits, tracesLimitsSchema } from '../../../../src/receivers/opentelemetry/config.ts';
import { createTraceDecoders } from '../../../../src/receivers/opentelemetry/records.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget } from '../block-target.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import { withoutIds } from '../row-values.ts';
import type { OtlpTraces } from './otlp-proto.ts';
import { expectedRows } from './span-expected.ts';

/** Frames of a stock agent that forwards OTLP: every span becomes the row that an independent decoding of it says. */

const forms = { OPENTELEMETRY: 'plain', OPENTELEMETRY_COMPRESSED: 'compressed' } as const;
const types = Object.keys(forms) as (keyof typeof forms)[];

describe('recorded frames of OTLP traces', () => {
  it('are all there', { skip: missingFrames() ?? false }, () => {
    assert.equal(types.flatMap(recordedFrames).length, 4);
  });

  for (const type of types) {
    for (const frame of recordedFrames(type)) {
      it(frame.name, () => {
        const target = new BlockTarget();
        const rejected: string[] = [];
        const decoder = createTraceDecoders({
          target,
          rowIds: new RowIds({ hubId: 0 }),
          limits: toTracesLimits(tracesLimitsSchema.parse({})),
          onRejected: (reason) => rejected.push(reason),

          onWrongStarts: () => assert.fail('a begin that cannot be'),
        })[forms[type]];
        const { org, team, agent } = frame;
        for (const [index, record] of frame.records.entries()) {
          const dropped = decoder.decode(record, 0, record.length, { org, team, agent, address: '127.0.0.1' });
          assert.equal(dropped, undefined);
          const rows = target.take('flow_log.l7_flow_log');
          const expected = expectedRows(frame.decoded.get(index) as OtlpTraces, agent, team);
          assert.ok(expected.length > 0);
          assert.deepEqual(withoutIds(rows), withoutIds(expected));
        }
        assert.deepEqual(rejected, []);
      });
    }
  }
});
