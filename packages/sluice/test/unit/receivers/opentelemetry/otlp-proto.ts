import protobuf from 'protobufjs';

/** OTLP traces for a protobuf library that is independent of the decoder. */
const proto = `
syntax = "proto3";
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; KeyValueList kvlist_value = 6;
    bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message Scope { string name = 1; string version = 2; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
enum SpanKind {
  SPAN_KIND_UNSPECIFIED = 0; SPAN_KIND_INTERNAL = 1; SPAN_KIND_SERVER = 2; SPAN_KIND_CLIENT = 3; SPAN_KIND_PRODUCER = 4; SPAN_KIND_CONSUMER = 5;
}
enum StatusCode { STATUS_CODE_UNSET = 0; STATUS_CODE_OK = 1; STATUS_CODE_ERROR = 2; }
message Status { string message = 2; StatusCode code = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; SpanKind kind = 6; fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Event events = 11; repeated Link links = 13; Status status = 15;
  fixed32 flags = 16;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message TracesData { repeated ResourceSpans resource_spans = 1; }
message PartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message ExportTraceServiceResponse { PartialSuccess partial_success = 1; }
message Failure { int32 code = 1; string message = 2; }`;

const { root } = protobuf.parse(proto, { keepCase: true });
const TracesData = root.lookupType('TracesData');

export interface OtlpValue {
  readonly string_value?: string;
  readonly bool_value?: boolean;
  /** As text. */
  readonly int_value?: string;
  readonly double_value?: number;
  readonly array_value?: { readonly values?: readonly OtlpValue[] };
  readonly kvlist_value?: { readonly values?: readonly OtlpAttribute[] };
  /** In base64. */
  readonly bytes_value?: string;
}

export interface OtlpAttribute {
  readonly key?: string;
  readonly value?: OtlpValue;
}

export interface OtlpEvent {
  readonly time_unix_nano?: string;
  readonly name?: string;
  readonly attributes?: readonly OtlpAttribute[];
}

/** Protobuf JSON with the names of the definitions; ids in base64, 64-bit numbers as text. */
export interface OtlpSpan {
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly parent_span_id?: string;
  readonly name?: string;
  readonly kind?: string;
  readonly start_time_unix_nano?: string;
  readonly end_time_unix_nano?: string;
  readonly attributes?: readonly OtlpAttribute[];
  readonly events?: readonly OtlpEvent[];
  readonly links?: readonly { readonly trace_id?: string; readonly attributes?: readonly OtlpAttribute[] }[];
  readonly status?: { readonly code?: string; readonly message?: string };
}

export interface OtlpTraces {
  readonly resource_spans?: readonly {
    readonly resource?: { readonly attributes?: readonly OtlpAttribute[] };
    readonly scope_spans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

export function encodeTraces(traces: OtlpTraces): Uint8Array {
  return TracesData.encode(TracesData.fromObject(traces)).finish();
}

/** Messages of answers. */
export function decodeAnswer(type: 'ExportTraceServiceResponse' | 'Failure', bytes: Uint8Array): unknown {
  const Type = root.lookupType(type);
  return Type.toObject(Type.decode(bytes), { longs: String });
}

/** Attributes of the simple kinds. */
export function attributesOf(values: Readonly<Record<string, string | number | boolean>>): OtlpAttribute[] {
  return Object.entries(values).map(([key, value]) => {
    if (typeof value === 'string') return { key, value: { string_value: value } };
    if (typeof value === 'boolean') return { key, value: { bool_value: value } };
    return { key, value: Number.isInteger(value) ? { int_value: String(value) } : { double_value: value } };
  });
}

/** One span with its resource. */
export function traceOf(span: OtlpSpan, resource: readonly OtlpAttribute[] = []): OtlpTraces {
  return { resource_spans: [{ resource: { attributes: resource }, scope_spans: [{ spans: [span] }] }] };
}

/** The same in OTLP's JSON: camel case, ids in hexadecimal, kinds and codes as numbers. */
export function otlpJson(traces: OtlpTraces): unknown {
  return camel(traces, '');
}

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const codes = ['UNSET', 'OK', 'ERROR'];

function camel(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((one) => camel(one, name));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
        camel(inner, key),
      ]),
    );
  }
  if (typeof value !== 'string') return value;
  if (/^(?:trace_id|span_id|parent_span_id)$/.test(name)) return Buffer.from(value, 'base64').toString('hex');
  if (name === 'kind') return kinds.indexOf(value.replace('SPAN_KIND_', ''));
  if (name === 'code') return codes.indexOf(value.replace('STATUS_CODE_', ''));
  return value;
}
