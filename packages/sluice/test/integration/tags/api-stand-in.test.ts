/** The API that stands in, held against the official client: what that makes of its answers, it would make of those of a cluster. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { CoreV1Api, DiscoveryV1Api, KubeConfig, makeInformer, type V1Pod } from '@kubernetes/client-node';
import { until } from '../../e2e/processes.ts';
import { pod, slice } from '../../unit/tags/kubernetes-objects.ts';
import { ApiStandIn } from './api-stand-in.ts';

async function open(context: TestContext) {
  const api = new ApiStandIn();
  const server = await api.open();
  context.after(() => api.close());
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'c', server, skipTLSVerify: true }, { name: 'u', token: 'very-secret' });
  return { api, config, core: config.makeApiClient(CoreV1Api) };
}

const web = (number: number, labels: Record<string, string> = {}) =>
  pod({ name: `web-${number}`, namespace: 'a', uid: `u${number}`, ips: [`10.0.0.${number}`], labels });

const soon = async (what: string, isSo: () => boolean) =>
  until(
    () => (isSo() ? true : undefined),
    20_000,
    () => what,
  );

test('lists come in pages, and as what they are', async (context) => {
  const { api, core, config } = await open(context);
  for (let number = 1; number <= 5; number++) api.put('pods', web(number));
  const names: (string | undefined)[] = [];
  let next: string | undefined;
  let version: string | undefined;
  do {
    const page = await core.listPodForAllNamespaces({ limit: 2, ...(next === undefined ? {} : { _continue: next }) });
    names.push(...page.items.map((one) => one.metadata?.name));
    version ??= page.metadata?.resourceVersion;
    assert.equal(page.metadata?.resourceVersion, version);
    // oxlint-disable-next-line no-underscore-dangle -- the client's name for a word of the language
    next = page.metadata?._continue;
    assert.equal(page.metadata?.remainingItemCount, next === undefined ? undefined : 5 - names.length);
    // Something happens between two pages.
    if (names.length === 2) api.put('pods', web(1, { changed: 'yes' }));
  } while (next !== undefined && next !== '');
  assert.deepEqual(names, ['web-1', 'web-2', 'web-3', 'web-4', 'web-5']);
  const first = (await core.listNamespacedPod({ namespace: 'a', limit: 1 })).items[0]!;
  assert.deepEqual([first.status?.podIP, first.spec?.nodeName], ['10.0.0.1', 'node-1']);
  assert.ok(first.metadata?.creationTimestamp instanceof Date);
  assert.deepEqual((await core.listNamespacedPod({ namespace: 'b' })).items, []);

  api.put('endpointslices', slice({ name: 's', namespace: 'a', service: 'web' }));
  const managed = { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' };
  api.put('endpointslices', slice({ name: 'm', namespace: 'a', service: 'web', labels: managed }));
  const labelSelector = 'endpointslice.kubernetes.io/managed-by!=endpointslice-controller.k8s.io';
  const own = await config.makeApiClient(DiscoveryV1Api).listEndpointSliceForAllNamespaces({ labelSelector });
  assert.deepEqual(
    own.items.map((one) => one.metadata?.name),
    ['s'],
  );
});

test('what is refused has a status that says why', async (context) => {
  const { api, core } = await open(context);
  api.put('pods', web(1));
  api.put('pods', web(2));
  const { metadata } = await core.listPodForAllNamespaces({ limit: 1 });
  api.forget();
  const reasonOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'answered',
      (error: { code: number; body: unknown }) => {
        const body = (typeof error.body === 'string' ? JSON.parse(error.body) : error.body) as { reason: string };
        return `${error.code} ${body.reason}`;
      },
    );
  // oxlint-disable-next-line no-underscore-dangle -- likewise
  assert.equal(await reasonOf(core.listPodForAllNamespaces({ _continue: metadata!._continue! })), '410 Expired');
  api.trouble('pods', { kind: 'status', status: 403, message: 'no' });
  assert.equal(await reasonOf(core.listPodForAllNamespaces()), '403 Forbidden');
});

test('an informer follows it through all that happens', async (context) => {
  const { api, core, config } = await open(context);
  api.put('pods', web(1));
  const informer = makeInformer(config, '/api/v1/pods', async () => core.listPodForAllNamespaces());
  const seen: string[] = [];
  const note = (what: string) => (one: V1Pod) => seen.push(`${what} ${one.metadata?.name}`);
  informer.on('add', note('add'));
  informer.on('update', note('update'));
  informer.on('delete', note('delete'));
  await informer.start();
  context.after(() => informer.stop());
  await soon('the first watch', () => api.isWatched('pods'));
  api.put('pods', web(2));
  api.put('pods', web(1, { tier: 'front' }));
  api.remove('pods', 'web-2', 'a');
  await soon('three changes', () => seen.length === 4);
  assert.deepEqual(seen, ['add web-1', 'add web-2', 'update web-1', 'delete web-2']);
  // It goes on where it was, and where a bookmark was.
  api.bookmark();
  api.endWatches('clean');
  api.put('pods', web(3));
  await soon('what happened between two watches', () => seen.includes('add web-3'));
  assert.equal(api.count('list', 'pods'), 1);
  // What it missed is not known any more.
  api.endWatches('clean');
  api.remove('pods', 'web-3', 'a');
  api.forget();
  await soon('everything to be read again', () => seen.includes('delete web-3'));
  assert.equal(api.count('list', 'pods'), 2);
  const versions = api.asked.filter(({ does }) => does === 'watch').map(({ query }) => query.get('resourceVersion'));
  assert.ok(versions.every((version) => Number(version) > 1000));
});
