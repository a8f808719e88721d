import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiRequest, KubernetesApi } from '../../../../src/tags/kubernetes/api.ts';
import { listObjects } from '../../../../src/tags/kubernetes/list-objects.ts';
import { watchObjects } from '../../../../src/tags/kubernetes/watch-objects.ts';

const REQUEST = { path: '/api/v1/pods', query: {}, accept: 'application/json', signal: new AbortController().signal };

async function* answer(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}

/** Lists so many objects of one text, as many in a page as are asked for. */
class ListedApi implements KubernetesApi {
  readonly server = 'http://api';
  readonly limits: number[] = [];
  readonly #item: string;
  readonly #count: number;

  constructor(item: string, count: number) {
    this.#item = item;
    this.#count = count;
  }

  get({ query }: ApiRequest): Promise<AsyncIterable<Uint8Array>> {
    const limit = Number(query['limit']);
    this.limits.push(limit);
    const start = Number(query['continue'] ?? 0);
    const end = Math.min(this.#count, start + limit);
    const metadata = { resourceVersion: '7', continue: end < this.#count ? String(end) : '' };
    const items = Array.from({ length: end - start }, () => this.#item);
    return Promise.resolve(answer(`{"metadata":${JSON.stringify(metadata)},"items":[${items.join(',')}]}`));
  }
}

async function list(api: KubernetesApi): Promise<{ readonly version: string; readonly items: number }> {
  let items = 0;
  const onItems = async (page: readonly unknown[]) => void (items += await Promise.resolve(page.length));
  return { version: await listObjects({ api, request: REQUEST, onItems }), items };
}

const MANY_VALUES = (count: number) => `{"a":[${Array.from({ length: count }, () => '{}').join(',')}]}`;

test('pages beyond the limits are asked for again with fewer objects', async () => {
  const bytes = new ListedApi(`{"a":"${'x'.repeat(100_000)}"}`, 250);
  assert.deepEqual(await list(bytes), { version: '7', items: 250 });
  assert.deepEqual(bytes.limits, [200, 50, 50, 50, 50, 50]);
  const values = new ListedApi(MANY_VALUES(10_000), 30);
  assert.deepEqual(await list(values), { version: '7', items: 30 });
  assert.deepEqual(values.limits, [200, 50, 13, 4, 4, 4, 4, 4, 4, 4, 4]);
  const plain = new ListedApi('{}', 250);
  assert.deepEqual(await list(plain), { version: '7', items: 250 });
  assert.deepEqual(plain.limits, [200, 200]);
});

test('one object that is beyond them is said', async () => {
  const tooMany = /^TooLargeError: expected at most 250000 values; got more, although one object alone was asked for$/;
  await assert.rejects(list(new ListedApi(MANY_VALUES(250_000), 1)), tooMany);
  const tooLarge =
    /^TooLargeError: expected an answer of at most 8388608 bytes; got more, although one object alone was asked for$/;
  await assert.rejects(list(new ListedApi(`"${'x'.repeat(8 * 1024 * 1024)}"`, 1)), tooLarge);
});

test('an event of too many values is passed over', async () => {
  const small = '{"type":"ADDED","object":{"metadata":{"resourceVersion":"8"}}}';
  const large = `{"type":"ADDED","object":{"spec":${MANY_VALUES(250_000)}}}`;
  const versions: string[] = [];
  let tooLarge = 0;
  await watchObjects({
    api: { server: 'http://api', get: () => Promise.resolve(answer(`${large}\n${small}\n`)) },
    request: REQUEST,
    version: '7',
    onAlive: () => undefined,
    onEvent: ({ version }) => versions.push(version),
    onTooLarge: () => tooLarge++,
  });
  assert.deepEqual([versions, tooLarge], [['8'], 1]);
});
