import { SluiceError } from '../../base/errors.ts';
import { LENGTH_DELIMITED, ProtobufReader, VARINT, WireError, uncompressBlock } from 'promwrite/wire';
import { checkMatchers, MATCHER_TYPES, type Matcher } from '../matchers.ts';
import type { ReadLimits } from '../config.ts';

/*
 * ReadRequest   1 queries: repeated Query | 2 accepted_response_types: repeated enum, packed or not
 * Query         1 start_timestamp_ms int64 | 2 end_timestamp_ms int64 | 3 matchers: repeated LabelMatcher | 4 hints: advice, not needed
 * LabelMatcher  1 type enum | 2 name | 3 value
 */

export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  /** As on the wire, unknown ones included. */
  readonly acceptedResponseTypes: readonly number[];
}

export interface ReadQuery {
  /** Epoch milliseconds, both ends belong to the range. */
  readonly start: number;
  readonly end: number;
  readonly matchers: readonly Matcher[];
}

/** Form of the answer: SAMPLES one snappy message, STREAMED_XOR_CHUNKS frames of chunks. */
export type ResponseType = 'SAMPLES' | 'STREAMED_XOR_CHUNKS';

const RESPONSE_TYPES: readonly ResponseType[] = ['SAMPLES', 'STREAMED_XOR_CHUNKS'];

/** Decodes the body of a remote-read request. Throws `bad_request`. */
export function decodeReadRequest(body: Uint8Array, limits: ReadLimits): ReadRequest {
  try {
    // Checks the length that the block declares before it takes memory.
    const request = readRequest(new ProtobufReader(uncompressBlock(body, limits.decodedBytes)), limits);
    for (const query of request.queries) checkMatchers(query.matchers, limits);
    return request;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new SluiceError('bad_request', `cannot decode the read request: ${error.message}`, { cause: error });
  }
}

/** The first accepted type that is served; an empty list means SAMPLES. Throws `bad_request` when there is none. */
export function negotiate(accepted: readonly number[]): ResponseType {
  if (accepted.length === 0) return 'SAMPLES';
  for (const type of accepted) {
    const known = RESPONSE_TYPES[type];
    if (known !== undefined) return known;
  }
  const found = `got types ${accepted.slice(0, 10).join(', ')}`;
  throw new SluiceError(
    'bad_request',
    `expected accepted response types with 0 (SAMPLES) or 1 (STREAMED_XOR_CHUNKS); ${found}`,
  );
}

const QUERIES = 10;
const ACCEPTED = 16;
const ACCEPTED_PACKED = 18;
const MOST_ACCEPTED = 100;

function readRequest(reader: ProtobufReader, limits: ReadLimits): ReadRequest {
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  const accept = (type: number) => {
    if (accepted.length < MOST_ACCEPTED) accepted.push(type);
  };
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === QUERIES) {
      if (queries.length === limits.queries) {
        throw new SluiceError(
          'bad_request',
          `cannot answer the read request: expected at most ${limits.queries} queries`,
        );
      }
      const outer = reader.enter();
      queries.push(readQuery(reader, limits));
      reader.leave(outer);
    } else if (tag === ACCEPTED) accept(reader.int32());
    else if (tag === ACCEPTED_PACKED) {
      const outer = reader.enter();
      while (reader.hasMore()) accept(reader.int32());
      reader.leave(outer);
    } else reader.skipUnknown(tag, 0b110);
  }
  return { queries, acceptedResponseTypes: accepted };
}

function readQuery(reader: ProtobufReader, limits: ReadLimits): ReadQuery {
  let start = 0;
  let end = 0;
  const matchers: Matcher[] = [];
  while (reader.hasMore()) {
    const tag = reader.tag();
    switch (tag) {
      case (1 << 3) | VARINT:
        start = clamped(reader.int64());
        break;
      case (2 << 3) | VARINT:
        end = clamped(reader.int64());
        break;
      case (3 << 3) | LENGTH_DELIMITED: {
        if (matchers.length === limits.matchers) {
          throw new SluiceError('bad_request', `cannot answer a query: expected at most ${limits.matchers} matchers`);
        }
        const outer = reader.enter();
        matchers.push(readMatcher(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skipUnknown(tag, 0b1110);
    }
  }
  return { start, end, matchers };
}

function readMatcher(reader: ProtobufReader): Matcher {
  let type = 0;
  let name = '';
  let value = '';
  while (reader.hasMore()) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | VARINT)) type = reader.int32();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) name = text(reader);
    else if (tag === ((3 << 3) | LENGTH_DELIMITED)) value = text(reader);
    else reader.skipUnknown(tag, 0b1110);
  }
  const known = MATCHER_TYPES[type];
  if (known === undefined) {
    throw new SluiceError('bad_request', `expected a matcher of type 0 to 3; got ${type}`);
  }
  return { type: known, name, value };
}

function text(reader: ProtobufReader): string {
  const found = reader.string();
  if (found === undefined) throw new SluiceError('bad_request', 'expected a matcher in UTF-8; got other bytes');
  return found;
}

/** Times beyond what a number holds exactly mean "no limit" all the same. */
function clamped(time: number | bigint): number {
  if (typeof time === 'number') return time;
  return time < 0n ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}
