/**
 * What an administrator sets up by DeepFlow's page on Prometheus, with real programs: a Prometheus writes to the hub and another one reads back, tagged; the
 * agents' rows go to Kafka and to a store of samples with names in them; pods move meanwhile.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import type { ApiStandIn } from '../integration/tags/api-stand-in.ts';
import { consume, KafkaBroker, needsKafka } from '../peers/kafka/broker.ts';
import { exporterKeys } from './exporting-hub.ts';
import { documentFrames } from './numbered-rows.ts';
import { apiData, freePort, Hub, needs, peerPath, Prometheus, Running, Scratch, until } from './processes.ts';
import {
  AgentConnection,
  deploymentPod,
  gatewayPod,
  putDeployment,
  replaceFile,
  ScrapedPages,
  seconds,
  shopDb,
  startCluster,
  WEB_ADDRESS,
  WEB_ADDRESS_6,
  writeKubeconfig,
} from './tagged-platform.ts';

const TABLE = 'flow_metrics.application_map.1s';
/** How long a change may take until it is seen, on a machine that does much else; 15 s is what is promised of an idle one. */
const SEEN_MS = 60_000;

type Labels = Readonly<Record<string, string>>;
interface Answer {
  readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[];
}

/** A target as Prometheus' own discovery of pods describes it. */
function podTarget(address: string, namespace: string, name: string, labels: Labels = {}): object {
  return {
    targets: [address],
    labels: {
      __meta_kubernetes_namespace: namespace,
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_ip: address.replace(/:\d+$/, ''),
      ...labels,
    },
  };
}

const WEB = podTarget(`${WEB_ADDRESS}:8080`, 'shop', 'web-a');
const NEWCOMER = podTarget(`${WEB_ADDRESS}:8080`, 'stage', 'newcomer-b');
const OTHERS = [podTarget('10.1.0.2:8080', 'shop', 'db-0'), podTarget('10.1.0.3:8080', 'stage', 'db-0')];
// Of a cluster that the hub knows nothing of.
const NOBODY = podTarget('10.200.0.1:8080', 'elsewhere', 'db-0');
const WATCHER = podTarget('10.1.0.9:8080', 'monitoring', 'watcher-1');

const PAGES = {
  '/metrics':
    '# HELP shop_requests_total Requests of customers.\n# TYPE shop_requests_total counter\nshop_requests_total 7\n',
  // As kube-state-metrics does: what it says of others.
  '/state': ['shop', 'stage'].map((namespace) => `kube_pod_info{namespace="${namespace}",pod="db-0"} 1\n`).join(''),
  // As a gateway of pushed metrics does.
  '/pushed':
    'pushed_total{instance="10.1.0.2:8080",job="batch"} 1\nempty_total{pod="",namespace="",instance="10.1.0.3:1"} 1\n',
};

/** Everything is at `pages`; `__address__` says where it would be. */
function writerConfig(pages: string, targets: Readonly<Record<string, string>>, writeTo: string): string {
  const relabel = (from: string, to: string) => ({ source_labels: [from], target_label: to });
  const there = { target_label: '__address__', replacement: pages };
  const job = (name: string, file: string, labels: readonly object[], more: object = {}) => ({
    job_name: name,
    file_sd_configs: [{ files: [targets[file]], refresh_interval: '2s' }],
    relabel_configs: [relabel('__address__', 'instance'), ...labels, there],
    ...more,
  });
  const namespace = relabel('__meta_kubernetes_namespace', 'namespace');
  const pod = relabel('__meta_kubernetes_pod_name', 'pod');
  const named = (instance: string) => ({ target_label: 'instance', replacement: instance });
  return stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s', external_labels: { cluster: 'prod', replica: 'a' } },
    scrape_configs: [
      job('pods', 'pods', [namespace, pod]),
      job('older', 'pods', [
        relabel('__meta_kubernetes_namespace', 'kubernetes_namespace'),
        relabel('__meta_kubernetes_pod_name', 'kubernetes_pod_name'),
      ]),
      job('by-address', 'pods', []),
      job('by-target', 'web', [named('shop-front')]),
      job('state', 'watcher', [namespace, pod], { metrics_path: '/state', honor_labels: true }),
      job('state-renamed', 'watcher', [namespace, pod], { metrics_path: '/state' }),
      job('state-half', 'watcher', [namespace], { metrics_path: '/state' }),
      job('pushed', 'watcher', [], { metrics_path: '/pushed', honor_labels: true }),
      job('pushed-renamed', 'watcher', [], { metrics_path: '/pushed' }),
      job('machine', 'watcher', [named('metal-7:9100')]),
      job('machine-6', 'watcher', [named('[2001:db8::7]:9100')]),
      job('pod-6', 'watcher', [named(`[${WEB_ADDRESS_6}]:8080`)]),
      job('nobody', 'nobody', [namespace, pod]),
    ],
    remote_write: [
      {
        url: writeTo,
        queue_config: { batch_send_deadline: '500ms', max_backoff: '500ms' },
        // Of metrics the hub learns from the targets' server.
        metadata_config: { send: false },
      },
    ],
  });
}

describe(
  'tags, with real programs',
  { ...needs('prometheus', 'victoria-metrics'), ...needsKafka(), timeout: 300_000 },
  () => {
    const scratch = new Scratch();
    const opened = new AsyncDisposableStack();
    let api: ApiStandIn;
    let broker: KafkaBroker;
    let hub: Hub;
    let reader: Prometheus;
    let agent: AgentConnection;
    let samplesUrl = '';
    let listeningMs = 0;
    const fileOf = (name: string) => `${scratch.path}/${name}.json`;
    const targets = { pods: fileOf('pods'), web: fileOf('web'), watcher: fileOf('watcher'), nobody: fileOf('nobody') };
    const describeTargets = (behindWeb: object) => {
      replaceFile(targets.pods, JSON.stringify([behindWeb, ...OTHERS]));
      replaceFile(targets.web, JSON.stringify([behindWeb]));
    };

    before(async () => {
      const starting = KafkaBroker.start();
      // Looked at below.
      starting.catch(() => undefined);
      api = await startCluster();
      opened.defer(() => api.close());
      const pages = opened.use(await ScrapedPages.start(PAGES));
      describeTargets(WEB);
      replaceFile(targets.watcher, JSON.stringify([WATCHER]));
      replaceFile(targets.nobody, JSON.stringify([NOBODY]));
      const [httpPort, integrationPort, samplesPort] = [await freePort(), await freePort(), await freePort()];
      const writer = opened.use(
        await Prometheus.start(scratch, 'writer', () =>
          writerConfig(pages.address, targets, `http://127.0.0.1:${integrationPort}/api/v1/prometheus`),
        ),
      );
      samplesUrl = `http://127.0.0.1:${samplesPort}`;
      const store = opened.use(
        new Running('victoria-metrics', peerPath('victoria-metrics'), [
          `-storageDataPath=${scratch.path}/samples`,
          `-httpListenAddr=127.0.0.1:${samplesPort}`,
          '-retentionPeriod=1',
        ]),
      );
      broker = opened.use(await starting);
      await until(
        async () => ((await fetch(`${samplesUrl}/health`).catch(() => undefined))?.ok === true ? true : undefined),
        20_000,
        () => `the store of samples:\n${store.output()}`,
      );
      const kubeconfig = writeKubeconfig(scratch, 'kubeconfig', `http://127.0.0.1:${api.port}`);
      const files = [
        scratch.file(
          'tags.yaml',
          'hosts: [{ name: metal-7, region: eu, addresses: [192.0.2.7, "2001:db8::7"] }]\nregions: [{ name: eu }]\n',
        ),
      ];
      const exporter = { 'data-sources': [TABLE], 'queue-count': 1 };
      const config = scratch.file(
        'server.yaml',
        stringify({
          tags: { files, kubernetes: [{ 'cluster-id': 'c1', name: 'prod', kubeconfig }] },
          agents: { groups: [{ name: 'default', config: { prometheus_http_api_addresses: [writer.url] } }] },
          querier: { prometheus: { 'auto-tagging-prefix': 'df_' } },
          ingester: {
            exporters: [
              exporterKeys({
                ...exporter,
                name: 'all-labels',
                protocol: 'kafka',
                endpoints: [broker.addresses.plaintext],
                topic: 'all-labels',
                'export-fields': ['$tag', '$metrics', '$k8s.label'],
              }),
              exporterKeys({
                ...exporter,
                name: 'one-label',
                protocol: 'kafka',
                endpoints: [broker.addresses.plaintext],
                topic: 'one-label',
                'export-fields': ['request', 'pod_id', '$k8s.label.tier'],
              }),
              exporterKeys({
                ...exporter,
                name: 'samples',
                protocol: 'prometheus',
                endpoints: [`${samplesUrl}/api/v1/write`],
                'export-fields': [
                  'request',
                  'pod_id',
                  'pod_id_1',
                  'pod_ns_id',
                  'pod_node_id',
                  'pod_group_id_1',
                  '~$k8s.label.^app',
                ],
              }),
            ],
          },
        }),
      );
      hub = opened.use(
        await Hub.start(`${scratch.path}/hub`, {
          listen: false,
          args: ['--config', config, '--set', `listen.http=127.0.0.1:${httpPort}`].concat([
            '--set',
            `listen.integration=127.0.0.1:${integrationPort}`,
          ]),
        }),
      );
      listeningMs = performance.now();
      await hub.ready();
      agent = opened.use(await AgentConnection.open(hub));
      reader = opened.use(
        await Prometheus.start(scratch, 'reader', () =>
          stringify({
            global: { external_labels: { cluster: 'prod', replica: 'a' } },
            remote_read: [{ url: `${hub.http}/api/v1/prom/read`, read_recent: true }],
          }),
        ),
      );
    });
    after(async () => {
      await opened.disposeAsync();
      scratch[Symbol.dispose]();
    });

    const ask = async (query: string, timeMs = Date.now()) =>
      ((await reader.get('/api/v1/query', { query, time: String(timeMs / 1000) })) as Answer).result;
    const oneOf = async (selector: string, timeMs?: number): Promise<Labels> => {
      const found = await ask(selector, timeMs);
      assert.equal(found.length, 1, `${selector}: ${JSON.stringify(found)}\n${hub.output()}`);
      return found[0]!.metric;
    };
    /** Waits until one series has a label of this value; how long it took. */
    const untilLabel = async (selector: string, name: string, value: string): Promise<number> => {
      const began = performance.now();
      let seen: readonly Labels[] = [];
      await until(
        async () => {
          seen = (await ask(selector)).map(({ metric }) => metric);
          return seen.length === 1 && seen[0]![name] === value ? true : undefined;
        },
        SEEN_MS,
        () => `${selector} to have ${name}=${value}; there are ${JSON.stringify(seen)}\n${hub.output()}`,
      );
      return performance.now() - began;
    };

    it('series come back tagged soon after a start, by pod, address, machine or target', async (t) => {
      await untilLabel('shop_requests_total{job="pods",namespace="shop",pod="web-a"}', 'df_pod', 'web-a');
      const tookMs = performance.now() - listeningMs;
      t.diagnostic(`the first series is tagged ${seconds(tookMs)} after the hub began to listen`);
      assert.ok(tookMs < 30_000, `tagged after ${seconds(tookMs)}`);
      const web = await oneOf('shop_requests_total{job="pods",pod="web-a"}');
      assert.deepEqual(
        { ...web },
        {
          __name__: 'shop_requests_total',
          job: 'pods',
          instance: '10.1.0.1:8080',
          namespace: 'shop',
          pod: 'web-a',
          df_auto_instance: 'web-a',
          df_auto_instance_type: 'K8s POD',
          df_auto_service: 'web-svc',
          df_auto_service_type: 'K8s Service',
          df_az: 'eu-a',
          df_ip: WEB_ADDRESS,
          df_k8s_label_app: 'web',
          df_k8s_label_app_kubernetes_io_name: 'web',
          df_k8s_label_tier: 'front',
          df_pod: 'web-a',
          df_pod_cluster: 'prod',
          df_pod_group: 'web',
          df_pod_group_type: 'Deployment',
          df_pod_node: 'node-1',
          df_pod_ns: 'shop',
          df_pod_service: 'web-svc',
          df_region: 'eu',
        },
      );
    });

    it('nothing is tagged with a pod of the same name, however its labels are spelt', async () => {
      await untilLabel('shop_requests_total{job="by-target"}', 'df_pod', 'web-a');
      const behind = async (selector: string) => {
        const found = await ask(selector);
        return found
          .map(({ metric }) => `${metric['df_pod_ns'] ?? '-'}/${metric['df_pod'] ?? metric['df_host'] ?? '-'}`)
          .toSorted();
      };
      const pods = ['shop/db-0', 'shop/web-a', 'stage/db-0'];
      assert.deepEqual(
        {
          pods: await behind('up{job="pods"}'),
          older: await behind('up{job="older"}'),
          byAddress: await behind('up{job="by-address"}'),
          // What it describes, where it says so itself; what it is, where the server says so.
          state: await behind('kube_pod_info{job="state"}'),
          stateRenamed: await behind('kube_pod_info{job="state-renamed"}'),
          stateHalf: await behind('kube_pod_info{job="state-half"}'),
          pushed: await behind('pushed_total{job="batch"}'),
          pushedRenamed: await behind('pushed_total{job="pushed-renamed"}'),
          empty: await behind('empty_total{job="pushed"}'),
          machine: await behind('up{job="machine"}'),
          machine6: await behind('up{job="machine-6"}'),
          pod6: await behind('up{job="pod-6"}'),
          nobody: await behind('up{job="nobody"}'),
        },
        {
          pods,
          older: pods,
          byAddress: pods,
          state: ['shop/db-0', 'stage/db-0'],
          stateRenamed: ['monitoring/watcher-1', 'monitoring/watcher-1'],
          stateHalf: ['shop/db-0', 'stage/db-0'],
          pushed: ['shop/db-0'],
          pushedRenamed: ['monitoring/watcher-1'],
          empty: ['stage/db-0'],
          machine: ['-/metal-7'],
          machine6: ['-/metal-7'],
          pod6: ['shop/web-a'],
          nobody: ['-/-'],
        },
      );
    });

    it('matchers on tags decide what is read, and PromQL groups by them', async () => {
      const count = async (selector: string) => Number((await ask(`count(${selector})`))[0]?.value[1] ?? 0);
      assert.equal(await count('up{job="pods",df_pod_ns="shop"}'), 2);
      assert.equal(await count('up{job="pods",df_pod_ns!="shop"}'), 1);
      assert.equal(await count('up{job="pods",df_k8s_label_app=~"w.b|nothing"}'), 1);
      assert.equal(await count('up{job="pods",df_pod!~"db.*"}'), 1);
      assert.equal(await count('up{job=~"pods|machine|nobody",df_pod=""}'), 2);
      assert.equal(await count('up{job=~"pods|machine|nobody",df_pod!=""}'), 3);
      assert.equal(await count('up{df_host="metal-7"}'), 2);
      assert.equal(await count('up{job="pods",df_pod_ns="nowhere"}'), 0);
      const grouped = await ask('sum by (df_pod_ns, df_k8s_label_app) (shop_requests_total{job="pods"})');
      assert.deepEqual(
        grouped
          .map(({ metric, value }) => [metric['df_pod_ns'], metric['df_k8s_label_app'], value[1]].join(' '))
          .toSorted(),
        ['shop db 7', 'shop web 7', 'stage db 7'],
      );
      const own = (await apiData(`${hub.http}/api/v1/series`, {
        'match[]': 'up{df_pod="web-a",job="pods"}',
      })) as Labels[];
      assert.deepEqual(
        own.map((one) => one['df_pod_node']),
        ['node-1'],
      );
      assert.deepEqual(await apiData(`${hub.http}/api/v1/label/df_pod_ns/values`), ['monitoring', 'shop', 'stage']);
      const metadata = (await apiData(`${hub.http}/api/v1/metadata`)) as Record<string, readonly Labels[]>;
      assert.deepEqual(metadata['shop_requests_total'], [
        { type: 'counter', help: 'Requests of customers.', unit: '' },
      ]);
    });

    /** Rows with numbers of their own: the requests of the row. */
    let number = 0;
    const sendRow = (client: number, timeMs: number): number => {
      const request = ++number;
      const row = {
        time: Math.floor(timeMs / 1000),
        client,
        vpc: 1,
        request,
        response: 0,
        rrtMax: 0,
        rrtSum: 0,
        rrtCount: 0,
      };
      agent.send(documentFrames([row]));
      return request;
    };
    /** The series that a row with this number has become. */
    const stored = async (request: number): Promise<Labels | undefined> => {
      const answer = await fetch(`${samplesUrl}/api/v1/export?match[]=request&start=0&end=9999999999`);
      for (const line of (await answer.text()).split('\n')) {
        if (line === '') continue;
        const { metric, values } = JSON.parse(line) as { metric: Labels; values: readonly number[] };
        if (values.includes(request)) return metric;
      }
      return undefined;
    };
    const untilStored = async (request: number): Promise<Labels> =>
      until(
        async () => stored(request),
        SEEN_MS,
        () => `row ${request} in the store of samples\n${hub.output()}`,
      );
    const consumed = async (topic: string, request: number): Promise<Readonly<Record<string, unknown>>> =>
      until(
        async () => {
          const rows = (await consume(broker.addresses.plaintext, topic).catch(() => [])).map(
            ({ payload }) => JSON.parse(payload) as Readonly<Record<string, unknown>>,
          );
          return rows.find((row) => row['request'] === request);
        },
        SEEN_MS,
        () => `row ${request} in ${topic}\n${hub.output()}`,
      );
    const labelsOf = (row: Readonly<Record<string, unknown>>, end: 0 | 1) => {
      const [names, values] = [row[`k8s_label_names_${end}`], row[`k8s_label_values_${end}`]] as (
        | string[]
        | undefined
      )[];
      return Object.fromEntries((names ?? []).map((name, i) => [name, values![i]]));
    };

    it('rows of agents leave with names and the labels of pods that are asked for', async () => {
      const request = sendRow(1, Date.now());
      const row = await consumed('all-labels', request);
      const ends = (name: string) => [row[`${name}_0`], row[`${name}_1`]];
      assert.deepEqual(ends('pod'), ['web-a', 'gateway-a']);
      assert.deepEqual(ends('pod_ns'), ['shop', 'shop']);
      assert.deepEqual(ends('pod_group'), ['web', 'gateway']);
      assert.deepEqual(ends('pod_node'), ['node-1', 'node-1']);
      assert.deepEqual(ends('pod_cluster'), ['prod', 'prod']);
      assert.deepEqual(ends('region'), ['eu', 'eu']);
      assert.deepEqual(ends('auto_instance'), ['web-a', 'gateway-a']);
      assert.deepEqual(labelsOf(row, 0), { app: 'web', tier: 'front', 'app.kubernetes.io/name': 'web' });
      assert.deepEqual(labelsOf(row, 1), { app: 'gateway' });
      const one = await consumed('one-label', request);
      assert.deepEqual([labelsOf(one, 0), labelsOf(one, 1), one['pod_0']], [{ tier: 'front' }, {}, 'web-a']);
      const sample = await untilStored(request);
      assert.deepEqual(sample, {
        __name__: 'request',
        datasource: TABLE,
        pod_id_0: 'web-a',
        pod_id_1: 'gateway-a',
        pod_ns_id_0: 'shop',
        pod_node_id_0: 'node-1',
        pod_group_id_1: 'gateway',
        k8s_label_app_0: 'web',
        k8s_label_app_1: 'gateway',
        k8s_label_app_kubernetes_io_name_0: 'web',
      });
    });

    it('pods move, are replaced and renamed: rows and series of before keep what was true then', async (t) => {
      await untilLabel('up{job="by-address",instance="10.1.0.1:8080"}', 'df_pod', 'web-a');
      const churnMs = Date.now();
      const startTime = new Date(churnMs).toISOString();
      // Another one gets the address; a pod of a StatefulSet comes again on another node, with other labels; a deployment gets another name.
      api.remove('pods', 'web-a', 'shop');
      const newcomer = { name: 'newcomer-b', namespace: 'stage', uid: 'newcomer', node: 'node-2', startTime };
      api.put('pods', deploymentPod('newcomer', { ...newcomer, ips: [WEB_ADDRESS], labels: { app: 'newcomer' } }));
      api.remove('pods', 'db-0', 'shop');
      api.put('pods', shopDb({ uid: 'db-shop-2', node: 'node-2', startTime, labels: { app: 'db', tier: 'moved' } }));
      putDeployment(api, 'shop', 'edge');
      api.put('pods', gatewayPod('edge'));
      describeTargets(NEWCOMER);

      const isNew = (row: Labels) => row['pod_id_0'] === 'newcomer-b' && row['pod_group_id_1'] === 'edge';
      const seen = await until(
        async () => {
          const row = await untilStored(sendRow(1, Date.now()));
          return isNew(row) ? row : undefined;
        },
        SEEN_MS,
        () => `a row with the new pod\n${hub.output()}`,
      );
      t.diagnostic(`rows have the change after ${seconds(Date.now() - churnMs)}`);
      const waits = [
        untilLabel('up{job="by-address",instance="10.1.0.1:8080"}', 'df_pod', 'newcomer-b'),
        untilLabel('shop_requests_total{job="by-target"}', 'df_pod', 'newcomer-b'),
        untilLabel('up{job="pods",pod="newcomer-b"}', 'df_pod_ns', 'stage'),
        untilLabel('up{job="pods",namespace="shop",pod="db-0"}', 'df_pod_node', 'node-2'),
        untilLabel('up{job="pods",namespace="shop",pod="db-0"}', 'df_k8s_label_tier', 'moved'),
      ];
      const figures = await Promise.all(waits.map(async (wait) => wait.then(() => seconds(Date.now() - churnMs))));
      t.diagnostic(
        `series have it, by address ${figures[0]}, by target ${figures[1]}, by pod ${figures[2]}, ${figures[3]}`,
      );

      assert.deepEqual(
        [seen['pod_ns_id_0'], seen['pod_node_id_0'], seen['k8s_label_app_0']],
        ['stage', 'node-2', 'newcomer'],
      );
      const late = await untilStored(sendRow(1, churnMs - 20_000));
      assert.deepEqual([late['pod_id_0'], late['pod_ns_id_0'], late['pod_group_id_1']], ['web-a', 'shop', 'gateway']);
      const lateRow = await consumed('all-labels', sendRow(2, churnMs - 20_000));
      assert.deepEqual([lateRow['pod_0'], lateRow['pod_node_0']], ['db-0', 'node-1']);
      const nowRow = await consumed('all-labels', sendRow(2, Date.now()));
      assert.deepEqual(
        [nowRow['pod_0'], nowRow['pod_node_0'], labelsOf(nowRow, 0)['tier']],
        ['db-0', 'node-2', 'moved'],
      );

      const beforeMs = churnMs - 1000;
      assert.equal((await oneOf('up{job="by-address",instance="10.1.0.1:8080"}', beforeMs))['df_pod'], 'web-a');
      assert.equal((await oneOf('shop_requests_total{job="by-target"}', beforeMs))['df_pod'], 'web-a');
      assert.equal((await oneOf('up{job="pods",namespace="shop",pod="db-0"}', beforeMs))['df_pod_node'], 'node-1');
      assert.equal((await ask('up{job="by-address",df_pod="newcomer-b"}', beforeMs)).length, 0);
      const rejected = await fetch(`${hub.http}/api/v1/rejected`);
      assert.deepEqual(((await rejected.json()) as { data: unknown[] }).data, []);
      assert.equal(await hub.end(), 0, hub.output());
    });
  },
);
