import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { readLimitsSchema, toReadLimits } from '../../../src/query/config.ts';
import { createLabelsApi } from '../../../src/query/labels/labels-api.ts';
import { createRemoteRead } from '../../../src/query/remote-read/remote-read.ts';
import { SeriesTagLabels } from '../../../src/query/series-tags.ts';
import type { Store } from '../../../src/storage/store.ts';
import { TableVersions } from '../../../src/storage/table-versions.ts';
import type { Pod } from '../../../src/tags/description.ts';
import { createCustomTags } from '../../../src/tags/custom-tags.ts';
import { TagNames } from '../../../src/tags/tag-names.ts';
import { decodeSamples, decodeStreamed } from '../../unit/query/answer-decoder.ts';
import { bitsOf } from '../../unit/query/chunk-decoder.ts';
import { described, type Described, ToldSource } from '../../unit/tags/described.ts';
import { ask, bodyOf, readRequest, uncompressed } from './ask.ts';
import { openTestDatabase, type DataSeries, type TestDatabase } from './prometheus-data.ts';

const T = 1_700_000_000_000;
const limits = toReadLimits(readLimitsSchema.parse({}));
const at = (...times: number[]) => times.map((time) => ({ time, bits: bitsOf(1) }));

const pod = (id: number, name: string): Pod => ({
  kind: 'pod',
  key: `k/${id}`,
  id,
  name,
  cluster: 'k',
  namespace: 'k/prod',
  labels: [
    ['app', 'shop'],
    ['app.kubernetes.io/name', name],
  ],
  annotations: [['team', 'red']],
});

const tagsOfPod = (id: number) => ({
  pod_id: id,
  pod_ns_id: 11,
  pod_cluster_id: 5,
  pod_group_id: 81,
  auto_instance_id: id,
  auto_instance_type: 10,
  auto_service_id: 81,
  auto_service_type: 130,
  l3_device_type: 10,
  l3_device_id: id,
});

const series = (name: string, i: string, more: Partial<DataSeries> = {}): DataSeries => ({
  labels: [
    ['__name__', name],
    ['i', i],
  ],
  samples: at(T, T + 15_000, T + 30_000),
  ...more,
});

describe('tags as labels', () => {
  let database: TestDatabase;
  let platform: Described;
  let names: TagNames;
  let tags: SeriesTagLabels;
  const metrics = createMetrics();
  const log = createLog({ level: 'silent' });
  const source = new ToldSource([
    { kind: 'pod_cluster', key: 'k', name: 'k8s', id: 5 },
    { kind: 'pod_ns', key: 'k/prod', name: 'prod', id: 11, cluster: 'k', cloudTags: [['owner', 'x']] },
    {
      kind: 'pod_group',
      key: 'k/prod/deployment/web',
      name: 'web',
      id: 81,
      cluster: 'k',
      namespace: 'k/prod',
      type: 'deployment',
    },
    { kind: 'chost', key: 'vm-7', name: 'vm-7', id: 41 },
    pod(101, 'web-1'),
    pod(102, 'web-2'),
  ]);

  before(async () => {
    platform = await described([source]);
    names = new TagNames(() => platform.inventory);
    names.version = 1;
    database = await openTestDatabase([1]);
    tags = new SeriesTagLabels({
      store: database.store,
      prefix: 'df_',
      names,
      customTags: createCustomTags(() => platform.inventory),
    });
    await database.insert([
      series('up', '1', { announced: [T], tags: [tagsOfPod(101)] }),
      series('up', '2', { announced: [T], tags: [tagsOfPod(102)] }),
      // It moved.
      series('up', '3', { announced: [T, T + 20_000], tags: [tagsOfPod(101), tagsOfPod(102)] }),
      series('up', '4', {
        announced: [T],
        tags: [{ l3_device_type: 1, l3_device_id: 41, auto_instance_type: 1, auto_instance_id: 41 }],
      }),
      series('up', '5'),
      {
        labels: [
          ['__name__', 'up'],
          ['df_pod', 'its own'],
          ['i', '6'],
        ],
        samples: at(T),
        announced: [T],
        tags: [tagsOfPod(101)],
      },
    ]);
  });
  after(async () => {
    await platform.close();
    await database.close();
  });

  const read = async (
    matchers: readonly (readonly [string, number, string])[],
    end = T + 60_000,
    routes = createRemoteRead({ store: database.store, tags, limits, metrics, log }),
  ) => {
    const post = (accepted: readonly number[]) =>
      ask(routes, {
        method: 'POST',
        path: '/api/v1/read',
        body: readRequest([{ start: T - 1000, end, matchers }], accepted),
      });
    const streamed = decodeStreamed(await bodyOf(await post([1, 0])), 1)[0]!;
    const samples = decodeSamples(await uncompressed(await post([])))[0]!;
    assert.deepEqual(
      streamed.map(({ labels }) => labels),
      samples.map(({ labels }) => labels),
    );
    return samples;
  };
  const up = ['__name__', 0, 'up'] as const;
  const found = async (...matchers: readonly (readonly [string, number, string])[]) =>
    (await read([up, ...matchers])).map(({ labels }) => new Map(labels).get('i'));
  const get = async (path: string, query: string) => {
    const routes = createLabelsApi({ store: database.store, tags, limits, metrics, log });
    const reply = await ask(routes, { path, query: new URLSearchParams(query) });
    return (JSON.parse((await bodyOf(reply)).toString()) as { data: unknown }).data;
  };

  it('stand among the labels, by name, sorted, with custom tags', async () => {
    const [first] = await read([up, ['i', 0, '1']]);
    assert.deepEqual(first?.labels, [
      ['__name__', 'up'],
      ['df_auto_instance', 'web-1'],
      ['df_auto_instance_type', 'K8s POD'],
      ['df_auto_service', 'web'],
      ['df_auto_service_type', 'Deployment'],
      ['df_cloud_tag_owner', 'x'],
      ['df_k8s_annotation_team', 'red'],
      ['df_k8s_label_app', 'shop'],
      ['df_k8s_label_app_kubernetes_io_name', 'web-1'],
      ['df_pod', 'web-1'],
      ['df_pod_cluster', 'k8s'],
      ['df_pod_group', 'web'],
      ['df_pod_group_type', 'Deployment'],
      ['df_pod_ns', 'prod'],
      ['i', '1'],
    ]);
    const [untagged] = await read([up, ['i', 0, '5']]);
    assert.deepEqual(untagged?.labels, [
      ['__name__', 'up'],
      ['i', '5'],
    ]);
    assert.equal(untagged?.samples.length, 3);
  });

  // Series come sorted by label set, tags included: those without any are the last.
  it('are matched like others: equal, by expression, absent, several', async () => {
    assert.deepEqual(await found(['df_pod', 0, 'web-2']), ['2', '3']);
    assert.deepEqual(await found(['df_pod', 1, 'web-2']), ['4', '6', '1', '5']);
    assert.deepEqual(await found(['df_pod', 2, 'web-.']), ['1', '2', '3']);
    assert.deepEqual(await found(['df_pod', 3, 'web-.']), ['4', '6', '5']);
    assert.deepEqual(await found(['df_pod', 0, '']), ['4', '5']);
    assert.deepEqual(await found(['df_chost', 0, 'vm-7']), ['4']);
    assert.deepEqual(await found(['df_k8s_label_app', 0, 'shop'], ['df_pod', 1, 'web-1'], ['i', 2, '[1-3]']), [
      '2',
      '3',
    ]);
    assert.deepEqual(await found(['df_pod', 0, 'gone']), []);
    assert.deepEqual(await found(['df_pod', 0, 'its own']), ['6']);
  });

  it('are those of the end of the range', async () => {
    const labelsAt = async (end: number) => new Map((await read([up, ['i', 0, '3']], end))[0]?.labels).get('df_pod');
    assert.equal(await labelsAt(T + 10_000), 'web-1');
    assert.equal(await labelsAt(T + 30_000), 'web-2');
  });

  it('stand in the answers about series, labels and values', async () => {
    const series4 = (await get('/api/v1/series', 'match[]=up{df_chost="vm-7"}')) as Record<string, string>[];
    assert.deepEqual(series4, [
      { __name__: 'up', df_auto_instance: 'vm-7', df_auto_instance_type: 'Cloud Host', df_chost: 'vm-7', i: '4' },
    ]);
    const labels = (await get('/api/v1/labels', '')) as string[];
    assert.deepEqual(labels, labels.toSorted());
    assert.ok(['__name__', 'df_pod', 'df_chost', 'df_k8s_label_app', 'i'].every((name) => labels.includes(name)));
    assert.deepEqual(await get('/api/v1/label/df_pod/values', ''), ['its own', 'web-1', 'web-2']);
    assert.deepEqual(await get('/api/v1/label/df_pod/values', 'limit=1'), ['its own']);
    assert.deepEqual(await get('/api/v1/label/df_pod/values', 'match[]=up{i="2"}'), ['web-2']);
    assert.deepEqual(await get('/api/v1/label/i/values', ''), ['1', '2', '3', '4', '5', '6']);
  });

  it('are looked up once, until a series or a name changes', async () => {
    let selects = 0;
    const versions = new TableVersions();
    const counting: Store = {
      ...database.store,
      engine: 'chdb',
      stream: (statement, options) => database.store.stream(statement, options),
      select: (statement, options) => {
        if (statement.text.includes('`series`')) selects++;
        return database.store.select(statement, options);
      },
    };
    const routes = createRemoteRead({ store: counting, tags, versions, limits, metrics, log });
    const pods = async (end: number, matcher: readonly [string, number, string] = ['i', 2, '[12378]']) => {
      const asked = selects;
      const labels = (await read([up, matcher], end, routes)).map((one) => new Map(one.labels));
      return [labels.map((one) => `${one.get('i')} ${one.get('df_pod')}`).toSorted(), selects > asked] as const;
    };
    const now = ['1 web-1', '2 web-2', '3 web-2'];
    assert.deepEqual(await pods(T + 60_000), [now, true]);
    assert.deepEqual(await pods(T + 50_000), [now, false]);
    // Before the third one moved; that of now is still known.
    assert.deepEqual(await pods(T + 10_000), [['1 web-1', '2 web-2', '3 web-1'], true]);
    assert.deepEqual(await pods(T + 70_000), [now, false]);
    assert.deepEqual(await pods(T + 60_000, ['df_pod', 0, 'web-2']), [['2 web-2', '3 web-2'], true]);
    assert.deepEqual(await pods(T + 60_000, ['df_pod', 0, 'web-2']), [['2 web-2', '3 web-2'], false]);
    await database.insert([series('up', '7', { announced: [T], tags: [tagsOfPod(101)] })]);
    versions.changed({ org: 1, table: 'prometheus.series' });
    assert.deepEqual(await pods(T + 60_000), [[...now, '7 web-1'], true]);
    names.version++;
    assert.deepEqual(await pods(T + 60_000), [[...now, '7 web-1'], true]);
    assert.deepEqual(await pods(T + 60_000), [[...now, '7 web-1'], false]);
  });

  it('show new names on old samples', async () => {
    source.put({ ...pod(101, 'web-renamed') });
    await platform.inventory.settle();
    names.version++;
    assert.deepEqual(await found(['df_pod', 0, 'web-renamed']), ['1', '7']);
  });
});
