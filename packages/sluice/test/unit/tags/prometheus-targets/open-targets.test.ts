import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Batch } from '../../../../src/batch/batch.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { AskedServer } from '../../../../src/tags/prometheus-targets/prometheus-server.ts';
import { createPrometheusTargets } from '../../../../src/tags/prometheus-targets/open-targets.ts';
import { readAnswer } from '../../../../src/tags/prometheus-targets/read-answers.ts';
import { readAside } from '../../../../src/tags/prometheus-targets/read-aside.ts';
import { prometheusServers } from '../../../../src/tags/prometheus-targets/servers.ts';
import { rowsOf } from '../../receivers/prometheus/harness.ts';
import { CONFIG, METADATA, says, startStandIn, target, TARGETS } from './prometheus-stand-in.ts';

const prometheus = await startStandIn();
after(() => prometheus.close());
beforeEach(() => prometheus.answers.clear());

const log = createLog({ level: 'silent' });

function server(options: Partial<ConstructorParameters<typeof AskedServer>[0]> = {}) {
  const told = { targets: 0, metadata: 0 };
  const asked = new AskedServer({
    server: { url: prometheus.url, org: 1, vpc: 1 },
    log,
    timeoutMs: 10_000,
    mostBytes: 100_000,
    onTargets: () => void told.targets++,
    onMetadata: () => void told.metadata++,
    ...options,
  });
  return { asked, told };
}

describe('a server that is asked', () => {
  test('says its targets, what it honours and what metrics are; the same again is no change', async () => {
    prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.1:80')], droppedTargets: [] }));
    prometheus.answers.set(
      CONFIG,
      says({
        yaml: 'global:\n  external_labels:\n    dc: a\nscrape_configs:\n- job_name: apps\n  honor_labels: true\n',
      }),
    );
    prometheus.answers.set(METADATA, says({ up: [{ type: 'gauge', help: 'Is it?', unit: '' }] }));
    const { asked, told } = server();
    assert.equal(asked.state().kind, 'starting');
    assert.equal(asked.current(), undefined);
    await asked.ask();
    await asked.ask();
    assert.deepEqual(told, { targets: 1, metadata: 1 });
    assert.equal(asked.state().kind, 'up');
    assert.deepEqual(
      asked.targets?.targets.targets.map(({ job, instance, host }) => [job, instance, host]),
      [['app', 'shop', '10.0.0.1']],
    );
    assert.deepEqual(asked.targets.config?.honorLabels, [['apps', true]]);
    assert.deepEqual(asked.targets.config.externalLabels, [['dc', 'a']]);
    prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.2:80')] }));
    await asked.ask();
    assert.equal(told.targets, 2);
  });

  test('that has targets and nothing else is as good', async () => {
    prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.1:80')] }));
    const { asked } = server();
    await asked.ask();
    assert.equal(asked.state().kind, 'up');
    assert.equal(asked.targets?.config, undefined);
  });

  const wrong: readonly [what: string, answer: Parameters<typeof prometheus.answers.set>[1], why: RegExp][] = [
    ['is slow', () => undefined, /no whole answer within 1500 ms/],
    [
      'stops in the middle',
      (_, response) => void (response.writeHead(200), response.write('{"status":"succ')),
      /no whole answer/,
    ],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"status":"success","data":{"activeTargets":[');
        setTimeout(() => response.destroy(), 20);
      },
      /terminated/,
    ],
    [
      'gives half an answer',
      (_, response) => void response.end('{"status":"success","data":{"activeTargets":['),
      /expected JSON/,
    ],
    ['gives garbage', (_, response) => void response.end(Buffer.from([0xff, 0, 1, 2])), /expected JSON/],
    ['gives another page', (_, response) => void response.end('<html>sign in</html>'), /expected JSON/],
    ['says an error', (_, response) => void response.end('{"status":"error","error":"not ready"}'), /not ready/],
    ['has no list', says({ activeTargets: null }), /expected data.activeTargets/],
    ['says too much', (_, response) => void response.end(Buffer.alloc(200_000, ' ')), /at most 100000 bytes/],
    [
      'sends elsewhere',
      (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /got 302/,
    ],
    ['refuses', (_, response) => void response.writeHead(503).end('busy'), /expected status 200; got 503/],
  ];
  for (const [what, answer, why] of wrong) {
    test(`${what}: what it said last stays, and the state says why`, async () => {
      prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.1:80')] }));
      const clock = { now: 1_000_000 };
      // Only who waits in vain is not waited for long: a busy machine is slow, too.
      const timeoutMs = why.source.startsWith('no whole answer') ? 1500 : 10_000;
      const { asked } = server({ now: () => clock.now, timeoutMs });
      await asked.ask();
      prometheus.answers.set(TARGETS, answer);
      clock.now += 60_000;
      await asked.ask();
      const state = asked.state();
      assert.equal(state.kind, 'failing');
      assert.match(state.lastError ?? '', why);
      assert.match(state.lastError ?? '', /^\/api\/v1\/targets: /);
      assert.deepEqual([state.lastSuccessMs, state.lastErrorMs], [1_000_000, 1_060_000]);
      assert.equal(asked.targets?.targets.targets.length, 1);
      prometheus.answers.set(TARGETS, says({ activeTargets: [] }));
      await asked.ask();
      assert.deepEqual([asked.state().kind, asked.targets.targets.targets.length], ['up', 0]);
    });
  }

  test('a configuration that cannot be had is asked for again the next time', async () => {
    prometheus.answers.set(TARGETS, says({ activeTargets: [] }));
    prometheus.answers.set(CONFIG, (_, response) => void response.writeHead(500).end());
    const { asked } = server();
    await asked.ask();
    assert.match(asked.state().lastError ?? '', /config: expected status 200; got 500/);
    prometheus.answers.set(CONFIG, says({ yaml: 'scrape_configs: [{job_name: apps}]' }));
    await asked.ask();
    assert.equal(asked.state().kind, 'up');
    assert.deepEqual(asked.targets?.config?.honorLabels, [['apps', false]]);
  });

  test('is asked again by itself, and not after the end', async () => {
    prometheus.answers.set(TARGETS, says({ activeTargets: [] }));
    const { asked } = server({ intervalMs: 5 });
    prometheus.asked.length = 0;
    asked.start();
    while (prometheus.asked.filter((path) => path === TARGETS).length < 3)
      await new Promise((resolve) => setTimeout(resolve, 5));
    await asked.stop();
    const count = prometheus.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(prometheus.asked.length, count);
  });
});

describe('answers', () => {
  test('single targets that make no sense are passed over and counted', () => {
    const long = 'x'.repeat(5000);
    const activeTargets = [
      null,
      7,
      {},
      { labels: 'a' },
      { labels: {} },
      { labels: { job: long } },
      target('good', 'h:1'),
    ];
    const body = Buffer.from(JSON.stringify({ status: 'success', data: { activeTargets } }));
    const read = readAnswer('targets', body);
    assert.ok(read.kind === 'targets');
    assert.deepEqual([read.skipped, read.targets.map(({ instance }) => instance)], [6, ['good']]);
  });

  test('whatever a server says is an answer or an error, never anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom('targets', 'config', 'metadata'), (data, kind) => {
        const key = { targets: 'activeTargets', config: 'yaml', metadata: 'up' }[kind];
        for (const inside of [data, { [key]: data }, { [key]: [data] }]) {
          try {
            readAnswer(kind, Buffer.from(JSON.stringify({ status: 'success', data: inside })));
          } catch (error) {
            assert.ok(error instanceof Error);
            assert.match(error.message, /^expected /);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('large ones are read in a thread of their own, with the same outcome', async () => {
    const activeTargets = Array.from({ length: 2000 }, (_, index) => target(`host-${index}`, `10.0.0.1:${index}`));
    const body = Buffer.from(JSON.stringify({ status: 'success', data: { activeTargets } }));
    assert.ok(body.length > 256 * 1024);
    const { signal } = new AbortController();
    assert.deepEqual(await readAside('targets', body, signal), readAnswer('targets', body));
    await assert.rejects(readAside('targets', body.subarray(0, body.length - 10), signal), /expected JSON/);
    await assert.rejects(readAside('targets', body, AbortSignal.abort()), /nobody wants it/);
  });
});

test('types and help of metrics become rows, once a day', async () => {
  prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.1:80')] }));
  prometheus.answers.set(METADATA, says({ up: [{ type: 'gauge', help: 'Is it?', unit: 's' }], odd: 7 }));
  const batches: Batch[] = [];
  const targets = createPrometheusTargets({
    servers: [{ url: prometheus.url, org: 1, vpc: 1 }],
    append: async (list) => void batches.push(...(await Promise.resolve(list))),
    log,
    intervalMs: 10,
  });
  assert.equal(targets.table(1).size, 0);
  targets.start();
  while (batches.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 60));
  await targets.stop();
  assert.equal(
    targets.table(1).find(
      new Map([
        ['job', 'app'],
        ['instance', 'shop'],
      ]),
    )?.target.host,
    '10.0.0.1',
  );
  assert.equal(batches.length, 1);
  const [row] = rowsOf(batches[0]!);
  assert.deepEqual(
    [row?.['metric_family_name'], row?.['type'], row?.['unit'], row?.['help']],
    ['up', 'gauge', 's', 'Is it?'],
  );
  assert.deepEqual(
    targets.sources.map(({ kind, name }) => [kind, name]),
    [['prometheus', `prometheus ${prometheus.url}`]],
  );
});

describe('servers that are exchanged', () => {
  test('those that stay go on, new ones are asked, and of the others nothing stays', async () => {
    const other = await startStandIn();
    const append = () => Promise.resolve();
    const names = (sources: readonly { name: string }[]) => sources.map(({ name }) => name);
    const one = { url: prometheus.url, org: 1, vpc: 1 };
    const two = { url: other.url, org: 1, vpc: 1 };
    prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.1:80')] }));
    other.answers.set(TARGETS, says({ activeTargets: [target('bank', '10.0.0.2:80'), target('inn', '10.0.0.3:80')] }));
    const changed = new Set<number>();
    let wake = () => {};
    const onChange = (org: number) => {
      changed.add(org);
      wake();
    };
    const targets = createPrometheusTargets({ servers: [one], append, onChange, log });
    const sized = async (size: number) => {
      while (targets.table(1).size !== size) await new Promise<void>((resolve) => (wake = resolve));
    };
    try {
      targets.start();
      await sized(1);
      const [stays] = targets.sources;
      const { added, removed } = targets.exchange([one, two]);
      assert.deepEqual([names(added), removed], [[`prometheus ${other.url}`], []]);
      await sized(3);
      assert.equal(targets.sources[0], stays);
      changed.clear();
      assert.deepEqual(targets.exchange([one]), { added: [], removed: added });
      assert.equal(targets.table(1).size, 1, 'at once');
      assert.deepEqual([...changed], [1]);
      // Its targets are in another VPC now: it begins anew.
      const moved = targets.exchange([{ ...one, vpc: 9 }]);
      assert.deepEqual(moved.removed, [stays]);
      assert.equal(targets.table(1).size, 0);
      await sized(1);
      assert.equal(targets.table(1).find(new Map(Object.entries({ job: 'app', instance: 'shop' })))?.vpc, 9);
    } finally {
      await targets.stop();
      await other.close();
    }
    assert.deepEqual(targets.exchange([two]), { added: [], removed: [] }, 'nothing begins after the end');
  });
});

test('what follows from targets may fail: it is told again with the next round', async () => {
  prometheus.answers.set(TARGETS, says({ activeTargets: [target('shop', '10.0.0.1:80')] }));
  const again = Promise.withResolvers<void>();
  let told = 0;
  const { asked } = server({
    intervalMs: 5,
    onTargets: () => {
      if (told++ === 0) assert.fail('no luck');
      again.resolve();
    },
  });
  asked.start();
  await again.promise;
  await asked.stop();
  assert.equal(told, 2);
});

test('a stop waits for what is being written', async () => {
  prometheus.answers.set(TARGETS, says({ activeTargets: [] }));
  prometheus.answers.set(METADATA, says({ up: [{ type: 'gauge', help: '', unit: '' }] }));
  const begun = Promise.withResolvers<void>();
  let isWritten = false;
  const targets = createPrometheusTargets({
    servers: [{ url: prometheus.url, org: 1, vpc: 1 }],
    append: async () => {
      begun.resolve();
      await new Promise((resolve) => setTimeout(resolve, 50));
      isWritten = true;
    },
    log,
  });
  targets.start();
  await begun.promise;
  await targets.stop();
  assert.ok(isWritten);
});

test('servers are named under tags and by groups of agents, as a list or a text, each once', () => {
  const key = 'prometheus_http_api_addresses';
  const group = (name: string, value: unknown, org?: number, vpcId = 3) => ({
    name,
    org,
    vpcId,
    config: new Map([[key, value]]),
  });
  const servers = prometheusServers({
    addresses: ['http://a:9090'],
    groups: [
      group('default', ['http://10.96.1.8:9090', 'http://a:9090/']),
      group('old', 'prometheus.monitoring:9090', 7),
      { name: 'none', org: undefined, vpcId: 1, config: new Map() },
    ],
    organisations: [2, 7],
  });
  assert.deepEqual(servers, [
    { url: 'http://10.96.1.8:9090', org: 2, vpc: 3 },
    { url: 'http://a:9090', org: 2, vpc: 3 },
    { url: 'http://prometheus.monitoring:9090', org: 7, vpc: 3 },
  ]);
});
