import { inflateSync } from 'node:zlib';
import { l7FlowLog } from '../../catalog/l7-flow-log.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { isBeyondLimit, zlibLimit } from '../uncompress-limit.ts';
import type { TracesLimits } from './config.ts';
import { TraceReader } from './trace-reader.ts';

export interface TraceDecoderOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
  readonly limits: TracesLimits;
  /** Told of spans that were not taken although their record was. */
  readonly onRejected: (reason: string, spans: number) => void;
  /** Told of spans that were taken with another begin than theirs. */
  readonly onWrongStarts: (spans: number) => void;
}

/**
 * OTLP traces that an agent forwards, one message a record, each span a row of flow_log.l7_flow_log: OPENTELEMETRY as it is, OPENTELEMETRY_COMPRESSED as
 * a zlib stream of the same.
 *
 * Dropped are records that are `malformed`, no zlib stream (`corrupt_body`), or `too_large`.
 */
export function createTraceDecoders({ target, rowIds, limits, onRejected, onWrongStarts }: TraceDecoderOptions): {
  readonly plain: RecordDecoder;
  readonly compressed: RecordDecoder;
} {
  const reader = new TraceReader(rowIds, limits);

  function decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
    if (end - start > limits.decodedBytes) return 'too_large';
    const { agent, team, org } = sender;
    const outcome = reader.read(bytes, start, end, { agent, team, block: () => target.block(l7FlowLog, org) });
    for (const [reason, spans] of reader.rejected) onRejected(reason, spans);
    if (reader.wrongStarts > 0) onWrongStarts(reader.wrongStarts);
    if (outcome === 'malformed') return 'malformed';
    return outcome === 'read' ? undefined : 'too_large';
  }

  function decodeCompressed(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
    let message: Uint8Array;
    try {
      message = inflateSync(bytes.subarray(start, end), zlibLimit(limits.decodedBytes));
    } catch (error) {
      return isBeyondLimit(error) ? 'too_large' : 'corrupt_body';
    }
    return decode(message, 0, message.length, sender);
  }

  return { plain: { decode }, compressed: { decode: decodeCompressed } };
}
