import { errorText, isSluiceError, type ErrorCode } from '../../base/errors.ts';
import type { HttpReply } from '../../base/ports.ts';

/** Answers in the format of Prometheus' HTTP API. */

const HEADERS = { 'content-type': 'application/json' };
const START = '{"status":"success","data":[';
const SHORT_LIST = 1000;
const PIECE_CHARACTERS = 64 * 1024;

/** The list, cut to `limit` (0 = none) with the warning that Prometheus gives. Long lists are sent piece by piece. */
export function listReply(items: readonly unknown[], limit: number): HttpReply {
  const cut = limit > 0 && items.length > limit;
  const data = cut ? items.slice(0, limit) : items;
  const warnings = cut ? ',"warnings":["results truncated due to limit"]' : '';
  const end = `]${warnings}}`;
  const body =
    data.length <= SHORT_LIST ? START + data.map((item) => JSON.stringify(item)).join(',') + end : pieces(data, end);
  return { status: 200, headers: HEADERS, body };
}

export function dataReply(data: unknown): HttpReply {
  return { status: 200, headers: HEADERS, body: JSON.stringify({ status: 'success', data }) };
}

/** The answer to an expected failure; others are thrown on. */
export function errorReply(error: unknown): HttpReply {
  if (!isSluiceError(error)) throw error;
  const [status, errorType] = ERRORS[error.code] ?? [500, 'internal'];
  return { status, headers: HEADERS, body: JSON.stringify({ status: 'error', errorType, error: errorText(error) }) };
}

const ERRORS: Partial<Record<ErrorCode, readonly [status: number, type: string]>> = {
  bad_request: [400, 'bad_data'],
  storage_limit: [422, 'execution'],
  storage_unavailable: [503, 'unavailable'],
  cancelled: [503, 'canceled'],
};

async function* pieces(items: readonly unknown[], end: string): AsyncGenerator<Uint8Array> {
  let piece = START;
  for (const [index, item] of items.entries()) {
    piece += (index === 0 ? '' : ',') + JSON.stringify(item);
    if (piece.length < PIECE_CHARACTERS) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  yield Buffer.from(piece + end);
}
