import type { HttpReply } from '../../base/ports.ts';
import { WireWriter } from './wire-writer.ts';

/** Encodings of OTLP/HTTP; an answer has that of its request. */
export type Encoding = 'protobuf' | 'json';

const contentTypes: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** What OTLP calls the kinds of failure (google.rpc.Code). */
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const INTERNAL = 13;
const UNAVAILABLE = 14;

const rpcCodes: Readonly<Record<number, number>> = {
  400: INVALID_ARGUMENT,
  413: RESOURCE_EXHAUSTED,
  429: RESOURCE_EXHAUSTED,
  503: UNAVAILABLE,
};

/**
 * ExportTraceServiceResponse: 1 partial success { 1 rejected spans | 2 message }; empty when every span was taken.
 */
export function exportAnswer(encoding: Encoding, rejectedSpans: number, message: string): HttpReply {
  const isWhole = rejectedSpans === 0;
  if (encoding === 'json') {
    // 64-bit integers are texts in JSON.
    const partial = { rejectedSpans: String(rejectedSpans), errorMessage: message };
    return reply(200, encoding, JSON.stringify(isWhole ? {} : { partialSuccess: partial }));
  }
  const writer = new WireWriter();
  if (!isWhole) {
    writer.message(1, () => {
      writer.varint(1, BigInt(rejectedSpans));
      writer.text(2, message);
    });
  }
  return reply(200, encoding, writer.finish());
}

/** Status (google.rpc): 1 code | 2 message. */
export function failureAnswer(
  encoding: Encoding,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): HttpReply {
  const code = rpcCodes[status] ?? INTERNAL;
  if (encoding === 'json') return reply(status, encoding, JSON.stringify({ code, message }), headers);
  const writer = new WireWriter();
  writer.varint(1, BigInt(code));
  writer.text(2, message);
  return reply(status, encoding, writer.finish(), headers);
}

function reply(
  status: number,
  encoding: Encoding,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): HttpReply {
  return { status, headers: { ...headers, 'content-type': contentTypes[encoding] }, body };
}
