import { createHash } from 'node:crypto';
import { l7ProtocolNames } from '../../../../src/catalog/l7-protocols.ts';
import type { GoldenExport } from '../golden-batch.ts';
import type { AnyValue, KeyValue } from './otlp-messages.ts';
import type { MadeSpan } from './spans-of.ts';

/** Spans as the golden files spell them, and what is otherwise here, on purpose: by ids of deepflow-differences.ts. */

export type GoldenAttribute = readonly [name: string, kind: string, value: unknown];

export interface GoldenSpan {
  readonly resource_attributes: readonly GoldenAttribute[];
  readonly span_attributes: readonly GoldenAttribute[];
  readonly span: {
    readonly traceId: string;
    readonly spanId: string;
    readonly parentSpanId: string;
    readonly name?: string;
    readonly kind?: number;
    readonly startTimeUnixNano?: string;
    readonly endTimeUnixNano?: string;
    readonly status: { readonly code?: number };
    readonly events?: readonly { readonly name: string; readonly timeUnixNano?: string }[];
  };
}

/** A span that was made, in the golden files' spelling. */
export function asGolden({ resource, span }: MadeSpan): GoldenSpan {
  const { traceId, spanId, parentSpanId, status = {}, name, kind, startTimeUnixNano, endTimeUnixNano, events } = span;
  return {
    resource_attributes: attributes(resource.attributes),
    span_attributes: attributes(span.attributes),
    span: {
      traceId: hex(traceId),
      spanId: hex(spanId),
      parentSpanId: hex(parentSpanId),
      ...(name === undefined ? {} : { name }),
      ...(kind === undefined ? {} : { kind }),
      ...(startTimeUnixNano === undefined ? {} : { startTimeUnixNano }),
      ...(endTimeUnixNano === undefined ? {} : { endTimeUnixNano }),
      status: status.code === undefined ? {} : { code: status.code },
      ...(events === undefined
        ? {}
        : { events: events.map((event) => ({ name: event.name ?? '', timeUnixNano: event.timeUnixNano ?? '' })) }),
    },
  };
}

function attributes(list: readonly KeyValue[] = []): readonly GoldenAttribute[] {
  return list.map(({ key = '', value = {} }) => [key, kindOf(value), plain(Object.values(value)[0])]);
}

function kindOf(value: AnyValue): string {
  return Object.keys(value)[0]?.replace('Value', '') ?? 'none';
}

/** Doubles that JSON has no word for are text in the golden files. */
function plain(value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}

/** With attributes in the order of their names. */
export function byName({ resource_attributes, span_attributes, span }: GoldenSpan): GoldenSpan {
  const sorted = (list: readonly GoldenAttribute[]) => list.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { resource_attributes: sorted(resource_attributes), span_attributes: sorted(span_attributes), span };
}

/** What the hub is to make of a row, from what DeepFlow's exporter made of it; and which differences are in it. */
export function expectedOf(
  golden: GoldenExport,
  from: GoldenSpan,
): { span: GoldenSpan; differences: ReadonlySet<string> } {
  const differences = new Set<string>();
  const note = <T>(id: string, is: T, was: unknown): T => {
    if (JSON.stringify(is) !== JSON.stringify(was)) differences.add(id);
    return is;
  };
  const { row } = golden;
  const { span } = from;
  const isImported = row['signal_source'] === 4;
  const nativeSpan = String(row['span_id']);
  const parent = isImported ? idOf(String(row['parent_span_id']), 8) : idOf(nativeSpan, 8);
  const name = isImported ? (row['endpoint'] as string) : span.name?.trim() || nameWithoutRule(golden);
  const start = span.startTimeUnixNano ?? span.endTimeUnixNano!;
  const exception = String(row['response_exception']);
  const told =
    span.events ?? (exception === '' ? undefined : [note('opentelemetry-exceptions', { name: exception }, {})]);
  const events = told?.map((event) => ({ ...event, timeUnixNano: span.endTimeUnixNano! }));
  const resource = from.resource_attributes.filter(([key, , value]) => {
    return !(key === 'df.capture_info.capture_nic' && String(value).startsWith('Invalid'));
  });
  return {
    span: {
      resource_attributes: note(
        'opentelemetry-nat-gateway',
        withNatGateway(golden, note('opentelemetry-capture-nic', resource, from.resource_attributes)),
        resource,
      ),
      span_attributes: from.span_attributes,
      span: {
        traceId: note('opentelemetry-ids', traceIdOf(golden, span.traceId), span.traceId),
        spanId: span.spanId,
        parentSpanId: note(
          nativeSpan === '' ? 'opentelemetry-own-parent' : 'opentelemetry-ids',
          parent,
          span.parentSpanId,
        ),
        name: note(isImported ? 'opentelemetry-imported' : 'opentelemetry-names', name, span.name ?? ''),
        ...(span.kind === undefined ? {} : { kind: span.kind }),
        startTimeUnixNano: note('opentelemetry-start', start, span.startTimeUnixNano ?? ''),
        endTimeUnixNano: span.endTimeUnixNano!,
        status: span.status,
        ...(events === undefined ? {} : { events: note('opentelemetry-event-time', events, told!) }),
      },
    },
    differences,
  };
}

function nameWithoutRule({ row }: GoldenExport): string {
  return (
    (row['endpoint'] as string) || (row['request_type'] as string) || l7ProtocolNames.get(row['l7_protocol'] as number)!
  );
}

/** DeepFlow knows the form of UUIDs and SkyWalking's; both stand in the golden files. */
function traceIdOf({ row }: GoldenExport, theirs: string): string {
  const text = String(row['trace_id']);
  return text === '' || /[-.]/.test(text) ? theirs : idOf(text, 16);
}

/** Digits are the id, short ones filled up on the left; other texts go by their hash. */
function idOf(text: string, size: number): string {
  if (text === '') return '';
  if (/^[0-9a-f]+$/i.test(text)) return text.slice(0, size * 2).padStart(size * 2, '0');
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, size * 2);
}

const NAT_GATEWAY = 16;

/** Behind the tags of the same side that stand before devices. */
function withNatGateway({ row }: GoldenExport, list: readonly GoldenAttribute[]): readonly GoldenAttribute[] {
  const result = [...list];
  for (const side of ['_0', '_1']) {
    if (row[`l3_device_type${side}`] !== NAT_GATEWAY) continue;
    const at = result.findIndex(([key]) => key === `df.universal_tag.auto_instance_type${side}`);
    const name = result[at + 1]![2];
    result.splice(at, 0, [`df.universal_tag.natgw${side}`, 'string', name]);
  }
  return result;
}
