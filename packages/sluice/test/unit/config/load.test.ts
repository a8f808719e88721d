import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { inspect } from 'node:util';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig, type LoadedConfig } from '../../../src/config/load.ts';
import type { SluiceConfig } from '../../../src/config/schema.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/config', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
after(() => rmSync(folder, { recursive: true }));

function loadText(text: string, sets: readonly string[] = []): LoadedConfig {
  const path = join(folder, 'sluice.yml');
  writeFileSync(path, text);
  return loadConfig({ path, sets, env: {} });
}

function good(loaded: LoadedConfig): SluiceConfig {
  assert.deepEqual(loaded.problems, []);
  assert.ok(loaded.config !== undefined);
  return loaded.config;
}

function goodFile(name: string): { config: SluiceConfig; loaded: LoadedConfig } {
  const loaded = loadConfig({ path: `${fixtures}/${name}.good.yml`, env: { GRAFANA_PASSWORD: 'grafana secret' } });
  assert.deepEqual(loaded.warnings, []);
  return { config: good(loaded), loaded };
}

const defaults = good(loadConfig({ env: {} }));

describe('defaults', () => {
  test('without a file', () => {
    assert.equal(defaults.dataDir, resolve('sluice-data'));
    assert.equal(defaults.logLevel, 'info');
    assert.equal(defaults.hubId, 0);
    assert.deepEqual(defaults.organisations, [1]);
    assert.deepEqual(defaults.listen.http?.addresses, [{ host: '127.0.0.1', port: 20416 }]);
    assert.deepEqual(defaults.listen.integration?.addresses, [{ host: '127.0.0.1', port: 38086 }]);
    assert.deepEqual(defaults.listen.agent?.addresses, [{ host: '127.0.0.1', port: 30033 }]);
    assert.equal(defaults.auth, undefined);
    assert.equal(defaults.limits.memory, 256 * 1024 * 1024);
    assert.equal(defaults.storage.engine, 'chdb');
  });

  for (const name of ['empty', 'comment']) {
    test(`${name} file`, () => assert.deepEqual(goodFile(name).config, defaults));
  }

  test('cannot be changed', () => {
    assert.ok(
      Object.isFrozen(defaults) && Object.isFrozen(defaults.limits) && Object.isFrozen(defaults.listen.http?.addresses),
    );
  });
});

test('null is an absent key, but turns a listener off', () => {
  const { config } = goodFile('nulls');
  assert.equal(config.listen.integration, null);
  assert.deepEqual({ ...config, listen: null }, { ...defaults, dataDir: config.dataDir, listen: null });
});

test('aliases stand for what was anchored', () => {
  const { config } = goodFile('aliases');
  assert.deepEqual(config.organisations, [1, 2]);
  assert.deepEqual(config.listen.http?.addresses, [{ host: '::1', port: 9000 }]);
  assert.deepEqual(Object.fromEntries(config.agents.groups[0]!.config), { ids: [1, 2], where: '[::1]:9000' });
});

test('open listeners with auth: none or allow', () => {
  const { config, loaded } = goodFile('open');
  assert.equal(config.auth, 'none');
  assert.equal(config.listen.integration?.addresses.length, 2);
  assert.deepEqual(config.listen.agent?.allow, [
    { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
    { address: 'fd00::', prefix: 8, family: 'ipv6' },
  ]);
  assert.deepEqual(loaded.notes, []);
});

test('secrets are read and not shown', () => {
  const { config, loaded } = goodFile('access');
  assert.ok(config.auth !== undefined && config.auth !== 'none');
  assert.deepEqual(
    config.auth.tokens.map(({ name, token }) => [name, token.reveal()]),
    [
      ['collector', 'correct horse'],
      ['operator', 'correct horse'],
    ],
  );
  const [prometheus, grafana] = config.auth.users;
  assert.deepEqual(prometheus?.source, { kind: 'password-file', path: `${fixtures}/passwords` });
  assert.ok(grafana?.source.kind === 'password');
  assert.equal(grafana.source.password.reveal(), 'grafana secret');
  for (const text of [
    JSON.stringify(loaded),
    inspect(loaded, { depth: 20 }),
    config.auth.tokens.map(({ token }) => token.toString()).join(),
  ]) {
    assert.ok(!text.includes('correct horse') && !text.includes('grafana secret'), text);
  }
});

test('sizes, durations and levels have one form inside', () => {
  const { config } = goodFile('limits');
  assert.equal(config.limits.memory, 1.5 * 2 ** 30);
  assert.equal(config.limits['header-timeout'], 2500);
  assert.equal(config.limits['body-timeout'], 90_000);
  assert.equal(config.limits['write-body'], 2 ** 20);
  assert.equal(config.logLevel, 'warn');
});

test('the journal', () => {
  assert.deepEqual(defaults.journal, {
    sync: 'interval',
    'sync-interval': 1000,
    'max-bytes': 4 * 2 ** 30,
    'min-free-bytes': 2 ** 30,
  });
  assert.deepEqual(goodFile('journal').config.journal, {
    sync: 'always',
    'sync-interval': 250,
    'max-bytes': 512 * 2 ** 20,
    'min-free-bytes': 1e9,
    'segment-age': 3000,
  });
});

test('storage on servers', () => {
  const { config } = goodFile('storage');
  assert.deepEqual(
    config.storage.retention,
    new Map([
      ['prometheus.samples', 30 * 86_400_000],
      ['prometheus.metadata', 365 * 86_400_000],
    ]),
  );
  assert.equal(config.storage['password-file']?.reveal(), 'correct horse');
});

describe("DeepFlow's files", () => {
  test('a whole server.yaml: nothing is wrong, one line names what has no effect', () => {
    const { config, loaded } = goodFile('deepflow-server');
    const agent = { ...defaults.listen.agent, addresses: [{ host: '127.0.0.1', port: 20033 }] };
    const { exporters } = config;
    const tags = { ...defaults.tags, autoTaggingPrefix: 'df_' };
    assert.deepEqual(config, { ...defaults, listen: { ...defaults.listen, agent }, exporters, tags });
    const [adopted, unused, off] = loaded.notes.filter((note) => !note.includes('auto-tagging-prefix'));
    assert.ok(loaded.notes.length <= 4);
    assert.match(adopted ?? '', /^ingester.listen-port stands for listen.agent: 127.0.0.1:20033; /);
    assert.match(unused ?? '', /^known keys of DeepFlow without effect here: log-file, profiler, /);
    assert.ok(!unused?.includes('ingester.listen-port'), 'it is obeyed');
    for (const key of [
      'controller.mysql.user-password',
      'querier.prometheus.cache.remote-read-cache',
      'ingester.throttle',
    ]) {
      assert.ok(unused?.split(/[ ,]+/).includes(key), key);
    }
    assert.ok(!unused?.includes('log-level'), 'log-level is obeyed');
    assert.ok(!unused?.includes('exporters'), 'they are read');
    assert.equal(off, 'exporters that are switched off: opentelemetry');
  });

  test('listen.agent wins over ingester.listen-port, also when it turns the listener off', () => {
    for (const agent of ['127.0.0.1:1234', 'null']) {
      const { config, notes } = loadText(`ingester: { listen-port: 20033 }\nlisten: { agent: ${agent} }\n`);
      assert.equal(config?.listen.agent?.addresses[0]?.port, agent === 'null' ? undefined : 1234);
      assert.deepEqual(notes, ['known keys of DeepFlow without effect here: ingester.listen-port']);
    }
    const { config } = loadConfig({ sets: ['ingester.listen-port=21033', 'listen.http=127.0.0.1:1'], env: {} });
    assert.equal(config?.listen.agent?.addresses[0]?.port, 21033);
  });

  test('a key of a newer DeepFlow is a warning where the file is DeepFlow-s, a mistake elsewhere', () => {
    const path = join(folder, 'sluice.yml');
    const theirs = loadText('mcp: { listen-port: 1, new-key: 2 }\nbrand-new: 3\n');
    assert.deepEqual(theirs.problems, []);
    assert.deepEqual(theirs.warnings, [
      `${path}:1:24: unknown DeepFlow key "new-key" in mcp`,
      `${path}:2:1: unknown DeepFlow key "brand-new" at the top`,
    ]);
    assert.deepEqual(loadText('mcp: { listen-port: 1 }\ndata_dir: x\n').problems, [
      `${path}:2:1: unknown key "data_dir" at the top; did you mean "data-dir"?`,
    ]);
    assert.match(
      loadText('brand-new: 3\n').problems[0] ?? '',
      /:1:1: unknown key "brand-new" at the top; known keys: data-dir, /,
    );
  });

  test('an empty exporter list and null values say nothing', () => {
    assert.deepEqual(loadText('ingester: { exporters: [], ckdb: }\nexporters:\nquerier:\n').notes, []);
  });
});

describe('paths', () => {
  test('in a file are relative to it', () => {
    assert.equal(good(loadText('data-dir: here/there\n')).dataDir, join(folder, 'here/there'));
    assert.equal(good(loadText('data-dir: /absolute\n')).dataDir, '/absolute');
  });
  test('on the command line are relative to the working directory', () => {
    assert.equal(good(loadText('data-dir: here\n', ['data-dir=there'])).dataDir, resolve('there'));
    assert.equal(
      good(loadConfig({ dataDir: 'there', sets: ['data-dir=elsewhere'], env: {} })).dataDir,
      resolve('there'),
    );
  });
  test('of the file itself may be relative', () => {
    const { problems } = loadConfig({ path: 'no/such.yml', env: {} });
    assert.deepEqual(problems, ['no/such.yml: cannot read the configuration: there is no such file']);
  });
});

describe('--set', () => {
  test('wins over the file, the later over the earlier', () => {
    const config = good(
      loadText('hub-id: 1\nlisten: { http: 127.0.0.1:1, integration: 127.0.0.1:2 }\n', [
        'hub-id=2',
        'hub-id=3',
        'listen.integration=null',
        'organisations=[4, 5]',
        'limits.memory=1MiB',
        'storage.retention."prometheus.samples"=2d',
      ]),
    );
    assert.equal(config.hubId, 3);
    assert.deepEqual(config.listen.http?.addresses, [{ host: '127.0.0.1', port: 1 }]);
    assert.equal(config.listen.integration, null);
    assert.deepEqual(config.organisations, [4, 5]);
    assert.equal(config.limits.memory, 1024 * 1024);
    assert.deepEqual(config.storage.retention, new Map([['prometheus.samples', 172_800_000]]));
  });

  test('goes into a mapping of the file and keeps the rest', () => {
    const config = good(
      loadText('listen:\n  http: { address: 127.0.0.1:1, allow: [127.0.0.0/8] }\n', [
        'listen.http.address=127.0.0.1:9',
      ]),
    );
    assert.deepEqual(config.listen.http?.addresses, [{ host: '127.0.0.1', port: 9 }]);
    assert.equal(config.listen.http?.allow?.length, 1);
  });

  const wrong: readonly [set: string, problem: string | RegExp][] = [
    ['hub-id', '--set hub-id: expected KEY.PATH=VALUE; got no "="'],
    ['=1', '--set : expected KEY.PATH=VALUE, a key with dots in double quotes; got ""'],
    ['a..b=1', '--set a..b: expected KEY.PATH=VALUE, a key with dots in double quotes; got "a..b"'],
    ['"a"b=1', '--set "a"b: expected a dot between keys; got "\\"a\\"b"'],
    ['hub-id=x', '--set hub-id: expected a number; got "x"'],
    ['hub-id=[', '--set hub-id: cannot read YAML: Flow sequence must end with a ]'],
    ['limits.memry=1', '--set limits.memry: unknown key "memry" in limits; did you mean "memory"?'],
    [
      'listen.http.auth=none',
      '--set listen.http.auth: cannot set a key below listen.http, which is a single value at FILE:1:17',
    ],
    [
      'listen.http=0.0.0.0:1',
      /^--set listen\.http: cannot open listen\.http on 0\.0\.0\.0:1 to other machines without credentials/,
    ],
    [
      '__proto__.x=1',
      '--set __proto__.x: expected KEY.PATH=VALUE, a key with dots in double quotes; got "__proto__.x"',
    ],
  ];
  for (const [set, problem] of wrong) {
    test(set, () => {
      const { problems, config } = loadText('listen: { http: 127.0.0.1:1 }\n', [set]);
      assert.equal(config, undefined);
      const text = (problems[0] ?? '').replace(join(folder, 'sluice.yml'), 'FILE');
      if (typeof problem === 'string') assert.equal(text, problem);
      else assert.match(text, problem);
    });
  }
});

test('a hub that is to follow another one in its ids, with nobody to learn them from, says so', () => {
  const notes = (text: string) => loadText(text).notes.filter((note) => note.startsWith('tags.allocator'));
  const off = 'tags: { allocator: off }\n';
  assert.match(
    notes(off)[0] ?? '',
    /storage\.engine: chdb: resources have the ids that files of static tags give them/,
  );
  assert.deepEqual(notes(`${off}storage: { engine: clickhouse, urls: ['http://c:8123'] }\n`), []);
  assert.deepEqual(notes('tags: { allocator: on }\n'), []);
});
