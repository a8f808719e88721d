import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync, inflateSync } from 'node:zlib';
import { changed, messageType, recorded } from './agent-client.ts';
import { folder, serve } from './harness.ts';

function decodeVersion(bytes: Buffer): string {
  return (messageType('GenesisSyncResponse').deserialize(bytes) as { version: string }).version;
}

test('GenesisSync answers 0 until a full body is stored, also after a restart, then the version', async (t) => {
  const dataDir = folder(t);
  for (const round of ['first start', 'after a restart']) {
    const { agent, control } = await serve(t, { dataDir });
    const client = agent();
    const genesis = async (name: string) => decodeVersion(await client.callBytes('GenesisSync', recorded(name)));
    // Before its first Sync nobody knows the agent.
    assert.equal(await genesis('08-GenesisSync-request-full'), '0', round);
    assert.deepEqual(control.reports.hosts(), []);
    await client.sync();
    assert.equal(await genesis('09-GenesisSync-request-heartbeat'), '0', round);
    assert.equal(await genesis('08-GenesisSync-request-full'), '1795226551');
    assert.equal(await genesis('09-GenesisSync-request-heartbeat'), '1795226551');
    const other = changed('09-GenesisSync-request-heartbeat', 'GenesisSyncRequest', { version: '5' });
    assert.equal(decodeVersion(await client.callBytes('GenesisSync', other)), '0');
    await control.stop();
  }
});

test('what an agent reports of its host can be read', async (t) => {
  const { agent, control } = await serve(t);
  const client = agent();
  await client.sync();
  const changes: unknown[] = [];
  const stop = control.reports.onChange((change) => changes.push(change));
  await client.callBytes('GenesisSync', recorded('08-GenesisSync-request-full'));
  await client.callBytes('GenesisSync', recorded('09-GenesisSync-request-heartbeat'));
  stop();
  assert.deepEqual(changes, [{ kind: 'host', agentId: 1 }]);
  const host = control.reports.host(1);
  assert.ok(host !== undefined);
  assert.deepEqual([host.org, host.vpcId, host.hostname, host.namespaces], [1, 1, 'h1-agent-host', ['default']]);
  assert.match(host.addressTexts[0] ?? '', /inet 10\.77\.0\.1\/24/);
  assert.deepEqual(host.interfaces[0], {
    mac: 0x0277_0000_0002,
    addresses: ['10.77.0.2/32', 'fe80::77:ff:fe00:2/128'],
    name: 'hub0',
    deviceId: 'h1hub',
    deviceName: '',
    tapIndex: 2,
    namespace: 'default',
    namespaceId: 4026532250,
  });
  assert.equal(host.processes.length, 9);
  const redis = host.processes.find(({ pid }) => pid === 139);
  assert.deepEqual(
    [redis?.name, redis?.commandLine, redis?.startS, redis?.gpid],
    ['redis-server', 'redis-server 0.0.0.0:6379', 1795223861, 0],
  );
});

interface Gpids {
  readonly entries: readonly { pid_0?: number; pid_1?: number; ipv4_0?: number; port_0?: number; netns_idx?: number }[];
}

test('GPIDSync gives every process one id, kept over restarts', async (t) => {
  const dataDir = folder(t);
  const ask = async () => {
    const { agent, control } = await serve(t, { dataDir });
    const client = agent();
    await client.sync();
    await client.callBytes('GenesisSync', recorded('08-GenesisSync-request-full'));
    const bytes = await client.callBytes('GPIDSync', recorded('11-GPIDSync-request'));
    const host = control.reports.host(1);
    const other = changed('11-GPIDSync-request', 'GPIDSyncRequest', { ctrl_ip: '10.77.0.9', agent_id: 2 });
    await client.sync(changed('04-Sync-request-steady', 'SyncRequest', { ctrl_ip: '10.77.0.9' }));
    const others = messageType('GPIDSyncResponse').deserialize(await client.callBytes('GPIDSync', other)) as Gpids;
    await control.stop();
    return {
      entries: (messageType('GPIDSyncResponse').deserialize(bytes) as Gpids).entries,
      others: others.entries,
      redis: host?.processes.find(({ pid }) => pid === 139)?.gpid,
    };
  };
  const first = await ask();
  const wanted = (messageType('GPIDSyncRequest').deserialize(recorded('11-GPIDSync-request')) as Gpids).entries;
  const idOfPid = new Map<number, number>([[0, 0]]);
  assert.equal(first.entries.length, wanted.length);
  for (const [index, entry] of first.entries.entries()) {
    const asked = wanted[index];
    assert.deepEqual([entry.ipv4_0, entry.port_0, entry.netns_idx], [asked?.ipv4_0, asked?.port_0, asked?.netns_idx]);
    for (const side of ['pid_0', 'pid_1'] as const) {
      const pid = asked?.[side] ?? 0;
      const gpid = entry[side] ?? 0;
      assert.equal(idOfPid.get(pid) ?? gpid, gpid, `pid ${pid}`);
      idOfPid.set(pid, gpid);
    }
  }
  assert.equal(new Set(idOfPid.values()).size, 7);
  assert.equal(first.redis, idOfPid.get(139));
  const ids = new Set(idOfPid.values());
  assert.ok(
    first.others.every(
      ({ pid_0 = 0, pid_1 = 0 }) => (pid_0 === 0 || !ids.has(pid_0)) && (pid_1 === 0 || !ids.has(pid_1)),
    ),
  );
  assert.deepEqual((await ask()).entries, first.entries);
});

test('an empty GPIDSync, and one of an agent that nobody knows, get an empty answer', async (t) => {
  const { agent } = await serve(t);
  const client = agent();
  assert.equal((await client.callBytes('GPIDSync', recorded('11-GPIDSync-request'))).length, 0);
  await client.sync();
  assert.equal((await client.callBytes('GPIDSync', recorded('10-GPIDSync-request-empty'))).length, 0);
});

test('Query answers as a time server', async (t) => {
  const { agent } = await serve(t);
  const bytes = await agent().callBytes('Query', recorded('12-Query-request'));
  const { response } = messageType('NtpResponse').deserialize(bytes) as { response: Buffer };
  assert.equal(response.length, 48);
  assert.equal(response[0], 0x24);
  assert.equal(response.subarray(24, 32).toString('hex'), 'f9c7c29c8da952c9');
  const transmitMs = (response.readUInt32BE(40) - 2_208_988_800) * 1000 + (response.readUInt32BE(44) / 2 ** 32) * 1000;
  assert.ok(Math.abs(transmitMs - Date.now()) < 5000);
  await assert.rejects(agent().callBytes('Query', Buffer.alloc(0)), { code: 3 });
});

test('Kubernetes: a stable cluster id, and objects kept with their version', async (t) => {
  const { agent, control } = await serve(t);
  const client = agent();
  const idOf = (request: object) =>
    client.call<{ cluster_id: string; error_msg: string }>(
      'GetKubernetesClusterID',
      ['KubernetesClusterIDRequest', 'KubernetesClusterIDResponse'],
      request,
    );
  const id = await idOf({ ca_md5: 'abc', kubernetes_cluster_name: 'prod' });
  assert.match(id.cluster_id, /^d-[\da-f]{12}$/);
  assert.deepEqual(await idOf({ ca_md5: 'abc', kubernetes_cluster_name: 'prod' }), id);
  assert.notEqual((await idOf({ ca_md5: 'abd', kubernetes_cluster_name: 'prod' })).cluster_id, id.cluster_id);
  assert.notEqual(
    (await idOf({ ca_md5: 'abc', kubernetes_cluster_name: 'prod', team_id: 't' })).cluster_id,
    id.cluster_id,
  );
  assert.deepEqual(await idOf({}), {
    error_msg: 'expected ca_md5 or kubernetes_cluster_name; got neither',
    cluster_id: '',
  });

  const report = async (request: object) =>
    (
      await client.call<{ version: string }>(
        'KubernetesAPISync',
        ['KubernetesAPISyncRequest', 'KubernetesAPISyncResponse'],
        { cluster_id: id.cluster_id, agent_id: 1, ...request },
      )
    ).version;
  const pod = JSON.stringify({ metadata: { name: 'p', namespace: 'n' } });
  const entries = [
    { type: '*v1.Pod', compressed_info: deflateSync(pod) },
    { type: '*v1.Node', info: '{}' },
  ];
  assert.equal(await report({ version: '7', entries }), '0');
  await client.sync();
  assert.equal(await report({ version: '7' }), '0');
  assert.equal(await report({ version: '7', entries }), '7');
  assert.equal(await report({ version: '7' }), '7');
  assert.equal(await report({ version: '8' }), '0');
  assert.deepEqual(control.reports.clusters(), [{ org: 1, clusterId: id.cluster_id }]);
  const cluster = control.reports.cluster(1, id.cluster_id);
  assert.deepEqual(
    cluster?.objects.map(({ type, json, isCompressed }) => [
      type,
      (isCompressed ? inflateSync(json) : Buffer.from(json)).toString(),
    ]),
    [
      ['*v1.Pod', pod],
      ['*v1.Node', '{}'],
    ],
  );
  await assert.rejects(report({ cluster_id: 'x'.repeat(129), entries }), { code: 3 });
});

test('a message with too many parts is refused before it is decoded', async (t) => {
  const { agent, value } = await serve(t);
  const client = agent();
  await client.sync();
  // 300,000 empty entries: 600 kB on the wire, some 100 MB as objects.
  const hostile = Buffer.alloc(600_000);
  for (let at = 0; at < hostile.length; at += 2) hostile[at] = (10 << 3) | 2;
  await assert.rejects(client.callBytes('GPIDSync', hostile), { code: 3 });
  assert.equal(await value('sluice_control_requests_total', { method: 'GPIDSync', outcome: 'malformed' }), 1);
});
