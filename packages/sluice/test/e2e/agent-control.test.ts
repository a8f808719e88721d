/** The life of an agent as the control plane sees it: the real command, recorded requests of a stock agent, a real gRPC client. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { AgentClient, messageType, recorded } from '../integration/control/agent-client.ts';
import { Hub, Scratch, command, freePort } from './processes.ts';

const TIME = { timeout: 120_000 };

function run(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly code: number; readonly output: string }>();
  const child = execFile(process.execPath, [command, ...args], { timeout: 30_000 }, (_error, stdout, stderr) =>
    resolve({ code: child.exitCode ?? -1, output: (stdout + stderr).trim() }),
  );
  return promise;
}

interface Life {
  readonly id: number;
  readonly config: string;
}

/** What a stock agent does in its first minute, in its order. */
async function live(client: AgentClient): Promise<Life> {
  const genesis = async (name: string) => {
    const bytes = await client.callBytes('GenesisSync', recorded(name));
    return (messageType('GenesisSyncResponse').deserialize(bytes) as { version: string }).version;
  };
  const first = await client.sync(recorded('01-Sync-request-first'));
  assert.equal(await genesis('07-GenesisSync-request-first'), '1795226548');
  const query = await client.callBytes('Query', recorded('12-Query-request'));
  const { response } = messageType('NtpResponse').deserialize(query) as { response: Buffer };
  assert.equal(response.subarray(24, 32).toString('hex'), 'f9c7c29c8da952c9');
  const second = await client.sync(recorded('03-Sync-request-after-component-start'));
  assert.deepEqual(second, first, 'a second answer that differs restarts agents');
  const start = performance.now();
  await client.push();
  assert.ok(performance.now() - start < 5000, 'headers of Push within seconds, not 30');
  assert.equal(await genesis('08-GenesisSync-request-full'), '1795226551');
  assert.equal(await genesis('09-GenesisSync-request-heartbeat'), '1795226551');
  const gpids = await client.callBytes('GPIDSync', recorded('11-GPIDSync-request'));
  assert.ok(gpids.length > 200);
  await client.sync(recorded('05-Sync-request-invalid-config'));
  return { id: first.dynamic_config.agent_id, config: first.user_config };
}

test('an agent registers, lives, survives a restart of the hub with the same id, and is listed', TIME, async () => {
  using scratch = new Scratch();
  const port = await freePort();
  const args = ['--set', `listen.control=127.0.0.1:${port}`];
  const lives: Life[] = [];
  for (const round of [1, 2]) {
    await using hub = await Hub.start(`${scratch.path}/hub`, { args });
    const client = new AgentClient(`127.0.0.1:${port}`);
    try {
      if (round === 2) {
        // The inventory died with the first hub: it is asked for again.
        await client.sync();
        const bytes = await client.callBytes('GenesisSync', recorded('09-GenesisSync-request-heartbeat'));
        assert.deepEqual(messageType('GenesisSyncResponse').deserialize(bytes), { version: '0' });
      }
      lives.push(await live(client));
    } finally {
      client.close();
    }
    const [, dataPort = ''] = hub.agent.split(':');
    assert.match(
      lives.at(-1)?.config ?? '',
      new RegExp(`ingester_ip: 127\\.0\\.0\\.1\n {4}ingester_port: ${dataPort}\n`),
    );
    assert.match(lives.at(-1)?.config ?? '', new RegExp(`proxy_controller_port: ${port}\n`));
    const table = await run('agents', '--url', hub.http);
    assert.equal(table.code, 0, table.output);
    assert.match(
      table.output,
      /^ID +HOST .*\n1 +h1-agent-host +10\.77\.0\.1 +default +online .* invalid configuration \(\ds ago\)$/,
    );
    const json = await run('agents', '--url', hub.http, '--json');
    const [listed] = JSON.parse(json.output) as { agent_type: string; exception_description: string }[];
    assert.equal(listed?.agent_type, 'physical-machine');
    assert.match(listed.exception_description, /^invalid response from .* invalid type: sequence/);
    assert.equal(await hub.metric('sluice_control_requests_total'), round === 1 ? 9 : 11);
    // Once as a user stops it, once as a power failure does.
    await hub.end(round === 1 ? 'SIGKILL' : 'SIGTERM');
  }
  assert.deepEqual(
    lives.map(({ id }) => id),
    [1, 1],
  );
});

test('groups of the configuration file, and what `sluice agents` says when it cannot ask', TIME, async () => {
  using scratch = new Scratch();
  const config = scratch.file(
    'sluice.yaml',
    `
agents:
  advertise: 192.0.2.10
  groups:
    - name: recorded
      match: { host: 'h1-*', ctrl-ip: [10.77.0.0/16] }
      vpc-id: 7
      agent-type: vm
      config: |
        outputs:
          flow_log: { throttles: { l7_throttle: 2000 } }
`,
  );
  await using hub = await Hub.start(`${scratch.path}/hub`, { args: ['--config', config] });
  const client = new AgentClient(hub.control);
  try {
    const answer = await client.sync();
    assert.equal(answer.dynamic_config.vpc_id, 7);
    assert.equal(answer.dynamic_config.agent_type, 2);
    assert.match(answer.user_config, /ingester_ip: 192\.0\.2\.10\n[^]*l7_throttle: 2000\n/);
  } finally {
    client.close();
  }
  const nobody = await run('agents', '--url', `http://127.0.0.1:${await freePort()}`);
  assert.equal(nobody.code, 2);
  assert.match(
    nobody.output,
    /cannot ask the hub at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*; is it running there\?/,
  );
  const organisation = await run('agents', '--url', hub.http, '--org', '5');
  assert.equal(organisation.code, 2);
  assert.match(organisation.output, /answered 400: expected X-Org-Id/);
  assert.equal((await run('agents', '--url', 'nonsense')).code, 1);
});
