import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { ListenerGuard } from '../../src/access/guard-listener.ts';
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts';
import type { SluiceConfig } from '../../src/config/schema.ts';
import type { GuardedListeners } from '../../src/http/guarded-listeners.ts';
import { type Exchangeable, Reload } from '../../src/reload.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-exchange-'));
after(() => rmSync(folder, { recursive: true }));

const NOBODY = '';
const READERS = 'auth: { tokens: [{ name: reader, scopes: [read], token: "${TOKEN}" }] }\n';
const WRITERS = 'auth: { tokens: [{ name: writer, scopes: [write], token: "${TOKEN}" }] }\n';
const GROUPS = 'agents: { groups: [{ name: web, match: { host: "web-*" } }] }\n';
const SERVERS = 'tags: { prometheus_http_api_addresses: ["http://a:9090"] }\n';
const SPANS = 'exporters: [{ protocol: opentelemetry, endpoints: [a:4317], data-sources: [flow_log.l7_flow_log] }]\n';
const MISTAKE = 'hub-id: many\n';

function load(text: string): LoadedConfig {
  const path = join(folder, 'sluice.yml');
  writeFileSync(path, text);
  return loadConfig({ path, env: { TOKEN: 'secret' } });
}

function configOf(text: string): SluiceConfig {
  const { config, problems } = load(text);
  assert.deepEqual(problems, []);
  return config!;
}

/** Parts of a hub that note what they are told, and do as `fails` says. */
class Parts implements Exchangeable {
  readonly told: string[] = [];
  readonly lines: string[] = [];
  readonly metrics = createMetrics();
  readonly log = createLog({ destination: { write: (line: string) => void this.lines.push(line) } });
  readonly fails = new Set<'listeners' | 'control listener' | 'exporters'>();
  readonly guarded: GuardedListeners = {
    listeners: [],
    reload: () => this.#tell('files', 'listeners'),
    exchange: ({ auth }) =>
      this.#tell(auth === undefined || auth === 'none' ? 'nobody' : auth.tokens[0]!.name, 'listeners'),
    close: () => Promise.resolve(),
  };
  readonly controlGuard: ListenerGuard = {
    tls: undefined,
    allows: undefined,
    reload: () => this.#tell('control files', 'control listener'),
    exchange: () => this.#tell('control certificates', 'control listener'),
  };
  readonly control: Exchangeable['control'] = {
    setGroups: (groups) => void this.told.push(`groups ${groups.map(({ name }) => name).join(' ')}`.trim()),
  };

  readonly tagging: Exchangeable['tagging'] = {
    exchangeServers: ({ tags }) => void this.told.push(`servers ${tags.prometheusAddresses.join(' ')}`.trim()),
  };

  readonly applyExporters: Exchangeable['applyExporters'] = async (exporters) => {
    const isGood = await this.#tell(`exporters ${exporters.map(({ name }) => name).join(' ')}`.trim(), 'exporters');
    if (!isGood) throw new Error('no room for a cursor');
  };

  #tell(what: string, part: 'listeners' | 'control listener' | 'exporters'): Promise<boolean> {
    this.told.push(what);
    return Promise.resolve(!this.fails.has(part));
  }

  /** What the parts were told since the last look. */
  takeTold(): string[] {
    return this.told.splice(0);
  }

  async outcomes(): Promise<Record<string, number>> {
    const { values } = await this.metrics.configReloads.get();
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels['outcome']), value]));
  }
}

describe('a configuration that was read again', () => {
  test('the same one has its files read again, and nothing else', async () => {
    const parts = new Parts();
    const first = configOf(READERS + SPANS);
    const reload = new Reload(first, parts);
    await reload.take(load(READERS + SPANS));
    assert.deepEqual(reload.running, first);
    assert.deepEqual(parts.takeTold(), ['files', 'control files']);
    assert.deepEqual(await parts.outcomes(), { reloaded: 1 });
  });

  test('with mistakes changes nothing; the log names them', async () => {
    const parts = new Parts();
    const first = configOf(READERS);
    const reload = new Reload(first, parts);
    await reload.take(load(WRITERS + SPANS + MISTAKE));
    assert.equal(reload.running, first);
    assert.deepEqual(parts.takeTold(), []);
    assert.match(parts.lines.join(''), /"level":"error".*hub-id: expected a number/);
    assert.deepEqual(await parts.outcomes(), { refused: 1 });
  });

  test('is told to the parts that it changes', async () => {
    const parts = new Parts();
    const reload = new Reload(configOf(READERS), parts);
    const step = async (text: string) => {
      await reload.take(load(text));
      return parts.takeTold();
    };
    assert.deepEqual(await step(WRITERS), ['writer', 'control certificates']);
    assert.deepEqual(await step(WRITERS + SPANS), ['files', 'control files', 'exporters opentelemetry']);
    assert.deepEqual(await step(WRITERS + SPANS + GROUPS), ['files', 'control files', 'groups web default', 'servers']);
    assert.deepEqual(await step(NOBODY), ['nobody', 'control certificates', 'exporters', 'groups default', 'servers']);
    assert.deepEqual(await step(SERVERS), ['files', 'control files', 'servers http://a:9090']);
    assert.deepEqual(await parts.outcomes(), { reloaded: 5 });
    assert.doesNotMatch(parts.lines.join(''), /secret/);
  });

  test('comes after the one before it', async () => {
    const parts = new Parts();
    const reload = new Reload(configOf(READERS), parts);
    await Promise.all([reload.take(load(WRITERS)), reload.take(load(WRITERS + SPANS))]);
    assert.deepEqual(parts.takeTold(), [
      'writer',
      'control certificates',
      'files',
      'control files',
      'exporters opentelemetry',
    ]);
    assert.deepEqual(
      reload.running.exporters.map(({ name }) => name),
      ['opentelemetry'],
    );
  });

  test('what needs a restart is named and not taken', async () => {
    const parts = new Parts();
    const reload = new Reload(configOf('hub-id: 1\n'), parts);
    await reload.take(load('hub-id: 2\n'));
    assert.equal(reload.running.hubId, 1);
    assert.match(parts.lines.join(''), /only in effect after a restart: hub-id/);
  });
});

describe('a part that does not take it over', () => {
  const cases = [
    ['listeners', WRITERS, 'writer'],
    ['control listener', WRITERS, 'control certificates'],
    ['exporters', READERS + SPANS, 'exporters opentelemetry'],
  ] as const;
  for (const [part, text, wanted] of cases) {
    test(`${part}: counts as refused and is asked again, also when the file is the same as before or as the first`, async () => {
      const parts = new Parts();
      const reload = new Reload(configOf(READERS), parts);
      parts.fails.add(part);
      await reload.take(load(text));
      assert.ok(parts.takeTold().includes(wanted));
      await reload.take(load(text));
      assert.ok(parts.takeTold().includes(wanted), 'the same file');
      assert.deepEqual(await parts.outcomes(), { refused: 2 });
      parts.fails.clear();
      await reload.take(load(READERS));
      assert.deepEqual(parts.takeTold(), ['reader', 'control certificates', 'exporters']);
      assert.deepEqual(await parts.outcomes(), { refused: 2, reloaded: 1 });
      await reload.take(load(READERS));
      assert.deepEqual(parts.takeTold(), ['files', 'control files'], 'all is well');
    });
  }

  test('exporters: the others are changed all the same, and the log says why', async () => {
    const parts = new Parts();
    parts.fails.add('exporters');
    await new Reload(configOf(READERS), parts).take(load(WRITERS + SPANS + GROUPS));
    assert.deepEqual(parts.takeTold(), [
      'writer',
      'control certificates',
      'exporters opentelemetry',
      'groups web default',
      'servers',
    ]);
    assert.match(parts.lines.join(''), /"level":"error".*no room for a cursor.*not every exporter could be changed/);
  });
});
