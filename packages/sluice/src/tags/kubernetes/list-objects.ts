import { asObject, hasMoreValues, listAt, objectAt, textAt } from '../json-fields.ts';
import { readBounded, TooLargeError } from '../read-bounded.ts';
import { ApiError, type ApiRequest, type KubernetesApi } from './api.ts';

export interface ListOptions {
  readonly api: KubernetesApi;
  readonly request: Omit<ApiRequest, 'idleMs'>;
  /** Called for every page. */
  readonly onItems: (items: readonly unknown[]) => Promise<void>;
}

/** A page is parsed at once, so it is to be small: a page beyond the limits is asked for again, with a quarter of the objects each time. */
const PAGE_ITEMS = 200;
const MOST_PAGE_BYTES = 8 * 1024 * 1024;
/** Commas and brackets, of a page as of an event: a pod has some hundreds. */
export const MOST_VALUES = 250_000;
const MOST_PAGES = 10_000;
const IDLE_MS = 30_000;

/**
 * Reads all objects of a kind, page by page; returns the resource version that a watch goes on from. Throws ApiError (410: it took so long that the API
 * has forgotten where it was), TooLargeError when not even one object alone is within the limits, and what is wrong with an answer.
 */
export async function listObjects({ api, request, onItems }: ListOptions): Promise<string> {
  let next = '';
  let limit = PAGE_ITEMS;
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = { ...request.query, limit: String(limit), ...(next === '' ? {} : { continue: next }) };
    const body = await readPage(await api.get({ ...request, query, idleMs: IDLE_MS }), limit);
    if (body === undefined) {
      limit = Math.ceil(limit / 4);
      continue;
    }
    const list = asObject(parseJson(body));
    if (list === undefined || (!Array.isArray(list['items']) && list['items'] !== null)) {
      throw new Error('expected a list of objects; got something else');
    }
    const meta = objectAt(list, 'metadata');
    const version = textAt(meta, 'resourceVersion');
    if (version === '') throw new Error('expected a list with a resourceVersion; got none');
    await onItems(listAt(list, 'items'));
    next = textAt(meta, 'continue');
    if (next === '') return version;
  }
  throw new ApiError(0, `expected a list of at most ${MOST_PAGES} pages`);
}

/** Undefined: it is beyond the limits, and fewer objects may be within them. */
async function readPage(answer: AsyncIterable<Uint8Array>, objects: number): Promise<Buffer | undefined> {
  try {
    const body = await readBounded(answer, MOST_PAGE_BYTES);
    if (hasMoreValues(body, MOST_VALUES)) throw new TooLargeError(`expected at most ${MOST_VALUES} values; got more`);
    return body;
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    if (objects > 1) return undefined;
    throw new TooLargeError(`${error.message}, although one object alone was asked for`);
  }
}

/** Throws without a word of what it read, which may be a secret. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    throw new Error('expected JSON; got something else');
  }
}
