import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hashSync } from 'bcryptjs';
import { freePort, Hub, needs, Prometheus, Scratch, until } from './processes.ts';

const certificates = fileURLToPath(new URL('../fixtures/tls/', import.meta.url));

it(
  'a Prometheus writes over TLS with basic authentication; a wrong password gets 401',
  { ...needs('prometheus'), timeout: 90_000 },
  async () => {
    using scratch = new Scratch();
    const passwords = scratch.file('passwords', `prometheus:${hashSync('correct horse', 6)}\n`);
    const config = scratch.file(
      'sluice.yaml',
      `
listen:
  http:
    address: 127.0.0.1:0
    tls: {cert-file: ${certificates}server.pem, key-file: ${certificates}server-key.pem}
    auth:
      password-file: ${passwords}
      users: [{name: prometheus, scopes: [write, read]}]
`,
    );
    await using hub = await Hub.start(`${scratch.path}/hub`, { args: ['--config', config], listen: false });
    assert.match(hub.http, /^https:/);

    const scrapeConfig = (password: string) => (self: string) =>
      `
global: {scrape_interval: 1s}
scrape_configs: [{job_name: prometheus, static_configs: [{targets: ['${self}']}]}]
remote_write:
  - url: ${hub.http}/api/v1/write
    basic_auth: {username: prometheus, password: ${password}}
    tls_config: {ca_file: ${certificates}ca.pem}
    queue_config: {batch_send_deadline: 300ms}
`;
    await using refused = await Prometheus.start(scratch, 'refused', scrapeConfig('wrong'));
    await until(
      async () => {
        const answer = await fetch(`${refused.url}/metrics`);
        const failed = /^prometheus_remote_storage_samples_failed_total\{.*\} (\d+)$/m.exec(await answer.text());
        return Number(failed?.[1] ?? 0) > 0 ? true : undefined;
      },
      20_000,
      () => `a refusal:\n${refused.output()}`,
    );
    assert.match(refused.output(), /401/);
    assert.equal((await get(hub, '/api/v1/labels', 'prometheus:wrong')).status, 401);
    const empty = await get(hub, '/api/v1/series?match[]=prometheus_build_info', 'prometheus:correct horse');
    assert.deepEqual(JSON.parse(empty.text), { status: 'success', data: [] });
    await refused.end();

    await using writer = await Prometheus.start(scratch, 'writer', scrapeConfig('correct horse'));
    await until(
      async () => {
        const answer = await get(hub, '/api/v1/series?match[]=prometheus_build_info', 'prometheus:correct horse');
        return answer.status === 200 && answer.text.includes('"job":"prometheus"') ? true : undefined;
      },
      30_000,
      () => `the series:\n${writer.output()}\n${hub.output()}`,
    );
    assert.equal((await get(hub, '/-/healthy')).status, 200);
    assert.equal((await get(hub, '/metrics')).status, 401);
    assert.ok(
      !hub.lines.some((line) => line.includes('correct horse') || line.includes('wrong')),
      'a password stands in the log',
    );
    await writer.end();
    assert.equal(await hub.end(), 0, hub.output());
  },
);

it('a listener that others can reach is refused without auth', { timeout: 20_000 }, async () => {
  using scratch = new Scratch();
  const port = await freePort();
  await assert.rejects(
    Hub.start(`${scratch.path}/hub`, { args: ['--set', `listen.http=0.0.0.0:${port}`], listen: false }),
    (error: Error) => /sluice ended with 1:/.test(error.message) && /auth: none/.test(error.message),
  );
});

async function get(hub: Hub, path: string, login?: string): Promise<{ status: number; text: string }> {
  const outgoing = request(`${hub.http}${path}`, {
    ca: readFileSync(`${certificates}ca.pem`),
    ...(login === undefined ? {} : { auth: login }),
  }).end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return { status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}
