import { putEncoded, putNamedDouble, putNamedText, SPAN_ATTRIBUTE, type TextSpan } from './attribute-bytes.ts';
import { encodedChoices, spanKey } from './attribute-names.ts';
import { longPart, numberPart, optionalLongPart, textPart, type Part } from './attribute-parts.ts';
import type { Chosen } from './chosen.ts';
import type { ListColumn, LogColumns, TextColumn } from './log-columns.ts';
import { protocolPart } from './protocol-parts.ts';
import type { SpanOutline } from './span-outline.ts';

/*
 * Attributes of a Span, field 9 each.
 */

const SIDES = ['_0', '_1'] as const;

const requestIds = SIDES.map((side) => spanKey(`df.span.x_request_id${side}`));
const threads = SIDES.map((side) => spanKey(`df.span.syscall_thread${side}`));
const captureSequences = SIDES.map((side) => spanKey(`df.span.syscall_cap_seq${side}`));
const requestTrace = spanKey('df.span.syscall_trace_id_request');
const responseTrace = spanKey('df.span.syscall_trace_id_response');
const nativeTrace = spanKey('df.span.native.trace_id');
const nativeSpan = spanKey('df.span.native.span_id');
const typeKey = spanKey('df.span.type');
const types = encodedChoices(typeKey, [
  'request',
  'response',
  'session',
  'other',
  ...Array.from({ length: 252 }, () => 'unknown'),
]);
const endpointKey = spanKey('df.span.endpoint');
const requestLength = spanKey('df.metrics.request_length');
const responseLength = spanKey('df.metrics.response_length');
const affectedRows = spanKey('df.metrics.sql_affected_rows');
const duration = spanKey('df.metrics.response_duration_us');
const directionScore = spanKey('df.metrics.direction_score');

/** What writes the attributes of a row's span. */
export function spanParts(columns: LogColumns, chosen: Chosen, outline: SpanOutline): readonly Part[] {
  return [
    ...nativeAttributes(columns, chosen),
    ...tracing(columns, chosen),
    typePart(columns),
    textPart(endpointKey, columns.text('endpoint')),
    protocolPart(columns, chosen, outline),
    ...metrics(columns, chosen),
  ];
}

function nativeAttributes(columns: LogColumns, { has }: Chosen): readonly Part[] {
  if (!has('native_tag', 'attribute_names', 'attribute_values')) return [];
  const names = columns.texts('attribute_names');
  const values = columns.texts('attribute_values');
  return [
    (writer, row) => {
      const first = names.start(row);
      const count = names.end(row) - first;
      const offset = values.start(row) - first;
      if (count === 0 || values.end(row) - values.start(row) !== count) return;
      for (let i = first; i < first + count; i++) {
        const name = textOf(names, i, nameText);
        const value = textOf(values, i + offset, valueText);
        if (name.end > name.start && value.end > value.start) putNamedText(writer, SPAN_ATTRIBUTE, name, value);
      }
    },
  ];
}

const nothing = new Uint8Array(0);
const nameText: TextSpan = { from: nothing, start: 0, end: 0 };
const valueText: TextSpan = { from: nothing, start: 0, end: 0 };

function textOf({ elements }: ListColumn<TextColumn>, i: number, into: TextSpan): TextSpan {
  into.from = elements.bytes;
  into.start = elements.start(i);
  into.end = elements.end(i);
  return into;
}

function tracing(columns: LogColumns, { has }: Chosen): readonly Part[] {
  const group = 'tracing_info';
  const parts: Part[] = [];
  for (const [end, side] of SIDES.entries()) {
    const column = `x_request_id${side}`;
    if (has(group, column)) parts.push(textPart(requestIds[end]!, columns.text(column)));
  }
  const [request, response] = ['syscall_trace_id_request', 'syscall_trace_id_response'];
  if (has(group, request)) parts.push(longPart(requestTrace, columns.words(request)));
  if (has(group, response)) parts.push(longPart(responseTrace, columns.words(response)));
  for (const [end, side] of SIDES.entries()) {
    const column = `syscall_thread${side}`;
    if (has(group, column)) parts.push(numberPart(threads[end]!, columns.words(column)));
  }
  for (const [end, side] of SIDES.entries()) {
    const column = `syscall_cap_seq${side}`;
    if (has(group, column)) parts.push(numberPart(captureSequences[end]!, columns.words(column)));
  }
  if (has(group, 'trace_id')) parts.push(textPart(nativeTrace, columns.text('trace_id')));
  if (has(group, 'span_id')) parts.push(textPart(nativeSpan, columns.text('span_id')));
  return parts;
}

function typePart(columns: LogColumns): Part {
  const values = columns.bytes('type');
  return (writer, row) => putEncoded(writer, types[values[row]!]!);
}

function metrics(columns: LogColumns, { has }: Chosen): readonly Part[] {
  const group = 'metrics';
  const parts: Part[] = [];
  if (has(group, 'request_length')) {
    parts.push(optionalLongPart(requestLength, columns.optional('request_length')));
  }
  if (has(group, 'response_length')) {
    parts.push(optionalLongPart(responseLength, columns.optional('response_length')));
  }
  if (has(group, 'sql_affected_rows')) {
    parts.push(optionalLongPart(affectedRows, columns.optional('sql_affected_rows')));
  }
  if (has(group, 'response_duration')) parts.push(longPart(duration, columns.words('response_duration')));
  if (has(group, 'direction_score')) parts.push(numberPart(directionScore, columns.bytes('direction_score')));
  if (has(group, 'metrics_names', 'metrics_values')) parts.push(measurements(columns));
  return parts;
}

/** Further measurements, each a double under its own name. */
function measurements(columns: LogColumns): Part {
  const names = columns.texts('metrics_names');
  const values = columns.doubles('metrics_values');
  const value = { from: values.elements, start: 0 };
  return (writer, row) => {
    const first = names.start(row);
    const count = names.end(row) - first;
    const offset = values.start(row) - first;
    if (count === 0 || values.end(row) - values.start(row) !== count) return;
    for (let i = first; i < first + count; i++) {
      const name = textOf(names, i, nameText);
      value.start = (i + offset) * 8;
      if (name.end > name.start) putNamedDouble(writer, SPAN_ATTRIBUTE, name, value);
    }
  };
}
