import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { DEFAULT_GROUP, agentsSchema } from '../../../src/control/config.ts';
import { CallFailed, changed, recorded } from './agent-client.ts';
import { eventually, folder, serve } from './harness.ts';

test('a stock agent registers and gets a configuration that makes it useful', async (t) => {
  const { agent, control, port, value } = await serve(t);
  const answer = await agent().sync(recorded('01-Sync-request-first'));
  assert.equal(answer.status, 0);
  assert.deepEqual(answer.dynamic_config, {
    kubernetes_api_enabled: false,
    enabled: true,
    vpc_id: 1,
    agent_id: 1,
    team_id: 1,
    organize_id: 1,
    agent_type: 5,
  });
  assert.equal(answer.version_platform_data, '1');
  const config: unknown = parse(answer.user_config);
  assert.deepEqual((config as { global: unknown }).global, {
    circuit_breakers: { relative_sys_load: { trigger_threshold: 0 } },
    communication: {
      ingester_ip: '127.0.0.1',
      ingester_port: 30033,
      proactive_request_interval: '10s',
      proxy_controller_ip: '127.0.0.1',
      proxy_controller_port: port,
    },
  });
  assert.deepEqual(control.resolve(1), { org: 1, team: 1 });
  assert.equal(control.resolve(2), undefined);
  assert.equal(await value('sluice_control_requests_total', { method: 'Sync', outcome: 'answered' }), 1);
});

test('the answer is byte-stable over requests, restarts and the order of keys in the file', async (t) => {
  const dataDir = folder(t);
  const answers: string[] = [];
  for (const config of [
    { b: { y: 1, x: 2 }, a: 'on' },
    { a: 'on', b: { x: 2, y: 1 } },
  ]) {
    const hub = await serve(t, { dataDir, agents: { advertise: '192.0.2.10', groups: [{ name: 'all', config }] } });
    const client = hub.agent();
    for (const name of ['01-Sync-request-first', '04-Sync-request-steady']) {
      const bytes = await client.callBytes('Sync', recorded(name));
      // The ports differ between the two hubs of this test.
      answers.push(bytes.toString('latin1').replaceAll(String(hub.port), 'PORT'));
    }
    await hub.control.stop();
  }
  assert.equal(new Set(answers).size, 1);
  assert.match(answers[0] ?? '', /ingester_ip: 192\.0\.2\.10/);
});

test('ids: one for every identity, kept over restarts, by address alone when the agent asks so', async (t) => {
  const dataDir = folder(t);
  const first = await serve(t, { dataDir });
  const client = first.agent();
  const other = changed('04-Sync-request-steady', 'SyncRequest', { ctrl_ip: '10.77.0.9' });
  const team = changed('04-Sync-request-steady', 'SyncRequest', { team_id: 't-abc' });
  const byIp = changed('04-Sync-request-steady', 'SyncRequest', { agent_unique_identifier: 2 });
  const byIpOtherMac = changed('04-Sync-request-steady', 'SyncRequest', {
    agent_unique_identifier: 2,
    ctrl_mac: '02:00:00:00:00:99',
  });
  const nameless = changed('04-Sync-request-steady', 'SyncRequest', { ctrl_ip: '', ctrl_mac: '' });
  const ids: number[] = [];
  for (const request of [undefined, other, team, byIp, byIpOtherMac, nameless, undefined]) {
    ids.push((await client.sync(request)).dynamic_config.agent_id);
  }
  assert.deepEqual(ids, [1, 2, 3, 4, 4, 5, 1]);
  await first.control.stop();

  const second = await serve(t, { dataDir });
  assert.deepEqual(second.control.resolve(3), { org: 1, team: 1 });
  const again = second.agent();
  assert.equal((await again.sync(team)).dynamic_config.agent_id, 3);
  assert.equal((await again.sync()).dynamic_config.agent_id, 1);
  const fresh = changed('04-Sync-request-steady', 'SyncRequest', { ctrl_ip: '10.77.0.10' });
  assert.equal((await again.sync(fresh)).dynamic_config.agent_id, 6);
});

test('fifty agents at once get fifty ids', async (t) => {
  const { agent } = await serve(t);
  const client = agent();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      client.sync(changed('04-Sync-request-steady', 'SyncRequest', { ctrl_ip: `10.1.0.${index}` })),
    ),
  );
  assert.equal(new Set(answers.map((answer) => answer.dynamic_config.agent_id)).size, 50);
});

test('groups: match rules, what they say, and what the default group says', async (t) => {
  const { agent, control } = await serve(t, {
    organisations: [1, 7],
    agents: {
      groups: [
        { name: 'rest', config: 'outputs: {flow_log: {throttles: {l7_throttle: 7}}}', 'vpc-id': 3 },
        {
          name: 'web',
          match: { host: 'h1-*', 'team-id': 't-web' },
          config: { global: { communication: { proactive_request_interval: '1m' } } },
          'agent-type': 'public-cloud',
          org: 7,
          team: 4,
        },
      ],
    },
  });
  const client = agent();
  const plain = await client.sync();
  assert.equal(plain.dynamic_config.vpc_id, 3);
  assert.match(plain.user_config, /l7_throttle: 7/);
  assert.match(plain.user_config, /proactive_request_interval: 10s/);
  const web = await client.sync(changed('04-Sync-request-steady', 'SyncRequest', { team_id: 't-web' }));
  assert.deepEqual(web.dynamic_config, {
    kubernetes_api_enabled: false,
    enabled: true,
    vpc_id: 1,
    agent_id: 2,
    team_id: 4,
    organize_id: 7,
    agent_type: 3,
  });
  assert.match(web.user_config, /proactive_request_interval: 1m/);
  assert.doesNotMatch(web.user_config, /l7_throttle/);
  assert.deepEqual(control.resolve(2), { org: 7, team: 4 });
});

test('an agent in Kubernetes is a host-pod, and one of a cluster reports its objects', async (t) => {
  let nowMs = 1_000_000;
  const { agent } = await serve(t, { now: () => nowMs });
  const client = agent();
  const inCluster = (ip: string) =>
    client.sync(changed('04-Sync-request-steady', 'SyncRequest', { ctrl_ip: ip, kubernetes_cluster_id: 'd-1' }));
  const first = await inCluster('10.0.0.1');
  assert.equal(first.dynamic_config.agent_type, 7);
  assert.equal(first.dynamic_config.kubernetes_api_enabled, true);
  assert.equal((await inCluster('10.0.0.2')).dynamic_config.kubernetes_api_enabled, false);
  nowMs += 100_000;
  assert.equal((await inCluster('10.0.0.1')).dynamic_config.kubernetes_api_enabled, true);
  nowMs += 100_000;
  assert.equal((await inCluster('10.0.0.2')).dynamic_config.kubernetes_api_enabled, false);
  nowMs += 100_000;
  assert.equal((await inCluster('10.0.0.2')).dynamic_config.kubernetes_api_enabled, true);
  assert.equal((await inCluster('10.0.0.1')).dynamic_config.kubernetes_api_enabled, false);
});

test('an agent whose policy is not to watch its cluster is not asked to, and makes room when it was', async (t) => {
  const { agent } = await serve(t);
  const client = agent();
  const reports = async (ip: string, policy: string) => {
    const fields = { ctrl_ip: ip, kubernetes_cluster_id: 'd-1', kubernetes_watch_policy: policy };
    const answer = await client.sync(changed('04-Sync-request-steady', 'SyncRequest', fields));
    return answer.dynamic_config.kubernetes_api_enabled;
  };
  assert.equal(await reports('10.0.0.1', 'KWP_WATCH_DISABLED'), false);
  assert.equal(await reports('10.0.0.2', 'KWP_NORMAL'), true);
  assert.equal(await reports('10.0.0.3', 'KWP_WATCH_ONLY'), false);
  assert.equal(await reports('10.0.0.2', 'KWP_WATCH_DISABLED'), false);
  assert.equal(await reports('10.0.0.3', 'KWP_WATCH_ONLY'), true);
});

test('Push: headers at once, silence, and a changed configuration when there is one', async (t) => {
  const { agent, control, value } = await serve(t);
  const client = agent();
  const told = await client.sync();
  const start = performance.now();
  const pushed = await client.push();
  assert.ok(performance.now() - start < 5000);
  control.setGroups([DEFAULT_GROUP]);
  assert.equal(pushed.answers.length, 0);
  const { groups } = agentsSchema.parse({ groups: [{ name: 'new', config: { a: { b: 1 } }, 'vpc-id': 9 }] });
  control.setGroups(groups);
  await eventually(() => pushed.answers.length > 0, 'a pushed answer');
  control.setGroups(groups);
  const [answer] = pushed.answers;
  assert.equal(answer?.dynamic_config.vpc_id, 9);
  assert.equal(answer.dynamic_config.agent_id, told.dynamic_config.agent_id);
  assert.match(answer.user_config, /^a:\n {2}b: 1\n/);
  assert.deepEqual(await client.sync(), answer);
  assert.equal(pushed.answers.length, 1);
  assert.equal(await value('sluice_control_pushes_total'), 1);
});

test('a Push stream opened anew replaces the former one; a cancelled one is forgotten', async (t) => {
  const { agent, control } = await serve(t);
  const client = agent();
  await client.sync();
  const first = await client.push();
  const second = await client.push();
  await eventually(() => first.ended, 'the first stream to end');
  const isOpen = async () => {
    const [route] = control.routes;
    const reply = await route?.handle({
      method: 'GET',
      path: '/api/v1/agents',
      wildcards: [],
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.alloc(0),
      org: 1,
      signal: new AbortController().signal,
    });
    const { body } = reply ?? assert.fail('no reply');
    assert.ok(typeof body === 'object' && Symbol.asyncIterator in body);
    let text = '';
    for await (const piece of body) text += Buffer.from(piece).toString();
    const { data } = JSON.parse(text) as { data: { push_open: boolean }[] };
    return data[0]?.push_open;
  };
  assert.equal(await isOpen(), true);
  second.headers.catch(() => undefined);
  second.cancel();
  await eventually(async () => (await isOpen()) === false, 'the stream to be forgotten');
});

test('RemoteExecute: headers at once, then silence while the agent says who it is', async (t) => {
  const { agent, value } = await serve(t);
  const client = agent();
  await client.sync();
  const stream = client.remoteExecute();
  const { promise, resolve } = Promise.withResolvers<void>();
  const answers: Buffer[] = [];
  stream.once('metadata', () => resolve());
  stream.on('data', (bytes: Buffer) => answers.push(bytes));
  stream.on('error', () => undefined);
  await promise;
  for (let index = 0; index < 3; index++) stream.write(recorded('13-RemoteExecute-agent-message'));
  const closed = Promise.withResolvers<void>();
  stream.once('end', () => closed.resolve());
  stream.end();
  await closed.promise;
  assert.deepEqual(answers, []);
  assert.equal(await value('sluice_control_requests_total', { method: 'RemoteExecute', outcome: 'answered' }), 1);
});

test('what is not served says so; agents of the old protocol are told and counted', async (t) => {
  const { agent, logged, value } = await serve(t);
  const client = agent();
  for (const method of ['Upgrade', 'Plugin', 'ShareGPIDLocalData', 'Unheard']) {
    await assert.rejects(client.callBytes(method, Buffer.alloc(0)), { code: 12 });
  }
  assert.equal(await value('sluice_control_requests_total', { method: 'unknown', outcome: 'unknown_method' }), 1);
  for (let index = 0; index < 3; index++) {
    await assert.rejects(
      client.callBytes('Sync', Buffer.from([1, 2, 3]), '/trident.Synchronizer/'),
      (error) =>
        error instanceof CallFailed && error.code === 12 && error.message.includes('install an agent of the 7 line'),
    );
  }
  assert.equal(await value('sluice_control_requests_total', { method: 'Sync', outcome: 'old_protocol' }), 3);
  assert.equal(await value('sluice_control_requests_total', { method: 'Upgrade', outcome: 'unimplemented' }), 1);
  assert.equal(logged.filter((line) => line.includes('an agent speaks the old protocol')).length, 1);
});

test('hostile identities and bytes are refused and counted, and the next agent is served', async (t) => {
  const { agent, value } = await serve(t, { agents: { 'max-message': '64KiB' } });
  const client = agent();
  const sync = (changes: object) => client.sync(changed('04-Sync-request-steady', 'SyncRequest', changes));
  await assert.rejects(sync({ ctrl_ip: 'x'.repeat(65) }), { code: 3 });
  await assert.rejects(sync({ ctrl_mac: 'a\nb' }), { code: 3 });
  await assert.rejects(client.callBytes('Sync', recorded('04-Sync-request-steady').subarray(0, 100)), {
    code: 3,
    message: 'cannot read the request: expected a whole message; got a torn one',
  });
  await assert.rejects(client.callBytes('Sync', Buffer.from([0x0b, 0x0b, 0x0b])), { code: 3 });
  await assert.rejects(client.callBytes('Sync', Buffer.alloc(65_537, 0x22)), {
    code: 8,
    message: 'expected a message of at most 65536 bytes (agents.max-message of the hub); got a larger one',
  });
  assert.equal(await value('sluice_control_requests_total', { method: 'Sync', outcome: 'bad_request' }), 2);
  assert.equal(await value('sluice_control_requests_total', { method: 'Sync', outcome: 'malformed' }), 2);
  assert.equal(await value('sluice_control_requests_total', { method: 'Sync', outcome: 'too_large' }), 1);
  assert.equal((await client.sync()).dynamic_config.agent_id, 1);
});
