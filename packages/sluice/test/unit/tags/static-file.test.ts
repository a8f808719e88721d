import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { parseCsv, parseYaml } from '../../../src/tags/static/parse.ts';
import { distinctTails, StaticFile } from '../../../src/tags/static/static-file.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const told = (mistakes: readonly { line: number; column: number; message: string }[]) =>
  mistakes.map(({ line, column, message }) => `${line}:${column}: ${message}`);

describe('YAML', () => {
  test('every kind of entry becomes what it says', () => {
    const { resources, mistakes } = parseYaml(`
regions: [{ name: eu, own: true }]
vpcs: [{ name: prod, id: 7, region: eu, peers: [dev, 9] }, { name: dev }]
subnets: [{ name: db-net, vpc: prod, cidrs: [10.1.0.0/16, 'fd00::/64'], az: eu-1 }]
hosts:
  - name: db-1
    vpc: prod
    addresses: [10.1.0.5, { ip: 198.51.100.7, mac: '0a:58:0a:01:00:09', wan: true, subnet: db-net }]
rds: [{ name: orders, host: db-1, address: 10.1.0.6, tags: { team: db } }]
services:
  - { name: pay, members: [{ address: 10.1.5.7, vpc: prod, ports: [443, 53/udp] }, { host: db-1 }] }
clusters: [{ name: main, cluster-id: d-1, vpc: 7 }]
namespaces: [{ name: shop, cluster: d-1, tags: { cost: a } }]
`);
    assert.deepEqual(told(mistakes), []);
    assert.deepEqual(resources, [
      { kind: 'region', name: 'eu', key: 'eu', isOwn: true },
      { kind: 'vpc', name: 'prod', key: '7', id: 7, region: 'eu', peers: ['dev', '9'] },
      { kind: 'vpc', name: 'dev', key: 'dev' },
      { kind: 'subnet', name: 'db-net', key: '7/db-net', az: 'eu-1', vpc: '7', cidrs: ['10.1.0.0/16', 'fd00::/64'] },
      {
        kind: 'host',
        name: 'db-1',
        key: 'db-1',
        vpc: '7',
        interfaces: [
          { addresses: [{ ip: '10.1.0.5' }] },
          { mac: 0x0a58_0a01_0009, isWan: true, addresses: [{ ip: '198.51.100.7', subnet: '7/db-net' }] },
        ],
      },
      {
        kind: 'rds',
        name: 'orders',
        key: 'orders',
        host: 'db-1',
        interfaces: [{ addresses: [{ ip: '10.1.0.6' }] }],
        cloudTags: [['team', 'db']],
      },
      {
        kind: 'custom_service',
        name: 'pay',
        key: 'pay',
        members: [
          {
            kind: 'address',
            ip: '10.1.5.7',
            vpc: '7',
            ports: [
              { protocol: 'tcp', port: 443 },
              { protocol: 'udp', port: 53 },
            ],
          },
          { kind: 'host', key: 'db-1' },
        ],
      },
      { kind: 'pod_cluster', key: 'd-1', name: 'main', vpc: '7' },
      { kind: 'pod_ns', name: 'shop', key: 'd-1/shop', cluster: 'd-1', cloudTags: [['cost', 'a']] },
      { kind: 'az', key: 'eu-1', name: 'eu-1' },
    ]);
  });

  const mistaken: readonly [text: string, mistake: RegExp][] = [
    ['hosts:\n  - nam: a', /^2:5: expected a name\n2:5: unknown key "nam"; known keys: name, /],
    ['hosts:\n  - { name: a, address: 10.0.0 }', /^2:25: expected an IPv4 or IPv6 address; got "10.0.0"$/],
    ['hosts:\n  - { name: a, mac: 12, address: 10.0.0.1 }', /^2:21: expected a MAC address .*; got "12"$/],
    ['hosts: [{ name: a }, { name: a }]', /^1:22: the host "a" is described twice$/],
    ['hosts: [{ name: a, id: 1 }, { name: b, id: 1 }]', /^1:44: id: the host "a" has the number 1 already$/],
    ['vpcs: [{ name: a, id: 7 }, { name: a }]', /^1:36: the vpc "a" is described twice$/],
    ['vpcs: [{ name: a }, { name: a, id: 7 }]', /^1:29: the vpc "a" is described twice$/],
    ['vpcs: [{ name: a, id: 7 }, { name: b, id: 7 }]', /^1:43: id: the vpc "a" has the number 7 already$/],
    ['hosts: [{ name: a, id: 70000 }]', /^1:24: id: expected a whole number from 1 to 65535; got "70000"$/],
    ['hosts: [{ name: a, vpc: nowhere }]', /^1:25: there is no VPC "nowhere"; describe it/],
    ['hosts: [{ name: a, addresses: [{ ip: 10.0.0.1, subnet: x }] }]', /^1:56: there is no subnet "x" in its VPC/],
    [
      'subnets: [{ name: a, cidrs: [10.0.0.0/40] }]',
      /^1:30: expected a network such as 10\.1\.0\.0\/16; got "10\.0\.0\.0\/40"$/,
    ],
    [
      'services: [{ name: a, members: [{ host: x, chost: y }] }]',
      /^1:33: members: expected one of address, host, chost/,
    ],
    ['services: [{ name: a }]', /^1:12: expected members, each one of/],
    [
      'services: [{ name: a, members: [{ address: 1.1.1.1, ports: [70000] }] }]',
      /^1:61: ports: expected ports such as 443/,
    ],
    ['hosts:\n  - name: "a\\0b"', /^2:11: name: expected a text without control characters; got "a\\u0000b"$/],
    ['hosts: [{ name: a, vpc: "\\x9bx" }]', /^1:25: vpc: expected a text without control characters; got /],
    ['chosts: [{ name: a, tags: { "x\\ty": z } }]', /^1:37: expected a name without control characters; got "x\\ty"$/],
    ['hots: []', /^1:1: unknown key "hots" at the top; known keys: regions/],
    ['hosts: x', /^1:8: hosts: expected a list; got "x"$/],
    ['- a', /^1:1: expected lists such as hosts: at the top; got a list$/],
    ['hosts: [', /^1:9: cannot read YAML: /],
    ['a: &a [1]\nb: *a', /2:4: aliases are not understood here/],
    [`hosts: ${'['.repeat(500)}`, /^1:1: expected at most 16 levels of nesting$/],
  ];
  for (const [text, mistake] of mistaken) {
    test(`a mistake has its place: ${text.slice(0, 60)}`, () => {
      const { resources, mistakes } = parseYaml(text);
      assert.equal(resources, undefined);
      assert.match(told(mistakes).join('\n'), mistake);
    });
  }

  test('numbers are taken as they are written', () => {
    const { resources } = parseYaml(
      'chosts: [{ name: 1.10, tags: { account: 012345678901, order: 12345678901234567890, limit: 1e3 } }]',
    );
    assert.deepEqual(resources, [
      {
        kind: 'chost',
        name: '1.10',
        key: '1.10',
        interfaces: [],
        cloudTags: [
          ['account', '012345678901'],
          ['limit', '1e3'],
          ['order', '12345678901234567890'],
        ],
      },
    ]);
  });

  test('an empty file describes nothing', () => {
    for (const text of ['', '# nothing', 'hosts:', 'hosts: []']) assert.deepEqual(parseYaml(text).resources, [], text);
  });

  test('no text throws', () => {
    const word = fc.constantFrom(
      'hosts',
      'vpcs',
      'name',
      'address',
      'id',
      ': ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '"',
      '&a ',
      '*a',
      '10.0.0.1',
      ',',
      '1',
      '~',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
        ),
        (text) => {
          const { resources, mistakes } = parseYaml(text);
          assert.equal(resources === undefined, mistakes.length > 0);
          for (const { line, column } of mistakes) assert.ok(line >= 1 && column >= 1);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('CSV', () => {
  test('lines of one name are joined, quotes and comments understood', async () => {
    const { resources, mistakes } = await parseCsv(
      [
        'kind,name,vpc,address,mac,ports,cidr,tag.team',
        '# a comment',
        'vpc,prod,,,,,,',
        'chost,"web ""1""",prod,10.1.0.5,,,,shop',
        'chost,"web ""1""",prod,10.1.0.6,0a580a010006,,,',
        'subnet,net,prod,,,,10.1.0.0/16,',
        'subnet,net,prod,,,,10.2.0.0/16,',
        '',
        'service,pay,prod,10.1.5.7,,443 8443,,\r',
        'service,pay,prod,10.1.5.8,,,,',
      ].join('\n'),
    );
    assert.deepEqual(told(mistakes), []);
    const ports = [443, 8443].map((port) => ({ protocol: 'tcp', port }));
    assert.deepEqual(resources, [
      { kind: 'vpc', name: 'prod', key: 'prod' },
      {
        kind: 'chost',
        name: 'web "1"',
        key: 'web "1"',
        vpc: 'prod',
        interfaces: [
          { vpc: 'prod', addresses: [{ ip: '10.1.0.5' }] },
          { vpc: 'prod', mac: 0x0a58_0a01_0006, addresses: [{ ip: '10.1.0.6' }] },
        ],
        cloudTags: [['team', 'shop']],
      },
      { kind: 'subnet', name: 'net', key: 'prod/net', vpc: 'prod', cidrs: ['10.1.0.0/16', '10.2.0.0/16'] },
      {
        kind: 'custom_service',
        name: 'pay',
        key: 'pay',
        members: [
          { kind: 'address', ip: '10.1.5.7', ports, vpc: 'prod' },
          { kind: 'address', ip: '10.1.5.8', ports: [], vpc: 'prod' },
        ],
      },
    ]);
  });

  test('mistakes have their place', async () => {
    const text = 'kind,name,address\nhots,a,10.0.0.1\nhost,"a\r\nb",10.0.0\nhost,c,10.0.0.1,more\nhost,"d';
    assert.deepEqual(
      told((await parseCsv(text)).mistakes).map((line) => line.slice(0, 60)),
      [
        '2:1: kind: expected one of region, az, vpc, subnet, host, ch',
        '3:6: name: expected a text without control characters; got "',
        '4:4: expected an IPv4 or IPv6 address; got "10.0.0"',
        '5:17: expected 3 fields, as the first line has; got 4',
        '6:6: this quote is not closed',
      ],
    );
  });

  test('lines end with LF, CR LF or CR', async () => {
    const lines = ['kind,name,address', 'host,a,10.0.0.1', '', '"host",b,"10.0.0.2"', ''];
    const { resources } = await parseCsv(lines.join('\n'));
    assert.deepEqual(
      resources?.map(({ name }) => name),
      ['a', 'b'],
    );
    for (const end of ['\r', '\r\n']) {
      assert.deepEqual(await parseCsv(lines.join(end)), { resources, mistakes: [] });
      const { mistakes } = await parseCsv([...lines.slice(0, -1), '"host","c', 'd",10.0', 'host,e,10.0'].join(end));
      assert.deepEqual(
        mistakes.map(({ line, column }) => [line, column]),
        [
          [5, 8],
          [6, 4],
          [7, 8],
        ],
      );
    }
  });

  test('lines that are joined must not give two numbers', async () => {
    const text = 'kind,name,id,address\nhost,a,,10.0.0.1\nhost,a,7,10.0.0.2\nhost,a,7,10.0.0.3\n';
    assert.equal((await parseCsv(text)).resources?.[0]?.id, 7);
    const { resources, mistakes } = await parseCsv(`${text}host,a,8,10.0.0.4\n`);
    assert.deepEqual([resources, told(mistakes)], [undefined, ['5:8: id: the host "a" has the number 7']]);
  });

  test('the first line must name the columns', async () => {
    const mistakesOf = async (text: string) => told((await parseCsv(text)).mistakes).join('\n');
    const kind = '1:1: expected the first line to name the columns, kind among them';
    const name = '1:1: expected the first line to name the columns, name among them';
    assert.equal(await mistakesOf('host,a,10.0.0.1'), `${kind}\n${name}`);
    assert.equal(await mistakesOf('kind,address\n'), name);
    assert.equal(await mistakesOf('kind,name,address,name\n'), '1:19: the column "name" is named twice');
    assert.deepEqual(await parseCsv('# nothing yet\nkind,name\n'), { resources: [], mistakes: [] });
  });

  test('further lines add what the first one does not say', async () => {
    const { resources } = await parseCsv(
      'kind,name,address,az,tag.team\nchost,a,10.0.0.1,,\nchost,a,10.0.0.2,z,shop\nchost,a,10.0.0.3,y,other\n',
    );
    assert.deepEqual(resources?.[0], {
      kind: 'chost',
      name: 'a',
      key: 'a',
      az: 'z',
      interfaces: ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((ip) => ({ addresses: [{ ip }] })),
      cloudTags: [['team', 'shop']],
    });
  });

  test('no text throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[kindhost,"\n 1.\r]*$/), async (text) => {
        const { resources, mistakes } = await parseCsv(`kind,name,address\n${text}`);
        assert.equal(resources === undefined, mistakes.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-static-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = (fileName: string) => {
    const path = join(folder, fileName);
    const changes: string[] = [];
    const source = new StaticFile({
      path,
      org: 1,
      log: createLog({ level: 'silent' }),
      intervalMs: 3_600_000,
      now: () => 5000,
    });
    source.onChange(({ kind }) => changes.push(kind));
    return { path, source, changes, names: () => [...(source.current()?.resources ?? [])].map(({ name }) => name) };
  };

  test('is read anew when it has changed and rests; one with mistakes changes nothing', async () => {
    const { path, source, changes, names } = file('tags.yaml');
    writeFileSync(path, 'hosts: [{ name: one }]');
    await source.start();
    assert.deepEqual(
      [names(), changes.length, source.state()],
      [['one'], 1, { kind: 'up', from: path, lastSuccessMs: 5000 }],
    );
    writeFileSync(path, 'hosts: [{ name: two, address: x }]');
    await source.look();
    assert.equal(source.state().kind, 'up', 'it may be half written');
    await source.look();
    assert.deepEqual([names(), changes.length, source.state().kind], [['one'], 1, 'failing']);
    assert.equal(source.state().lastError, `${path}:1:31: expected an IPv4 or IPv6 address; got "x"`);
    writeFileSync(path, 'hosts: [{ name: three }]');
    await source.look();
    await source.look();
    assert.deepEqual([names(), changes.length, source.state().kind], [['three'], 2, 'up']);
    rmSync(path);
    await source.look();
    await source.look();
    assert.deepEqual([names(), source.state().kind], [['three'], 'failing']);
    source.stop();
  });

  test('that is not there, is not text or too large is told, and comes in when it is mended', async () => {
    const { path, source, names } = file('tags.csv');
    await source.start();
    assert.match(source.state().lastError ?? '', /tags\.csv: .*ENOENT/);
    assert.equal(source.current(), undefined);
    writeFileSync(path, Buffer.from([0x6b, 0xff, 0xfe]));
    await source.look();
    await source.look();
    assert.match(source.state().lastError ?? '', /expected UTF-8 text/);
    writeFileSync(path, 'kind,name\nhost,a\n');
    await source.look();
    await source.look();
    assert.deepEqual([names(), source.state().kind], [['a'], 'up']);
    source.stop();
    const large = file('large.yaml');
    writeFileSync(large.path, '#'.repeat(1024 * 1024 + 1));
    await large.source.start();
    assert.match(large.source.state().lastError ?? '', /expected at most 1048576 bytes; got more: write it as CSV/);
    large.source.stop();
  });

  test('that is a pipe or a folder holds up nobody, and is told', async () => {
    const pipe = file('pipe.yaml');
    execFileSync('sh', ['-c', 'mkfifo "$0"', pipe.path]);
    await pipe.source.start();
    assert.match(pipe.source.state().lastError ?? '', /pipe\.yaml: expected a file; got a pipe or a device$/);
    pipe.source.stop();
    const directory = file('directory.yaml');
    mkdirSync(directory.path);
    await directory.source.start();
    assert.match(directory.source.state().lastError ?? '', /directory\.yaml: expected a file; got a directory$/);
    directory.source.stop();
  });

  test('that is being read when the hub stops holds up nobody, and that is no mistake', async () => {
    const { path, source } = file('tags.yaml');
    writeFileSync(path, 'hosts: [{ name: one }]');
    const started = source.start();
    source.stop();
    await started;
    assert.deepEqual([source.current(), source.state().kind], [undefined, 'starting']);
  });
});

test('the examples of docs/tags.md load', async () => {
  const text = readFileSync(new URL('../../../../../docs/tags.md', import.meta.url), 'utf8');
  const [, yaml] = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  const [csv] = [...text.matchAll(/```csv\n([\s\S]*?)```/g)].map((match) => match[1]!);
  const parsed = [parseYaml(yaml!), await parseCsv(csv!)];
  assert.deepEqual(
    parsed.flatMap(({ mistakes }) => told(mistakes)),
    [],
  );
  assert.deepEqual(
    parsed.map(({ resources }) => resources?.length),
    [11, 4],
  );
});

test('files of one name are told apart by the folders that they are in', () => {
  assert.deepEqual(distinctTails(['/a/tags.yaml', '/b/tags.yaml', '/b/x/y.csv', '/c/b/tags.yaml', '/b/x/y.csv']), [
    'a/tags.yaml',
    '/b/tags.yaml',
    'y.csv',
    'c/b/tags.yaml',
    'y.csv',
  ]);
});
