import { asObject, listAt, objectAt, textAt } from '../json-fields.ts';
import { readBounded } from '../read-bounded.ts';
import { ApiError, type ApiRequest, type KubernetesApi } from './api.ts';

export interface ListOptions {
  readonly api: KubernetesApi;
  readonly request: Omit<ApiRequest, 'idleMs'>;
  /** Called for every page. */
  readonly onItems: (items: readonly unknown[]) => Promise<void>;
}

/** Small enough that one page is parsed within a few tens of milliseconds. */
const PAGE_ITEMS = 200;
const MOST_PAGE_BYTES = 64 * 1024 * 1024;
const MOST_PAGES = 10_000;
const IDLE_MS = 30_000;

/**
 * Reads all objects of a kind, page by page; returns the resource version that a watch goes on from. Throws ApiError (410: it took so long that the API
 * has forgotten where it was), and what is wrong with an answer.
 */
export async function listObjects({ api, request, onItems }: ListOptions): Promise<string> {
  let next = '';
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = { ...request.query, limit: String(PAGE_ITEMS), ...(next === '' ? {} : { continue: next }) };
    const body = await readBounded(await api.get({ ...request, query, idleMs: IDLE_MS }), MOST_PAGE_BYTES);
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

/** Throws without a word of what it read, which may be a secret. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    throw new Error('expected JSON; got something else');
  }
}
