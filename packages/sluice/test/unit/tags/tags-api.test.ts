import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import type { HttpRequest } from '../../../src/base/ports.ts';
import { explain, type Explanation } from '../../../src/tags/explain.ts';
import { readAnswer, type ReadTargets } from '../../../src/tags/prometheus-targets/read-answers.ts';
import { NO_TARGETS, TargetTable } from '../../../src/tags/prometheus-targets/target-table.ts';
import { parseYaml } from '../../../src/tags/static/parse.ts';
import { TagNames } from '../../../src/tags/tag-names.ts';
import { createTagsApi } from '../../../src/tags/tags-api.ts';
import { parseTagsCommand } from '../../../src/tags/tags-command.ts';
import { described, ToldSource } from './described.ts';
import { pick, tagged } from './tagged-rows.ts';
import { describePlatform, type Platform } from './platform-description.ts';

const path = new URL('../../fixtures/golden/platform.json', import.meta.url);
const platform = JSON.parse(readFileSync(path, 'utf8')) as Platform;
const source = new ToldSource(describePlatform(platform), 'static', 'static platform');
const known = await described([source]);
after(() => known.close());
const { inventory: org } = known;
const names = new TagNames((id) => (id === 1 ? org : undefined));
const NOW = 1_700_000_000;
let targets = NO_TARGETS;
const routes = createTagsApi({
  find: (id) => (id === 1 ? org : undefined),
  names,
  targets: () => targets,
  now: () => NOW * 1000,
});

/** `data` of the hub's answer to a GET. */
async function get(url: string, orgId = 1): Promise<unknown> {
  const { pathname, searchParams } = new URL(url, 'http://hub');
  const route = routes.find((one) => one.path === pathname)!;
  const request: HttpRequest = {
    method: 'GET',
    path: pathname,
    wildcards: [],
    query: searchParams,
    headers: {},
    body: Buffer.alloc(0),
    org: orgId,
    signal: new AbortController().signal,
  };
  const reply = await route.handle(request);
  assert.equal(reply.status, 200);
  const answer = JSON.parse(reply.body as string) as { status: string; data: unknown };
  assert.equal(answer.status, 'success');
  return answer.data;
}

/** What the command prints. */
async function shown(...args: string[]): Promise<string> {
  const request = parseTagsCommand(args);
  return request.print(await get(request.path), NOW * 1000);
}

test('names by kind and by device are those of the original', () => {
  const maps = platform.universal_tag_names;
  const kinds = [
    'region',
    'az',
    'subnet',
    'pod_cluster',
    'pod_ns',
    'pod_node',
    'pod_group',
    'pod',
    'l3_epc',
    'gprocess',
  ];
  for (const kind of kinds) {
    for (const { id, name } of maps[`${kind}_map`]!) assert.equal(names.name(1, kind, id), name, `${kind} ${id}`);
  }
  for (const { id, name } of maps['vtap_map']!) assert.equal(names.name(1, 'agent', id), name);
  // Only what is described has a name: no interface is of a NAT gateway that is gone, nor of device 24.
  for (const { id, type, name } of maps['device_map']!) assert.equal(names.device(1, type!, id), name, `${type} ${id}`);
  assert.equal(names.name(1, 'service', 301), 'cart-svc');
  assert.equal(names.name(1, 'host', 3), 'hyp-3');
  assert.deepEqual(
    [names.name(1, 'pod', 0), names.name(1, 'pod', 999), names.name(2, 'pod', 101), names.name(1, 'x', 1)],
    ['', '', '', ''],
  );
  assert.deepEqual([names.podGroupType(1, 202), names.podGroupType(1, 9)], [131, 0]);
  assert.deepEqual(names.podLabels(1, 103), [
    ['app', 'logd'],
    ['tier', 'infra'],
    ['version', 'v1'],
  ]);
  assert.deepEqual(names.podLabels(1, 9), []);
});

describe('what there is', () => {
  test('sources with their state, and resources by kind', async () => {
    const data = (await get('/api/v1/tags')) as {
      resources: Record<string, number>;
      sources: { name: string; state: string; resources: Record<string, number> }[];
    };
    assert.equal(data.resources['pod'], 4);
    assert.equal(data.resources['chost'], 5);
    assert.deepEqual(
      data.sources.map(({ name, state, resources }) => [name, state, resources['pod']]),
      [['static platform', 'up', 4]],
    );
    assert.match(await shown(), /SOURCE +STATE[^\n]*\nstatic platform +up/);
  });

  test('resources of a kind, some of them', async () => {
    const hosts = await get('/api/v1/tags/resources?kind=pod_node');
    assert.deepEqual(hosts, [
      {
        kind: 'pod_node',
        id: 41,
        key: '41',
        name: 'node-41',
        addresses: ['10.1.1.1', 'fd00::41'],
        sources: ['static platform'],
      },
    ]);
    assert.equal(((await get('/api/v1/tags/resources?kind=pod&name=cart')) as unknown[]).length, 1);
    assert.equal(((await get('/api/v1/tags/resources?kind=pod&limit=2')) as unknown[]).length, 2);
    assert.match(await shown('list', 'subnet', '--name', 'net-78'), /78 +net-78 +10\.1\.5\.0\/24/);
  });
});

describe('why', () => {
  test('an address: its owner, its network, its VPC', async () => {
    const owner = await shown('explain', '10.1.0.9', '--vpc', '7');
    assert.match(owner, /owner of 10\.1\.0\.9 in VPC 7 \(vpc-prod\): pod shop-7f9c\n/);
    assert.match(owner, /told by static platform/);
    assert.match(owner, / pod_group +201 +shop\n/);
    assert.match(owner, /label app = shop/);
    const network = await shown('explain', '10.1.5.99', '--vpc', '7');
    assert.match(
      network,
      /owner of 10\.1\.5\.99 in VPC 7 \(vpc-prod\): nothing\nnetwork with the longest prefix around it: subnet net-78\n/,
    );
    assert.match(await shown('explain', '9.9.9.9', '--vpc', '8'), /region of VPC 8 [^\n]*: region region-b\n/);
    assert.match(await shown('explain', '9.9.9.9', '--vpc=-2'), /the Internet: nothing is looked up/);
  });

  test('a pod', async () => {
    const text = await shown('explain', '--pod', 'hostnet-1', '--namespace', 'prod');
    assert.match(text, /pod 104: k8s-main\/prod\/hostnet-1: pod hostnet-1\n/);
    assert.match(text, / pod_node +41 +node-41\n/);
    assert.match(await shown('explain', '--pod', 'hostnet-1', '--namespace', 'stage'), /none is described now/);
  });

  test('a resource without an address is at none', async () => {
    assert.match(await shown('explain', '10.1.5.99', '--vpc', '7'), /\nsubnet net-78, told by static platform\n/);
    assert.match(await shown('explain', '9.9.9.9', '--vpc', '8'), /\nregion region-b, told by static platform\n/);
  });

  const ends: readonly { readonly asked: readonly string[]; readonly lines: readonly string[] }[] = [
    {
      asked: ['10.96.0.20', '--vpc', '7', '--port', '8080'],
      lines: [
        'service cart-svc: its address 10.96.0.20 port 8080/tcp, told by static platform',
        'custom service: none',
        'auto_instance: pod_service cart-svc',
        'auto_service: pod_service cart-svc',
      ],
    },
    {
      asked: ['10.1.1.1', '--vpc', '7', '--port', '30080'],
      lines: [
        'service ingress-svc: node port 30080/tcp of pod_cluster k8s-main, told by static platform',
        'custom service: none',
        'auto_instance: pod_node node-41',
        'auto_service: pod_service ingress-svc',
      ],
    },
    {
      asked: ['10.1.1.1', '--vpc', '7', '--port', '30080', '--protocol', 'udp'],
      lines: [
        'service: none',
        'custom service: none',
        'auto_instance: pod_node node-41',
        'auto_service: pod_cluster k8s-main',
      ],
    },
    {
      asked: ['10.1.5.7', '--vpc', '7', '--port', '9090'],
      lines: [
        'service: none',
        'custom service custom-pay: member 10.1.5.7 port 9090/tcp, told by static platform',
        'auto_instance: address 10.1.5.7 in subnet net-78: nothing more telling is known',
        'auto_service: custom_service custom-pay',
      ],
    },
    {
      asked: ['10.1.5.7', '--vpc', '7'],
      lines: [
        'service: none',
        'custom service: none',
        'custom service custom-pay: not of this end; it would be with port 9090/tcp',
        'auto_instance: address 10.1.5.7 in subnet net-78: nothing more telling is known',
        'auto_service: address 10.1.5.7 in subnet net-78: nothing more telling is known',
      ],
    },
    {
      asked: ['--agent', '12', '--label', 'instance=10.1.5.7:9090'],
      lines: [
        'service: none',
        'custom service: none',
        'auto_instance: address 10.1.5.7 in subnet net-78: nothing more telling is known',
        'auto_service: address 10.1.5.7 in subnet net-78: nothing more telling is known',
      ],
    },
    {
      asked: ['9.9.9.9', '--vpc=-2'],
      lines: ['service: none', 'custom service: none', 'auto_instance: the Internet', 'auto_service: the Internet'],
    },
    {
      asked: ['--pod', 'cart-66b1', '--port', '8080'],
      lines: [
        'service cart-svc: in front of pod_group cart port 8080/tcp, told by static platform',
        'custom service: none',
        'auto_instance: pod cart-66b1',
        'auto_service: pod_service cart-svc',
      ],
    },
    {
      asked: ['--pod', 'shop-7f9c'],
      lines: ['service: none', 'custom service: none', 'auto_instance: pod shop-7f9c', 'auto_service: pod_group shop'],
    },
    {
      asked: ['--agent', '12', '--label', 'pod=cart-66b1', '--label', 'namespace=stage'],
      lines: [
        'service cart-svc: in front of pod_group cart at any port, told by static platform',
        'custom service: none',
        'auto_instance: pod cart-66b1',
        'auto_service: pod_service cart-svc',
      ],
    },
  ];
  for (const { asked, lines } of ends) {
    test(`services and auto tags of ${asked.join(' ')}`, async () => {
      const text = (await shown('explain', ...asked)).split('\n\n')[0]!.split('\n');
      assert.deepEqual(text.slice(text.findIndex((line) => line.startsWith('service'))), lines);
    });
  }

  test('services and auto tags are those that rows get', async () => {
    for (const ip of [
      '10.1.0.9',
      'fd00::a',
      '10.1.0.11',
      '10.96.0.20',
      '10.1.1.1',
      '10.1.5.7',
      '10.1.5.99',
      '9.9.9.9',
    ]) {
      for (const vpc of [7, 8, 0, -1, -2]) {
        for (const port of [0, 80, 8080, 9090, 30_080]) {
          const of = port === 0 ? '' : `&port=${port}`;
          const { ends: explained } = (await get(`/api/v1/tags/explain?ip=${ip}&vpc=${vpc}${of}`)) as Explanation;
          const isIpv4 = ip.includes('.');
          const written = {
            l3_epc_id: vpc,
            is_ipv4: isIpv4 ? 1 : 0,
            [isIpv4 ? 'ip4' : 'ip6']: ip,
            server_port: port,
            protocol: 6,
            time: NOW,
          };
          const [row] = tagged(org.inventory, 'flow_metrics.network.1m', [written]);
          const { service, auto_instance: instance, auto_service: auto } = explained[0]!.tags;
          const got = {
            service_id: service?.id ?? 0,
            auto_instance_id: instance?.id,
            auto_instance_type: instance?.type,
            auto_service_id: auto?.id,
            auto_service_type: auto?.type,
          };
          assert.deepEqual(got, pick(row!, got), `${ip} in VPC ${vpc}, port ${port}`);
        }
      }
    }
  });

  test('a machine that is a member of a custom service, and an address with several ports', async () => {
    const text = [
      'vpcs: [{ name: prod, id: 7 }]',
      'hosts: [{ name: db-1, vpc: prod, addresses: [10.1.0.5] }]',
      'services:',
      '  - name: payment',
      '    members: [{ address: 10.1.5.7, vpc: prod, ports: [443, 53/udp] }, { host: db-1 }]',
    ].join('\n');
    const own = await described([new ToldSource(parseYaml(text).resources ?? [], 'static', 'static services')]);
    const ownNames = new TagNames(() => own.inventory);
    const ask = (ip: string, port?: { protocol: number; port: number }) =>
      explain(
        { org: own.inventory, names: ownNames, targets: NO_TARGETS },
        { kind: 'address', ip, vpc: 7, port, atS: NOW },
      )!;
    const lines = (explained: Explanation) => explained.steps.map((step) => `${step.asked}: ${step.answer}`);
    const host = lines(ask('10.1.0.5'));
    assert.ok(host.includes('custom service payment: member host db-1, told by static services'), host.join('\n'));
    assert.ok(host.includes('auto_instance: host db-1') && host.includes('auto_service: custom_service payment'));
    const udp = lines(ask('10.1.5.7', { protocol: 17, port: 53 }));
    assert.ok(
      udp.includes('custom service payment: member 10.1.5.7 port 53/udp, told by static services'),
      udp.join('\n'),
    );
    const none = lines(ask('10.1.5.7', { protocol: 6, port: 53 }));
    assert.ok(
      none.includes('custom service payment: not of this end; it would be with port 443/tcp, port 53/udp'),
      none.join('\n'),
    );
    await own.close();
  });

  test('a series: by pod and namespace, by address, by the name of a node', async () => {
    const by = async (...labels: string[]) => {
      const args = ['explain', '--agent', '12', ...labels.flatMap((label) => ['--label', label])];
      return (await shown(...args)).split('\n')[1];
    };
    assert.equal(await by('pod=cart-66b1', 'namespace=stage'), 'labels of the series, by pod: pod cart-66b1');
    assert.doesNotMatch((await by('pod=cart-66b1', 'namespace=prod'))!, /: pod/);
    assert.equal(await by('instance=10.1.0.9:9100'), 'labels of the series, by instance: pod shop-7f9c');
    assert.equal(await by('instance=[fd00::41]:9100'), 'labels of the series, by instance: pod_node node-41');
    assert.equal(await by('instance=node-41:9100', 'job=node'), 'labels of the series, by host name: pod_node node-41');
    // Nothing but what is known of the VPC of the agent.
    assert.doesNotMatch((await by('job=node'))!, /: pod/);
    const answer = {
      status: 'success',
      data: {
        activeTargets: [
          {
            labels: { job: 'app', instance: 'shop' },
            discoveredLabels: {
              __meta_kubernetes_pod_uid: '101',
              __meta_kubernetes_namespace: 'prod',
              __meta_kubernetes_pod_name: 'shop-7f9c',
            },
          },
        ],
      },
    };
    const told = readAnswer('targets', Buffer.from(JSON.stringify(answer))) as ReadTargets;
    const server = 'prometheus prom:9090';
    targets = new TargetTable([{ server, targets: told, config: undefined, vpc: 7 }]);
    assert.deepEqual(
      (await shown('explain', '--agent', '12', '--label', 'job=app', '--label', 'instance=shop'))
        .split('\n')
        .slice(1, 3),
      [
        'target by job and instance: pod prod/shop-7f9c, told by prometheus prom:9090',
        'labels of the series, by target: pod shop-7f9c',
      ],
    );
    assert.equal(await by('job=app', 'instance=10.1.0.9:1'), 'labels of the series, by instance: pod shop-7f9c');
    targets = NO_TARGETS;
    assert.doesNotMatch((await by('job=app', 'instance=shop'))!, /: pod/);
  });

  test('at a time', async () => {
    known.setTime(NOW + 100);
    source.remove({ kind: 'pod', key: '101' });
    await org.settle();
    const ask = async (at: string) =>
      ((await get(`/api/v1/tags/explain?ip=10.1.0.9&vpc=7&at=${at}`)) as { found: { kind: string; name: string }[] })
        .found[0];
    assert.equal((await ask(String(NOW + 99)))?.name, 'pod shop-7f9c');
    assert.equal((await ask(new Date((NOW + 100) * 1000).toISOString()))?.kind, 'subnet');
    assert.equal(names.name(1, 'pod', 101), 'shop-7f9c', 'what is gone keeps its name');
    assert.deepEqual(names.podLabels(1, 101), [['app', 'shop']]);
    assert.match(
      await shown('explain', '10.1.0.9', '--vpc', '7'),
      /who has had 10\.1\.0\.9 in VPC 7[^\n]*: pod shop-7f9c from before [^\n]* until 2023-11-14T22:15:00\.000Z/,
    );
  });

  const wrong: readonly [url: string, message: RegExp][] = [
    ['/api/v1/tags/resources?kind=x', /expected kind as one of region, az/],
    ['/api/v1/tags/explain', /expected one of ip, pod and label/],
    ['/api/v1/tags/explain?ip=1&pod=x', /expected one of ip, pod and label/],
    ['/api/v1/tags/explain?ip=x', /expected an address as ip; got "x"/],
    ['/api/v1/tags/explain?ip=1.1.1.1&at=noon', /expected at as RFC 3339/],
    ['/api/v1/tags/explain?ip=1.1.1.1&vpc=x', /expected vpc as a whole number/],
    ['/api/v1/tags/explain?ip=1.1.1.1&port=0', /expected port as a whole number from 1 to 65535; got "0"/],
    ['/api/v1/tags/explain?ip=1.1.1.1&port=70000', /expected port as a whole number from 1 to 65535/],
    ['/api/v1/tags/explain?ip=1.1.1.1&port=1&protocol=icmp', /expected protocol as tcp or udp; got "icmp"/],
    ['/api/v1/tags/explain?ip=1.1.1.1&protocol=udp', /expected port beside protocol/],
    ['/api/v1/tags/explain?label=a=b&port=1', /expected only the parameters label, agent, at here; got "port"/],
    ['/api/v1/tags/explain?ip=1.1.1.1&agent=1', /only the parameters ip, vpc, port, protocol, at here; got "agent"/],
    ['/api/v1/tags/explain?label=a=b&agent=-1', /expected agent as a whole number from 0; got "-1"/],
    ['/api/v1/tags/resources?kind=pod&limit=-1', /expected limit as a whole number from 0; got "-1"/],
    ['/api/v1/tags/resources?kind=pod&org=2', /only the parameters kind, name, limit here; got "org" .*X-Org-Id/],
    ['/api/v1/tags?org=2', /expected no parameters here; got "org"/],
    ['/api/v1/tags/explain?label=x', /expected label=NAME=VALUE/],
  ];
  for (const [url, message] of wrong) {
    test(`what cannot be understood is refused: ${url}`, async () => {
      await assert.rejects(get(url), (error) => isSluiceError(error, 'bad_request') && message.test(error.message));
    });
  }

  test('commands that are not understood', () => {
    for (const args of [['list'], ['show'], ['explain', 'a', 'b'], ['--nope']])
      assert.throws(() => parseTagsCommand(args));
  });
});
