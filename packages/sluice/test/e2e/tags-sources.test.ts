/** Sources of tags that go away, are slow, or answer with nonsense or by half: what they told last stays, and they come back by themselves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { ApiStandIn, type Trouble } from '../integration/tags/api-stand-in.ts';
import { pod, workload } from '../unit/tags/kubernetes-objects.ts';
import {
  CONFIG,
  says,
  startStandIn,
  target,
  TARGETS,
  type PrometheusStandIn,
} from '../unit/tags/prometheus-targets/prometheus-stand-in.ts';
import type { TagsOverview } from '../../src/tags/tags-api.ts';
import { exporterKeys } from './exporting-hub.ts';
import { apiData, command, Hub, Running, Scratch, until } from './processes.ts';
import { RowSink } from './row-sink.ts';
import { AgentConnection, replaceFile, seconds, writeKubeconfig } from './tagged-platform.ts';

/** How long anything may take on a machine that does much else. */
const PATIENCE_MS = 90_000;

type Source = TagsOverview['sources'][number];

/** What may become of a Kubernetes API; `away`: nobody listens. */
const API_TROUBLES = {
  refusing: { kind: 'status', status: 503, message: 'the server is shutting down' },
  garbage: { kind: 'garbage' },
  half: { kind: 'half' },
  away: undefined,
} as const satisfies Record<string, Trouble | undefined>;
type ApiName = keyof typeof API_TROUBLES;
const API_NAMES = Object.keys(API_TROUBLES) as ApiName[];
const SERVER_NAMES = ['slow', 'garbage', 'half', 'away'] as const;
type ServerName = (typeof SERVER_NAMES)[number];

const GOOD_FILE = 'hosts:\n  - { name: metal-7, addresses: [10.1.0.99] }\n';
const BAD_FILE = 'hosts:\n  - { name: metal-7, addresses: [10.1.0.999] }\n';

/** The pod of a cluster has the address 10.1.0.<its place>. */
function fill(api: ApiStandIn, name: string, place: number): void {
  api.put('namespaces', workload({ name: 'shop' }));
  api.put('pods', pod({ name: `${name}-0`, namespace: 'shop', uid: `u-${name}`, ips: [`10.1.0.${place}`] }));
}

describe('sources of tags', { timeout: 300_000 }, () => {
  const scratch = new Scratch();
  const opened = new AsyncDisposableStack();
  const apis = new Map<ApiName, ApiStandIn>();
  const servers = new Map<ServerName, PrometheusStandIn>();
  const file = scratch.file('tags.yaml', GOOD_FILE);
  let sink: RowSink;
  let hub: Hub;
  let agent: AgentConnection;
  let start: () => Promise<void>;
  let awayPort = 0;

  before(async () => {
    for (const [index, name] of API_NAMES.entries()) {
      const api = new ApiStandIn();
      await api.open();
      opened.defer(() => api.close().catch(() => undefined));
      fill(api, name, index + 1);
      apis.set(name, api);
    }
    for (const name of SERVER_NAMES) {
      const server = await startStandIn();
      opened.defer(async () => server.close());
      answerWell(server, name);
      servers.set(name, server);
    }
    sink = opened.use(await RowSink.start());
    const config = scratch.file(
      'sluice.yaml',
      stringify({
        storage: { engine: 'none' },
        tags: {
          files: [file],
          kubernetes: [...apis].map(([name, api]) => ({
            'cluster-id': name,
            kubeconfig: writeKubeconfig(scratch, `kubeconfig-${name}`, `http://127.0.0.1:${api.port}`),
          })),
          prometheus_http_api_addresses: [...servers.values()].map(({ url }) => url),
        },
        exporters: [
          exporterKeys({
            protocol: 'prometheus',
            endpoints: [sink.url],
            'data-sources': ['flow_metrics.application_map.1s'],
            'export-fields': ['request', 'auto_instance_id'],
            'queue-count': 1,
          }),
        ],
      }),
    );
    start = async () => {
      hub = await Hub.start(`${scratch.path}/hub`, { args: ['--config', config] });
      agent?.[Symbol.dispose]();
      agent = await AgentConnection.open(hub);
    };
    await start();
  });
  after(async () => {
    agent?.[Symbol.dispose]();
    await hub?.end('SIGKILL');
    await opened.disposeAsync();
    scratch[Symbol.dispose]();
  });

  const sources = async () =>
    new Map(((await apiData(`${hub.http}/api/v1/tags`)) as TagsOverview).sources.map((one) => [one.name, one]));
  const untilSources = async (what: string, is: (found: ReadonlyMap<string, Source>) => boolean) => {
    let last: ReadonlyMap<string, Source> = new Map();
    return until(
      async () => {
        last = await sources();
        return is(last) ? last : undefined;
      },
      PATIENCE_MS,
      () => `${what}; there are ${JSON.stringify([...last.values()])}\n${hub.output()}`,
    );
  };
  const namesOf = (): readonly string[] => [
    'static tags.yaml',
    ...API_NAMES.map((name) => `kubernetes ${name}`),
    ...[...servers.values()].map(({ url }) => `prometheus ${url}`),
  ];
  const slowName = () => `prometheus ${servers.get('slow')!.url}`;
  /** All but the slow one, of which that is known only after the time that an answer may take. */
  const quickNames = () => namesOf().filter((name) => name !== slowName());
  const areAll =
    (state: Source['state'], names = namesOf) =>
    (found: ReadonlyMap<string, Source>) =>
      names().every((name) => found.get(name)?.state === state);

  /** Who is behind 10.1.0.`place`, in a row of now. */
  const behind = async (place: number): Promise<string | undefined> => {
    const request = agent.sendRow(place, Date.now());
    const { labels } = await until(
      () => sink.rows.find(({ value }) => value === request),
      PATIENCE_MS,
      () => `row ${request}\n${hub.output()}`,
    );
    return labels['auto_instance_id_0'];
  };
  const untilBehind = (place: number, name: string) =>
    until(
      async () => ((await behind(place)) === name ? true : undefined),
      PATIENCE_MS,
      () => `${name} behind 10.1.0.${place}\n${hub.output()}`,
    );
  const everybody = async () => {
    const found: (string | undefined)[] = [];
    for (const place of [...API_NAMES.keys(), 98]) found.push(await behind(place + 1));
    return found;
  };
  const expected = [...API_NAMES.map((name) => `${name}-0`), 'metal-7'];
  /** Which pod a series is about that only its target tells of. */
  const ofTarget = async (name: ServerName) => {
    const labels = { label: ['job=app', `instance=app-${name}`] };
    const { found } = (await apiData(`${hub.http}/api/v1/tags/explain`, labels)) as {
      found: readonly { name: string }[];
    };
    return found.map((one) => one.name);
  };
  const everyTarget = async () => Promise.all(SERVER_NAMES.map(ofTarget));
  const ages = async () => {
    const text = await (await fetch(`${hub.http}/metrics`)).text();
    const found = text.matchAll(/^sluice_tag_source_age_seconds\{(.*)\} (.*)$/gm);
    return new Map([...found].map(([, labels = '', age]) => [/source="([^"]*)"/.exec(labels)?.[1] ?? '', Number(age)]));
  };
  const printed = async () => {
    await using tags = new Running('tags', process.execPath, [command, 'tags', '--url', hub.http]);
    await until(
      () => (tags.exited ? true : undefined),
      PATIENCE_MS,
      () => `sluice tags:\n${tags.output()}`,
    );
    assert.equal(await tags.end(), 0, tags.output());
    return tags.lines;
  };

  it('all of them fail at once, each in its own way: rows are tagged as before, and the age is seen', async (t) => {
    await untilSources('everything to be known', areAll('up'));
    for (const [index, name] of API_NAMES.entries()) await untilBehind(index + 1, `${name}-0`);
    await untilBehind(99, 'metal-7');
    await until(
      async () => ((await everyTarget()).every(([one]) => one === 'host metal-7') ? true : undefined),
      PATIENCE_MS,
      () => 'the targets',
    );
    const brokenMs = performance.now();
    for (const [name, api] of apis) {
      const trouble = API_TROUBLES[name];
      if (trouble === undefined) {
        awayPort = api.port;
        await api.close();
      } else {
        // A list that is cut off may seem to be a whole one of fewer pods: what a watch would tell is forgotten, so everything is listed.
        api.trouble('pods', trouble);
        api.forget();
        api.endWatches('reset');
      }
    }
    for (const [name, server] of servers) await breakServer(server, name);
    replaceFile(file, BAD_FILE);
    const first = await ages();
    const failing = await untilSources('all to fail', areAll('failing', quickNames));
    t.diagnostic(`all but the slow one are seen to fail after ${seconds(performance.now() - brokenMs)}`);
    assert.deepEqual(await everybody(), expected);
    assert.deepEqual(
      await everyTarget(),
      SERVER_NAMES.map(() => ['host metal-7']),
    );
    const bad = failing.get('static tags.yaml')?.last_error ?? '';
    assert.ok(bad.startsWith(`${file}:2:34: `), bad);
    assert.ok(
      hub.lines.some((line) => line.includes(`${file}:2:34: `)),
      hub.output(),
    );
    await until(
      async () => {
        const later = await ages();
        return namesOf().every((name) => later.get(name)! > (first.get(name) ?? 0)) ? true : undefined;
      },
      PATIENCE_MS,
      () => 'the ages to grow',
    );
    const lines = await printed();
    for (const name of quickNames()) {
      const line = lines.find((one) => one.startsWith(name)) ?? '';
      assert.match(line, /^.* +failing +\d+s +\d+ +\S/, lines.join('\n'));
    }
    assert.ok(lines.some((line) => line.includes(`${file}:2:34: `)));
  });

  it('come back by themselves, with what happened meanwhile', async (t) => {
    for (const [name, api] of apis) {
      if (name === 'away') await api.open(awayPort);
      api.trouble('pods', undefined);
      api.remove('pods', `${name}-0`, 'shop');
    }
    for (const [index, [name, api]] of [...apis].entries()) {
      api.put(
        'pods',
        pod({
          name: `${name}-1`,
          namespace: 'shop',
          ips: [`10.1.0.${index + 1}`],
          startTime: new Date().toISOString(),
        }),
      );
    }
    for (const [name, server] of servers) if (name !== 'slow') await mendServer(server, name);
    replaceFile(file, GOOD_FILE.replace('metal-7', 'metal-8'));
    const [mendedMs, mendedAtMs] = [performance.now(), Date.now()];
    await untilBehind(99, 'metal-8');
    const slow = await untilSources('the slow one to fail', (found) => found.get(slowName())?.state === 'failing');
    assert.match(slow.get(slowName())?.last_error ?? '', /10 ?s|10000 ms/);
    assert.deepEqual(await ofTarget('slow'), ['host metal-8']);
    await mendServer(servers.get('slow')!, 'slow');
    await untilSources('all to be up', areAll('up'));
    t.diagnostic(`all are up again after ${seconds(performance.now() - mendedMs)}`);
    for (const [index, name] of API_NAMES.entries()) await untilBehind(index + 1, `${name}-1`);
    // As an API says once a minute that nothing has happened.
    for (const api of apis.values()) api.bookmark();
    await untilSources('all to be young', (found) =>
      namesOf().every((name) => Date.parse(found.get(name)?.last_success ?? '') >= mendedAtMs),
    );
    await until(
      async () => {
        const now = await ages();
        return namesOf().every((name) => now.get(name)! * 1000 <= Date.now() - mendedAtMs) ? true : undefined;
      },
      PATIENCE_MS,
      () => 'the ages to begin anew',
    );
  });

  it('a hub that is killed gives everybody the same id again, and nobody that of one who is gone', async () => {
    const kinds = ['pod', 'pod_ns', 'pod_node', 'pod_cluster', 'host', 'region', 'vpc'];
    const idsOf = async () => {
      const lists = await Promise.all(
        kinds.map(
          async (kind) =>
            (await apiData(`${hub.http}/api/v1/tags/resources`, { kind })) as { id: number; key: string }[],
        ),
      );
      return new Map(lists.flatMap((list, i) => list.map(({ id, key }) => [`${kinds[i]} ${key}`, id] as const)));
    };
    const api = apis.get('refusing')!;
    // One whose id was given a moment before.
    api.put('pods', pod({ name: 'last', namespace: 'shop', ips: ['10.1.0.77'] }));
    await untilBehind(77, 'last');
    const given = await idsOf();
    assert.ok(given.size >= 10, [...given.keys()].join(', '));
    await hub.end('SIGKILL');
    api.remove('pods', 'last', 'shop');
    api.put('pods', pod({ name: 'next', namespace: 'shop', ips: ['10.1.0.77'] }));
    await start();
    await untilSources('everything to be known', areAll('up'));
    await untilBehind(77, 'next');
    const again = await idsOf();
    const idOf = (ids: ReadonlyMap<string, number>, name: string) => ids.get(`pod refusing/uid-shop-${name}`);
    assert.ok(idOf(again, 'next')! > idOf(given, 'last')!);
    for (const [key, id] of given) if (!key.endsWith('-last')) assert.equal(again.get(key), id, key);
    assert.equal(await hub.end(), 0, hub.output());
  });
});

function answerWell(server: PrometheusStandIn, name: ServerName): void {
  server.answers.set(TARGETS, says({ activeTargets: [target(`app-${name}`, '10.1.0.99:80')] }));
  server.answers.set(CONFIG, says({ yaml: 'scrape_configs: []' }));
}

const cut = '{"status":"success","data":{"activeTargets":[{"labels":{"job":"app","instance":"app-half"}},';

async function breakServer(server: PrometheusStandIn, name: ServerName): Promise<void> {
  switch (name) {
    case 'slow':
      // A byte now and then, and never an end.
      server.answers.set(TARGETS, (_, response) => {
        const drip = setInterval(() => response.write(' '), 200);
        response.on('close', () => clearInterval(drip));
      });
      return;
    case 'garbage':
      server.answers.set(TARGETS, (_, response) => response.end('<html>please log in</html>'));
      return;
    case 'half':
      server.answers.set(TARGETS, (_, response) => {
        response.setHeader('content-length', '9000').write(cut, () => response.destroy());
      });
      return;
    case 'away':
      await server.close();
  }
}

async function mendServer(server: PrometheusStandIn, name: ServerName): Promise<void> {
  if (name === 'away') await server.reopen();
  answerWell(server, name);
}
