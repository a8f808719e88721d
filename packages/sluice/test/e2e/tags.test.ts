/**
 * What an administrator sets up by DeepFlow's page on Prometheus, with real programs: a Prometheus writes to the hub and another one reads back, tagged; the
 * agents' rows go to Kafka and to a store of samples with names in them; pods move meanwhile.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import type { ApiStandIn } from '../integration/tags/api-stand-in.ts';
import { KafkaBroker, needsKafka } from '../peers/kafka/broker.ts';
import { EXPORTED_TABLE, ExportedRows, labelsOf, type MessageRow } from './exported-rows.ts';
import { apiData, freePort, Hub, needs, peerPath, Prometheus, Running, Scratch, until } from './processes.ts';
import { describeTargets, NEWCOMER, PAGES, ScrapedPages, WEB, writerConfig } from './scraped-targets.ts';
import {
  AgentConnection,
  deploymentPod,
  gatewayPod,
  putDeployment,
  seconds,
  shopDb,
  startCluster,
  WEB_ADDRESS,
  writeKubeconfig,
} from './tagged-platform.ts';

/** How long a change may take until it is seen, on a machine that does much else; 15 s is what is promised of an idle one. */
const SEEN_MS = 60_000;

type Labels = Readonly<Record<string, string>>;
interface Answer {
  readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[];
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
    let exported: ExportedRows;
    let samplesUrl = '';
    let listeningMs = 0;

    before(async () => {
      const starting = KafkaBroker.start();
      opened.defer(async () => starting.then((one) => one[Symbol.asyncDispose]()).catch(() => undefined));
      api = await startCluster();
      opened.defer(() => api.close());
      const pages = opened.use(await ScrapedPages.start(PAGES));
      const targets = describeTargets(scratch.path, WEB);
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
      broker = await starting;
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
      exported = new ExportedRows(broker.addresses.plaintext, samplesUrl);
      const config = scratch.file(
        'server.yaml',
        stringify({
          tags: { files, kubernetes: [{ 'cluster-id': 'c1', name: 'prod', kubeconfig }] },
          agents: { groups: [{ name: 'default', config: { prometheus_http_api_addresses: [writer.url] } }] },
          querier: { prometheus: { 'auto-tagging-prefix': 'df_' } },
          ingester: { exporters: exported.exporters() },
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

    const untilStored = async (request: number): Promise<Labels> =>
      until(
        async () => (await exported.stored()).get(request),
        SEEN_MS,
        () => `row ${request} in the store of samples\n${hub.output()}`,
      );
    const consumed = async (topic: string, request: number): Promise<MessageRow> =>
      until(
        async () => exported.consumed(topic, request),
        SEEN_MS,
        () => `row ${request} in ${topic}\n${hub.output()}`,
      );

    it('rows of agents leave with names and the labels of pods that are asked for', async () => {
      const request = agent.sendRow(1, Date.now());
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
        datasource: EXPORTED_TABLE,
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
      describeTargets(scratch.path, NEWCOMER);

      const waits = [
        untilLabel('up{job="by-address",instance="10.1.0.1:8080"}', 'df_pod', 'newcomer-b'),
        untilLabel('shop_requests_total{job="by-target"}', 'df_pod', 'newcomer-b'),
        untilLabel('up{job="pods",pod="newcomer-b"}', 'df_pod_ns', 'stage'),
        untilLabel('up{job="pods",namespace="shop",pod="db-0"}', 'df_pod_node', 'node-2'),
        untilLabel('up{job="pods",namespace="shop",pod="db-0"}', 'df_k8s_label_tier', 'moved'),
      ];
      const sentMs = new Map<number, number>();
      let lastMs = 0;
      const seen = await until(
        async () => {
          // Rows of one series and second would be added up on their way out.
          const nowMs = Date.now();
          if (Math.floor(nowMs / 1000) > Math.floor(lastMs / 1000)) sentMs.set(agent.sendRow(1, nowMs), nowMs);
          lastMs = nowMs;
          const rows = await exported.stored();
          const isNew = (request: number) =>
            rows.get(request)?.['pod_id_0'] === 'newcomer-b' && rows.get(request)?.['pod_group_id_1'] === 'edge';
          const first = [...sentMs.keys()].find(isNew);
          return first === undefined ? undefined : { row: rows.get(first)!, afterMs: sentMs.get(first)! - churnMs };
        },
        SEEN_MS,
        () => `a row with the new pod\n${hub.output()}`,
      );
      t.diagnostic(`the first row with the change was sent ${seconds(seen.afterMs)} after it`);
      const figures = (await Promise.all(waits)).map(seconds);
      const [byAddress, byTarget, ...byPod] = figures;
      t.diagnostic(`series: by address ${byAddress}, by target ${byTarget}, by pod ${byPod.join(', ')}`);

      const { row } = seen;
      assert.deepEqual(
        [row['pod_ns_id_0'], row['pod_node_id_0'], row['k8s_label_app_0']],
        ['stage', 'node-2', 'newcomer'],
      );
      const lateWeb = agent.sendRow(1, churnMs - 20_000);
      const lateDb = agent.sendRow(2, churnMs - 20_000);
      const nowDb = agent.sendRow(2, Date.now());
      const late = await untilStored(lateWeb);
      assert.deepEqual([late['pod_id_0'], late['pod_ns_id_0'], late['pod_group_id_1']], ['web-a', 'shop', 'gateway']);
      const lateRow = await consumed('all-labels', lateDb);
      assert.deepEqual([lateRow['pod_0'], lateRow['pod_node_0']], ['db-0', 'node-1']);
      const nowRow = await consumed('all-labels', nowDb);
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
