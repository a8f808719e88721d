import { longOf, wireFields } from './wire-fields.ts';

/*
 * ExportTraceServiceResponse: 1 partial success: 1 number of spans that were not taken | 2 why
 * google.rpc.Status: 1 code | 2 text | 3 details: 1 type URL | 2 message
 * google.rpc.RetryInfo: 1 delay: 1 seconds | 2 nanoseconds
 */

/** What a receiver says about spans that it did not take although it took the request. */
export interface PartialSuccess {
  readonly rejected: number;
  readonly why: string;
}

/** Bytes of a text that are read. */
const MOST_READ = 16 * 1024;

export function readPartialSuccess(message: Uint8Array): PartialSuccess {
  let rejected = 0;
  let why = '';
  for (const outer of wireFields(message)) {
    if (outer.number !== 1 || outer.type !== 2) continue;
    const partial = message.subarray(outer.start, outer.end);
    for (const field of wireFields(partial)) {
      if (field.number === 1 && field.type === 0) rejected = Math.max(0, Number(longOf(field)));
      else if (field.number === 2 && field.type === 2) why = textOf(partial, field.start, field.end);
    }
  }
  return { rejected, why };
}

/** The same of a receiver that answers in JSON. */
export function readPartialSuccessJson(text: string): PartialSuccess {
  try {
    const { partialSuccess } = JSON.parse(text) as {
      partialSuccess?: { rejectedSpans?: unknown; errorMessage?: unknown };
    };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    const why = partialSuccess?.errorMessage;
    return {
      rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
      why: typeof why === 'string' ? why : '',
    };
  } catch {
    return { rejected: 0, why: '' };
  }
}

export interface StatusMessage {
  readonly text: string;
  /** When the receiver wants to be asked again; undefined = it does not say. */
  readonly retryMs: number | undefined;
}

export function readStatus(message: Uint8Array): StatusMessage {
  let text = '';
  let retryMs: number | undefined;
  for (const field of wireFields(message)) {
    if (field.type !== 2) continue;
    if (field.number === 2) text = textOf(message, field.start, field.end);
    else if (field.number === 3) retryMs = readRetryInfo(message.subarray(field.start, field.end)) ?? retryMs;
  }
  return { text, retryMs };
}

function readRetryInfo(detail: Uint8Array): number | undefined {
  let isRetryInfo = false;
  let info: Uint8Array | undefined;
  for (const field of wireFields(detail)) {
    if (field.type !== 2) continue;
    if (field.number === 1) isRetryInfo = textOf(detail, field.start, field.end).endsWith('/google.rpc.RetryInfo');
    else if (field.number === 2) info = detail.subarray(field.start, field.end);
  }
  if (!isRetryInfo) return undefined;
  let milliseconds = 0;
  for (const delay of wireFields(info ?? new Uint8Array(0))) {
    if (delay.number !== 1 || delay.type !== 2) continue;
    const duration = info!.subarray(delay.start, delay.end);
    for (const field of wireFields(duration)) {
      if (field.number === 1) milliseconds += Number(longOf(field)) * 1000;
      else if (field.number === 2) milliseconds += Number(longOf(field)) / 1e6;
    }
  }
  return Math.max(0, milliseconds);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, Math.min(end, start + MOST_READ)));
}
