import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../../src/config/load.ts';

const folder = fileURLToPath(new URL('../../fixtures/config', import.meta.url));

/** What a person must see for each `NAME.bad.yml`; FILE stands for its path, DIR for its folder. */
const MISTAKES: Readonly<Record<string, readonly string[]>> = {
  addresses: [
    'FILE:2:9: listen.http: expected host:port with a port of 0 to 65535, such as 127.0.0.1:20416 or [::1]:20416; got "localhost"',
    'FILE:3:16: listen.integration: expected host:port with a port of 0 to 65535, such as 127.0.0.1:20416 or [::1]:20416; got "127.0.0.1:70000"',
    'FILE:4:10: listen.agent: expected one of address and addresses',
    'FILE:5:23: listen.control.address: expected host:port with a port of 0 to 65535, such as 127.0.0.1:20416 or [::1]:20416; got "127.0.0.1:x"',
    'FILE:5:44: listen.control.allow[0]: expected a network such as 10.0.0.0/8 or fd00::/8; got "10.0.0.0/33"',
  ],
  'agent-groups': [
    'FILE:4:26: agents.groups: expected one of organisations (1, 2) for the group rest; got 5',
    'FILE:10:12: agents.groups: expected one of organisations (1, 2) for the group db; got 7',
    'FILE:12:69: agents.groups: prometheus_http_api_addresses of the group db: expected an address such as http://10.96.1.8:9090, without user and password; got "ftp://x"',
    'FILE:12:80: agents.groups: prometheus_http_api_addresses of the group db: expected an address such as http://10.96.1.8:9090, without user and password; got 5',
    'FILE:12:83: agents.groups: prometheus_http_api_addresses of the group db: expected an address such as http://10.96.1.8:9090, without user and password; got "http://***@b:1"',
    'FILE:15:48: agents.groups: prometheus_http_api_addresses of the group cache: expected an address such as http://10.96.1.8:9090, without user and password; got "http://"',
  ],
  'alias-bomb': ['FILE:9:53: expected at most 100000 values, aliases expanded'],
  'alias-itself': ['FILE:1:20: the alias *t stands inside its own anchor'],
  'alias-unknown': [
    'FILE:1:11: there is no anchor &nowhere before this alias; a text that begins with * stands in quotes',
  ],
  bracket: [
    'FILE:2:1: cannot read YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  'data-dir': [
    'FILE:1:11: data-dir: expected a path without * ? { }, which the embedded database takes for a pattern; got DIR/hub-{a,b}',
  ],
  deep: ['FILE:1:7: tags: expected a mapping; got a list', 'FILE:1:71: expected at most 64 levels of nesting'],
  'deepflow-kinds': [
    'FILE:2:16: controller.listen-port: expected a number; got a text',
    'FILE:3:27: controller.mysql.user-password: expected a text; got a list',
    'FILE:5:9: ingester.ckdb: expected a mapping; got a text',
    'FILE:6:13: ingester.throttle: expected a number; got a mapping',
    'FILE:7:43: ingester.prometheus-sample-ignore-universal-tag: expected true or false; got a text',
    'FILE:8:10: querier: expected a mapping; got 20416',
  ],
  documents: ['FILE:2:1: expected one YAML document; got another one after ---'],
  duplicate: ['FILE:3:1: the key "hub-id" is already given at FILE:1:1'],
  exporters: [
    'FILE:3:7: ingester.exporters[0].data-sources: expected at least one data source',
    'FILE:3:7: ingester.exporters[0].endpoints: expected at least one endpoint',
    'FILE:4:7: unknown key "end-points" in ingester.exporters[0]; did you mean "endpoints"?',
    'FILE:5:20: ingester.exporters[0].queue-count: expected a number; got "many"',
    'FILE:7:24: ingester.exporters[0].sasl.enabled: expected true or false; got "maybe"',
    'FILE:7:31: unknown key "pasword" in ingester.exporters[0].sasl; did you mean "password"?',
    'FILE:9:7: ingester.exporters[1]: expected a mapping; got a text',
  ],
  exposed: [
    'FILE:2:9: cannot open listen.http on 0.0.0.0:20416 to other machines without credentials: write an `auth` section, or `auth: none` if everybody may write and read, or listen on 127.0.0.1',
    'FILE:3:16: cannot open listen.integration on [::]:38086 to other machines without credentials: write an `auth` section, or `auth: none` if everybody may write and read, or listen on 127.0.0.1',
    'FILE:4:10: cannot open listen.agent on 192.0.2.1:30033 to other machines without `allow`: its protocol has no credentials; write {address: ..., allow: [the networks of the agents]}, or listen on 127.0.0.1',
    'FILE:5:12: cannot open listen.control on [::]:30035 to other machines without `allow`: its protocol has no credentials; write {address: ..., allow: [the networks of the agents]}, or listen on 127.0.0.1',
  ],
  journal: [
    'FILE:1:1: unknown key "jornal" at the top; did you mean "journal"?',
    'FILE:3:9: journal.sync: expected interval or always; got "alway"; did you mean "always"?',
    'FILE:4:18: journal.sync-interval: expected a duration such as 500ms, 30s, 1h30m or 15d; got "1 second"',
    'FILE:5:14: journal.max-bytes: expected a size such as 512, 64MiB, 1.5GiB or 1GB (units kB, MB, GB, TB, KiB, MiB, GiB, TiB); got "all"',
    'FILE:6:3: unknown key "segmentage" in journal; did you mean "segment-age"?',
  ],
  kinds: [
    'FILE:1:11: data-dir: expected a text; got 7; write it in quotes',
    'FILE:2:12: log-level: expected debug, info, warn, warning or error; got "inform"; did you mean "info"?',
    'FILE:3:9: hub-id: expected at most 1023; got 1024',
    'FILE:4:17: organisations[0]: expected at least 1; got 0',
    'FILE:4:20: organisations[1]: expected a whole number; got 1.5',
    'FILE:4:25: organisations[2]: expected a number; got "two"',
    'FILE:5:9: listen: expected a mapping; got "127.0.0.1:20416"',
    'FILE:7:11: limits.memory: expected a size such as 512, 64MiB, 1.5GiB or 1GB (units kB, MB, GB, TB, KiB, MiB, GiB, TiB); got "5 potatoes"',
    'FILE:8:16: limits.connections: expected a number; got "many"',
    'FILE:9:19: limits.header-timeout: expected a duration such as 30s; got 10',
    'FILE:10:17: limits.body-timeout: expected a duration such as 500ms, 30s, 1h30m or 15d, greatest unit first, each unit once; got "1s30m"',
    'FILE:11:15: limits.write-body: expected at least 0; got -1',
    'FILE:12:9: agents: expected a mapping; got a list',
    'FILE:13:7: auth: expected none or a mapping; got "nobody"',
    'FILE:14:6: tls.key-file: expected a text; the key is missing',
    'FILE:14:19: tls.cert-file: expected a path; got an empty text',
  ],
  latin1: ['FILE: cannot read the configuration: it is not UTF-8 text'],
  list: ['FILE:1:1: expected keys and values (a mapping) at the top'],
  merge: [
    'FILE:1:1: unknown key "base" at the top; known keys: data-dir, log-level, listen, hub-id, organisations, storage, journal, limits, auth, tls, agents, tags, exporters',
    'FILE:3:3: merge keys (<<) are not understood; repeat the values or use an alias for the whole mapping',
  ],
  'no-organisation': ['FILE:1:16: organisations: expected at least one organisation'],
  organisations: ['FILE:1:16: organisations: expected each organisation once'],
  proto: ['FILE:2:3: the key "__proto__" is not allowed', 'FILE:3:3: expected a simple key'],
  quote: ['FILE:3:1: cannot read YAML: Missing closing "quote'],
  'same-port': ['FILE:3:16: listen.integration: the address 127.0.0.1:9000 is already taken by listen.http'],
  secrets: [
    'FILE:3:30: auth.tokens[0].token: expected ${NAME} or {file: PATH}; secrets are not written into the configuration',
    'FILE:4:36: cannot read the secret in DIR/nowhere.secret: there is no such file',
    'FILE:5:29: cannot read the secret in the environment: the variable NO_SUCH_VARIABLE is not set',
    'FILE:6:37: cannot read the secret in DIR/empty.good.yml: the file is empty',
    'FILE:7:35: cannot read the secret in DIR: it is a folder',
    'FILE:10:14: cannot read the file DIR/nowhere.pem: there is no such file',
    'FILE:11:13: cannot read the file DIR/nowhere.pem: there is no such file',
  ],
  storage: [
    'FILE:2:11: storage.engine: expected chdb, clickhouse or none; got "clickhous"; did you mean "clickhouse"?',
    'FILE:3:16: unknown key "prometheus.sample" in storage.retention; did you mean "prometheus.samples"?',
    'FILE:3:59: storage.retention."prometheus.samples": expected a duration such as 500ms, 30s, 1h30m or 15d; got "soon"',
    'FILE:4:10: storage.urls[0]: expected an address such as http://clickhouse-1:8123',
    'FILE:4:19: storage.urls[1]: expected an address without a login; use username and password-file',
    'FILE:5:18: cannot read the secret in DIR/nowhere.secret: there is no such file',
  ],
  tab: ['FILE:3:1: expected spaces; got a tab in the indentation'],
  tag: ['FILE:1:11: cannot read this YAML tag: Unresolved tag: !path'],
  'tag-sources': [
    'FILE:6:7: tags.files[2]: the file "FILE" is given already',
    'FILE:7:7: tags.files[3]: expected one of the organisations that are listed in `organisations`; got 3',
    'FILE:10:7: tags.kubernetes[1]: the name "a" is given already; write another `name`',
    'FILE:12:7: tags.kubernetes[3]: expected one of the organisations that are listed in `organisations`; got 9',
  ],
  text: ['FILE:1:1: expected keys and values (a mapping) at the top'],
  'unknown-keys': [
    'FILE:1:1: unknown key "lissten" at the top; did you mean "listen"?',
    'FILE:4:3: unknown key "htp" in listen; did you mean "http"?',
    'FILE:5:3: unknown key "colour" in listen; known keys: http, integration, agent, control',
    'FILE:7:5: unknown key "adress" in listen.integration; did you mean "address"?',
    'FILE:7:5: listen.integration: expected one of address and addresses',
    'FILE:9:3: unknown key "label_value" in limits; did you mean "label-value"?',
    'FILE:11:11: auth.users[0]: expected a password-file or password for the user "a"',
    'FILE:11:38: unknown key "passwrd" in auth.users[0]; did you mean "password"?',
  ],
};

for (const [name, expected] of Object.entries(MISTAKES)) {
  test(`${name}.bad.yml`, () => {
    const path = `${folder}/${name}.bad.yml`;
    const { config, problems } = loadConfig({ path, env: { GRAFANA_PASSWORD: 'not shown' } });
    assert.deepEqual(
      problems.map((problem) => problem.replaceAll(path, 'FILE').replaceAll(folder, 'DIR')),
      expected,
    );
    assert.equal(config, undefined);
  });
}

test('every bad file is in the table', () => {
  const files = globSync('*.bad.yml', { cwd: folder }).map((file) => file.slice(0, -'.bad.yml'.length));
  assert.deepEqual(files.toSorted(), Object.keys(MISTAKES).toSorted());
});

test('no complaint repeats a secret', () => {
  for (const name of ['secrets', 'exporters', 'deepflow-kinds', 'storage']) {
    const loaded = loadConfig({ path: `${folder}/${name}.bad.yml`, env: { GRAFANA_PASSWORD: 'hunter2' } });
    assert.ok(loaded.problems.length > 0);
    assert.ok(!JSON.stringify(loaded).includes('hunter2'), name);
    assert.ok(!JSON.stringify(loaded).includes('word@'), name);
  }
});

test('unknown DeepFlow keys are warnings with the nearest known one', () => {
  const path = `${folder}/deepflow-kinds.bad.yml`;
  assert.deepEqual(loadConfig({ path, env: {} }).warnings, [`${path}:9:1: unknown DeepFlow key "colour" at the top`]);
});

test('a file that is not there', () => {
  const path = `${folder}/nowhere.yml`;
  const { config, problems } = loadConfig({ path, env: {} });
  assert.equal(config, undefined);
  assert.deepEqual(problems, [`${path}: cannot read the configuration: there is no such file`]);
  assert.deepEqual(loadConfig({ path: folder, env: {} }).problems, [
    `${folder}: cannot read the configuration: it is a folder`,
  ]);
});
