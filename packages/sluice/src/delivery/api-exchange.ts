import { SluiceError } from '../base/errors.ts';
import type { HttpReply } from '../base/ports.ts';

/** A whole number of the query. Throws SluiceError `bad_request`. */
export function numberIn(
  query: URLSearchParams,
  name: string,
  { absent, most }: { readonly absent: number; readonly most: number },
): number {
  const text = query.get(name);
  if (text === null || text === '') return absent;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new SluiceError('bad_request', `expected ${name} from 1 to ${most}; got ${JSON.stringify(text.slice(0, 40))}`);
}

/** Throws SluiceError `not_found`, naming those that there are. */
export function noSuchExporter(name: string, names: Iterable<string>): never {
  const known = [...new Set(names)].toSorted();
  const there = known.length === 0 ? 'none is configured' : `there are: ${known.join(', ')}`;
  throw new SluiceError('not_found', `there is no exporter ${JSON.stringify(name.slice(0, 64))}; ${there}`);
}

/** The usual answer, `{"status":"success","data":...}`. */
export function jsonReply(data: unknown): HttpReply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status: 'success', data }),
  };
}
