import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import type { Resource } from '../../../src/tags/description.ts';
import { createKubernetesSource } from '../../../src/tags/kubernetes/kubernetes-source.ts';
import type { Source } from '../../../src/tags/source.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { node, pod, service, slice, workload } from '../../unit/tags/kubernetes-objects.ts';
import { ApiStandIn } from './api-stand-in.ts';

interface Opened {
  readonly api: ApiStandIn;
  readonly source: ReturnType<typeof createKubernetesSource>;
  readonly followed: Followed;
  readonly logged: readonly string[];
  readonly count: (metric: 'tagWatches' | 'tagObjectsSkipped', value: string) => Promise<number>;
}

/** What a listener knows that read `current` when it was told to and has kept up since. */
class Followed {
  readonly resources = new Map<string, Resource>();

  constructor(source: Source) {
    source.onChange((change) => {
      if (change.kind === 'all') {
        this.resources.clear();
        for (const one of source.current()?.resources ?? []) this.resources.set(`${one.kind} ${one.key}`, one);
        return;
      }
      for (const { kind, key } of change.gone) this.resources.delete(`${kind} ${key}`);
      for (const one of change.changed) this.resources.set(`${one.kind} ${one.key}`, one);
    });
  }
}

interface Options {
  readonly prepare?: (api: ApiStandIn) => void;
  readonly namespaces?: readonly string[];
}

async function open(context: TestContext, { prepare = fill, namespaces = [] }: Options = {}): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'));
  const api = new ApiStandIn();
  const server = await api.open();
  prepare(api);
  const kubeconfig = join(folder, 'config');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'k', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'very-secret' } }],
      contexts: [{ name: 'main', context: { cluster: 'k', user: 'u' } }],
      'current-context': '',
    }),
  );
  const metrics = createMetrics();
  const logged: string[] = [];
  const source = createKubernetesSource({
    cluster: { clusterId: 'c', name: 'shop', kubeconfig, context: 'main', vpc: '7', namespaces, environment: [] },
    org: 1,
    metrics,
    log: createLog({ destination: { write: (line) => void logged.push(line) } }),
    pace: 0.02,
  });
  const followed = new Followed(source);
  source.start();
  context.after(async () => {
    await source.stop();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const count: Opened['count'] = async (metric, value) =>
    (await metrics[metric].get()).values
      .filter(({ labels }) => Object.values(labels).includes(value))
      .reduce((sum, one) => sum + one.value, 0);
  return { api, source, followed, logged, count };
}

function fill(api: ApiStandIn): void {
  api.put('namespaces', workload({ name: 'a' }));
  api.put('nodes', node({ name: 'n1', internal: ['192.168.0.1'] }));
  api.put(
    'services',
    service({ name: 'web', namespace: 'a', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] }),
  );
  api.put('deployments', workload({ name: 'web', namespace: 'a' }, { labels: { app: 'web' } }));
  api.put('replicasets', workload({ name: 'web-1', namespace: 'a', owner: { kind: 'Deployment', name: 'web' } }));
  api.put('pods', webPod('1'));
}

function webPod(number: string, parts: { ips?: string[]; node?: string; uid?: string } = {}) {
  return pod({
    name: `web-1-${number}`,
    namespace: 'a',
    uid: `u${number}`,
    ips: [`10.0.0.${number}`],
    labels: { app: 'web' },
    ports: [['http', 8080]],
    owner: { kind: 'ReplicaSet', name: 'web-1' },
    node: 'n1',
    ...parts,
  });
}

async function until(what: string, isSo: () => boolean, source?: Source): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isSo()) {
    if (performance.now() > end) assert.fail(`never: ${what}; ${JSON.stringify(source?.state())}`);
    await sleep(10);
  }
}

function find<K extends Resource['kind']>({ followed }: Opened, kind: K, key: string) {
  return followed.resources.get(`${kind} ${key}`) as Extract<Resource, { kind: K }> | undefined;
}

test('reads everything, follows changes, and says which pods moved', async (context) => {
  const opened = await open(context);
  const { api, source, followed, logged } = opened;
  assert.deepEqual([source.current(), source.state().kind], [undefined, 'starting']);
  await until('read', () => source.current() !== undefined, source);
  assert.deepEqual([...followed.resources.keys()].toSorted(), [
    'pod c/u1',
    'pod_cluster c',
    'pod_group c/a/deployment/web',
    'pod_node c/n1',
    'pod_ns c/a',
    'pod_service c/a/web',
  ]);
  assert.equal(find(opened, 'pod', 'c/u1')?.group, 'c/a/deployment/web');
  assert.deepEqual(find(opened, 'pod_service', 'c/a/web')?.ports, [{ protocol: 'tcp', port: 80, targetPorts: [8080] }]);
  assert.ok(logged.some((line) => line.includes('the Kubernetes API is followed')));
  const { kind, from, lastSuccessMs = 0 } = source.state();
  assert.deepEqual([kind, from], ['up', `http://127.0.0.1:${api.port}`]);
  assert.ok(Date.now() - lastSuccessMs < 10_000);
  assert.ok(api.asked.every(({ authorization }) => authorization === 'Bearer very-secret'));

  api.put('pods', webPod('2'));
  api.put('pods', webPod('1', { ips: ['10.0.1.1'], node: 'n2' }));
  await until('moved', () => find(opened, 'pod', 'c/u1')?.node === 'c/n2' && find(opened, 'pod', 'c/u2') !== undefined);
  assert.deepEqual(find(opened, 'pod', 'c/u1')?.addresses, ['10.0.1.1']);
  // Of the same name, but another one.
  api.remove('pods', 'web-1-1', 'a');
  api.put('pods', webPod('1', { uid: 'u9' }));
  await until(
    'made anew',
    () => find(opened, 'pod', 'c/u9') !== undefined && find(opened, 'pod', 'c/u1') === undefined,
  );
  api.remove('services', 'web', 'a');
  await until('gone', () => find(opened, 'pod_service', 'c/a/web') === undefined);
});

test('goes on where it was after watches have ended, were cut within a line, or only bookmarks came', async (context) => {
  const opened = await open(context);
  const { api, source } = opened;
  await until('read', () => source.current() !== undefined, source);
  await until('watched', () => api.isWatched('pods'));
  api.bookmark();
  await sleep(50);
  api.endWatches('clean');
  api.put('pods', webPod('2'));
  await until('after a clean end', () => find(opened, 'pod', 'c/u2') !== undefined);
  await until('watched again', () => api.isWatched('pods'));
  api.write('pods', '{"type":"DELETED","object":{"metadata":{"name":"web-1-1","namesp');
  await sleep(20);
  api.endWatches('clean');
  api.put('pods', webPod('3'));
  await until('after a cut line', () => find(opened, 'pod', 'c/u3') !== undefined);
  assert.ok(find(opened, 'pod', 'c/u1') !== undefined);
  await until('watched once more', () => api.isWatched('pods'));
  api.endWatches('reset');
  api.put('pods', webPod('4'));
  await until('after a broken connection', () => find(opened, 'pod', 'c/u4') !== undefined);
  assert.equal(api.count('list', 'pods'), 1);
  assert.ok(api.count('watch', 'pods') >= 4);
  const watches = api.asked.filter(({ does, plural }) => does === 'watch' && plural === 'pods');
  const versions = watches.map(({ query }) => Number(query.get('resourceVersion')));
  assert.deepEqual(
    versions,
    versions.toSorted((left, right) => left - right),
  );
  assert.ok(versions[1]! > versions[0]!, 'the bookmark counts');
});

test('reads everything again when the API has forgotten where it was', async (context) => {
  const opened = await open(context);
  const { api, source, count } = opened;
  await until('read', () => source.current() !== undefined, source);
  api.trouble('watch pods', { kind: 'status', status: 410, message: 'Gone' });
  api.endWatches('reset');
  api.remove('pods', 'web-1-1', 'a');
  api.put('pods', webPod('2'));
  api.forget();
  await until(
    'read again',
    () => find(opened, 'pod', 'c/u2') !== undefined && find(opened, 'pod', 'c/u1') === undefined,
    source,
  );
  // In the stream, as in the status.
  api.trouble('watch pods', undefined);
  await until('followed again', () => source.state().kind === 'up', source);
  api.put('pods', webPod('3'));
  await until('followed', () => find(opened, 'pod', 'c/u3') !== undefined);
  assert.ok((await count('tagWatches', 'expired')) >= 2);
  assert.ok(api.count('list', 'pods') < 20, 'it does not ask again and again without waiting');
});

test('what is known stays while the API is away, talks nonsense, or answers by half; then all goes on', async (context) => {
  const opened = await open(context);
  const { api, source } = opened;
  await until('read', () => source.current() !== undefined, source);
  const before = new Map(opened.followed.resources);
  for (const trouble of [
    { kind: 'status', status: 503, message: 'apiserver is shutting down' },
    { kind: 'garbage' },
    { kind: 'half' },
  ] as const) {
    api.trouble('pods', trouble);
    api.forget();
    api.endWatches('reset');
    const isFailing = () => source.state().kind === 'failing' && source.state().lastError?.includes('Pod') === true;
    await until(`failing with ${trouble.kind}`, isFailing, source);
    assert.ok(!(source.state().lastError ?? '').includes('log in'), source.state().lastError);
    await sleep(60);
    assert.deepEqual(opened.followed.resources, before, trouble.kind);
    api.trouble('pods', undefined);
    await until(`up after ${trouble.kind}`, () => source.state().kind === 'up', source);
  }
  // The whole server.
  const { port } = api;
  await api.close();
  await until('away', () => source.state().kind === 'failing', source);
  assert.deepEqual(opened.followed.resources, before);
  const age = source.state().lastSuccessMs ?? 0;
  await sleep(50);
  assert.equal(source.state().lastSuccessMs, age, 'its age grows');
  const again = new ApiStandIn(2000);
  await again.open(port);
  context.after(async () => again.close());
  fill(again);
  again.put('pods', webPod('4'));
  await until('back', () => find(opened, 'pod', 'c/u4') !== undefined && source.state().kind === 'up', source);
});

test('an API whose database was restored from an old copy is silent for long, and then read again', async (context) => {
  const opened = await open(context);
  const { api, source } = opened;
  await until('watched', () => source.state().kind === 'up' && api.isWatched('pods'), source);
  api.restore(10);
  fill(api);
  api.put('pods', webPod('5'));
  api.remove('pods', 'web-1-1', 'a');
  const asked = api.count('watch', 'pods');
  // What it is asked from is still to come there: it is silent, as far as the end of each watch.
  const ending = setInterval(() => api.endWatches('clean'), 100);
  await until(
    'read again',
    () => find(opened, 'pod', 'c/u5') !== undefined && find(opened, 'pod', 'c/u1') === undefined,
    source,
  );
  clearInterval(ending);
  assert.ok(api.count('watch', 'pods') > asked + 3, 'it was not read again at once');
  assert.equal(find(opened, 'pod', 'c/u5')?.group, 'c/a/deployment/web');
});

test('nonsense in a watch is passed over with the watch; objects that are none are counted', async (context) => {
  const opened = await open(context);
  const { api, source, count } = opened;
  await until('read', () => source.current() !== undefined, source);
  await until('watched', () => api.isWatched('pods'));
  api.write('pods', '{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"},"kind":"Pod"}}\n\n');
  api.write('pods', `{"type":"ADDED","object":{"x":"${'y'.repeat(8 * 1024 * 1024)}"}}\n`);
  api.write('pods', 'event: nonsense\n');
  api.put('pods', webPod('2'));
  await until('after nonsense', () => find(opened, 'pod', 'c/u2') !== undefined, source);
  assert.equal(await count('tagObjectsSkipped', 'malformed'), 1);
  assert.equal(await count('tagObjectsSkipped', 'too_large'), 1);
  assert.ok(find(opened, 'pod', 'c/u1') !== undefined);
});

test('many pages; a list that grew too old between two of them begins anew', async (context) => {
  const opened = await open(context, {
    prepare: (api) => {
      for (let i = 0; i < 650; i++) {
        api.put('pods', pod({ name: `p${i}`, namespace: 'a', uid: `u${i}`, ips: [`10.1.${i >> 8}.${i & 255}`] }));
      }
    },
  });
  const { api, source } = opened;
  await until('the first page', () => api.count('list', 'pods') >= 1);
  api.forget();
  await until('read', () => source.current() !== undefined, source);
  assert.equal([...opened.followed.resources.values()].filter(({ kind }) => kind === 'pod').length, 650);
  assert.ok(api.count('list', 'pods') >= 4);
});

test('what it may not see is left out, and said; without pods it is of no use', async (context) => {
  const opened = await open(context, {
    namespaces: ['a'],
    prepare: (api) => {
      fill(api);
      api.put('pods', pod({ name: 'other', namespace: 'b', uid: 'ub' }));
      api.put('endpointslices', slice({ name: 's', namespace: 'a', service: 'web' }));
      const message = 'nodes is forbidden: User "u" cannot list resource "nodes"';
      for (const what of ['nodes', 'namespaces']) api.trouble(what, { kind: 'status', status: 403, message });
    },
  });
  const { api, source } = opened;
  await until('read', () => source.current() !== undefined, source);
  const { kind, lastError = '' } = source.state();
  assert.equal(kind, 'up');
  assert.match(lastError, /cannot list (Node, Namespace|Namespace, Node): HTTP 403: nodes is forbidden/);
  assert.equal(find(opened, 'pod', 'c/ub'), undefined);
  assert.equal(find(opened, 'pod', 'c/u1')?.group, 'c/a/deployment/web');
  assert.equal(find(opened, 'pod_ns', 'c/a')?.name, 'a');
  api.trouble('pods', { kind: 'status', status: 403, message: 'no' });
  api.endWatches('clean');
  await until('failing', () => source.state().kind === 'failing', source);
  assert.ok(find(opened, 'pod', 'c/u1') !== undefined);
});

test('a server that never answers does not keep it from stopping; a wrong context is said', async (context) => {
  const { api, source } = await open(context, {
    prepare: (prepared) => {
      fill(prepared);
      prepared.trouble('pods', { kind: 'silence' });
    },
  });
  await until('asked', () => api.count('list', 'pods') > 0);
  assert.equal(source.state().kind, 'starting');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'));
  const kubeconfig = join(folder, 'config');
  writeFileSync(kubeconfig, 'contexts: [{name: one, context: {cluster: c, user: u}}]\ncurrent-context: one\n');
  const cluster = { clusterId: 'c', name: 'c', kubeconfig, context: 'two', vpc: '1', namespaces: [], environment: [] };
  const wrong = createKubernetesSource({
    cluster,
    org: 1,
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
    pace: 0.02,
  });
  wrong.start();
  await until('said', () => wrong.state().kind === 'failing', wrong);
  assert.match(wrong.state().lastError ?? '', /expected one of its contexts \(one\); got two/);
  await wrong.stop();
  rmSync(folder, { recursive: true });
});

test('a stop does not wait for a program that should print credentials and hangs', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const [kubeconfig, begun, ended] = ['config', 'begun', 'ended'].map((name) => join(folder, name));
  const args = ['-c', 'touch "$0"; sleep 4; touch "$1"', begun, ended];
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args, interactiveMode: 'Never' };
  writeFileSync(
    kubeconfig!,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'k', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ name: 'u', user: { exec } }],
      contexts: [{ name: 'main', context: { cluster: 'k', user: 'u' } }],
      'current-context': 'main',
    }),
  );
  const source = createKubernetesSource({
    cluster: { clusterId: 'c', name: 'c', kubeconfig, context: undefined, vpc: '1', namespaces: [], environment: [] },
    org: 1,
    metrics: createMetrics(),
    log: createLog({ level: 'silent' }),
  });
  source.start();
  await until('asked for credentials', () => existsSync(begun!), source);
  await source.stop();
  assert.ok(!existsSync(ended!), 'it was waited for');
});
