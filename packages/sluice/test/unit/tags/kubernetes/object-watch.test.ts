import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ApiError, type ApiRequest, type KubernetesApi } from '../../../../src/tags/kubernetes/api.ts';
import { ObjectWatch } from '../../../../src/tags/kubernetes/object-watch.ts';

/** An API that lists no pods, and refuses what it is told to. */
class RefusingApi implements KubernetesApi {
  readonly server = 'http://api';
  readonly refused = new Set<'list' | 'watch'>();
  asked = 0;

  get({ query }: ApiRequest): Promise<AsyncIterable<Uint8Array>> {
    this.asked++;
    if (this.refused.has(query['watch'] === 'true' ? 'watch' : 'list')) {
      return Promise.reject(new ApiError(403, 'pods is forbidden'));
    }
    return Promise.resolve(answer('{"metadata":{"resourceVersion":"5"},"items":[]}'));
  }
}

async function* answer(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}

function run(context: TestContext, refused: readonly ('list' | 'watch')[]) {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const api = new RefusingApi();
  for (const what of refused) api.refused.add(what);
  const watch = new ObjectWatch({
    kind: 'Pod',
    request: { path: '/api/v1/pods', query: {}, accept: 'application/json' },
    settings: { environment: new Set() },
    api: () => Promise.resolve(api),
    put: () => true,
    remove: () => undefined,
    onChange: () => undefined,
    count: () => undefined,
    now: Date.now,
    pace: 1,
  });
  const ending = new AbortController();
  const running = watch.run(ending.signal);
  context.after(async () => {
    ending.abort();
    await running;
  });
  const settle = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  /** How often it asks within so many seconds. */
  const asksWithin = async (seconds: number) => {
    const before = api.asked;
    for (let i = 0; i < seconds; i++) {
      context.mock.timers.tick(1000);
      await settle();
    }
    return api.asked - before;
  };
  return { api, watch, settle, asksWithin };
}

test('a kind that was listed is asked for again soon after a refusal', async (context) => {
  const { api, watch, settle, asksWithin } = run(context, ['watch']);
  await settle();
  assert.equal(api.asked, 2);
  assert.equal(watch.state.isRefused, true);
  assert.ok((await asksWithin(9)) >= 3, 'it backs off as from any failure');
  api.refused.add('list');
  assert.ok((await asksWithin(60)) >= 2, 'also when it cannot be listed any more');
});

test('a kind that was never listed is asked for again after a minute', async (context) => {
  const { api, settle, asksWithin } = run(context, ['list']);
  await settle();
  assert.equal(api.asked, 1);
  assert.equal(await asksWithin(59), 0);
  assert.equal(await asksWithin(1), 1);
});
