import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadProtocol } from '../../../src/control/protocol.ts';
import { REPORT_LIMITS, Reported } from '../../../src/control/reported.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const protocol = loadProtocol();
const LIMITS = { ...REPORT_LIMITS, bytesPerHost: 200, bytesOfHosts: 300, bytesPerCluster: 200, clusters: 2 };

function open() {
  const metrics = createMetrics();
  const reported = new Reported({
    decodeGenesis: (bytes) => protocol.decode('GenesisSyncRequest', bytes),
    decodeKubernetes: (bytes) => protocol.decode('KubernetesAPISyncRequest', bytes),
    gpidOf: (agentId, pid) => agentId * 1000 + pid,
    metrics,
    log: createLog({ level: 'silent' }),
    limits: LIMITS,
  });
  const genesis = (agentId: number, message: object) => {
    const bytes = protocol.encode('GenesisSyncRequest' as never, message);
    return reported.takeGenesis({ agentId, org: 1, vpcId: 1 }, protocol.decode('GenesisSyncRequest', bytes), bytes);
  };
  const kubernetes = (message: object) => {
    const bytes = protocol.encode('KubernetesAPISyncRequest' as never, message);
    const decoded = protocol.decode('KubernetesAPISyncRequest', bytes);
    return reported.takeKubernetes({ agentId: 1, org: 1, vpcId: 1 }, decoded, bytes);
  };
  const dropped = async (kind: string) =>
    (await metrics.controlReportsDropped.get()).values.find(({ labels }) => labels.kind === kind)?.value ?? 0;
  return { reported, genesis, kubernetes, dropped };
}

test('interfaces and processes may come in messages of their own', () => {
  const { reported, genesis } = open();
  genesis(1, { version: 1, platform_data: { raw_hostname: 'h' } });
  genesis(1, { version: 2, process_data: { process_entries: [{ pid: 5, name: 'p' }] } });
  const host = reported.host(1);
  assert.equal(host?.hostname, 'h');
  assert.deepEqual(
    host?.processes.map(({ pid, gpid, name }) => [pid, gpid, name]),
    [[5, 1005, 'p']],
  );
});

test('a report beyond the limits is counted, not kept, and not asked for again', async () => {
  const { reported, genesis, dropped } = open();
  const large = { platform_data: { raw_ip_addrs: ['x'.repeat(250)] } };
  const middling = { platform_data: { raw_ip_addrs: ['x'.repeat(150)] } };
  assert.equal(genesis(1, { version: 1, ...large }), '1');
  assert.equal(await dropped('host'), 1);
  assert.deepEqual(reported.host(1)?.addressTexts, []);
  assert.equal(genesis(1, { version: 1 }), '1');
  // Together: the second of two middling ones is too much, until the first is gone.
  genesis(2, { version: 1, ...middling });
  genesis(3, { version: 1, ...middling });
  assert.equal(await dropped('host'), 2);
  genesis(2, { version: 2, platform_data: {}, process_data: {} });
  genesis(3, { version: 2, ...middling });
  assert.equal(await dropped('host'), 2);
  assert.equal(reported.host(3)?.addressTexts.length, 1);
});

test('clusters are bounded in number and bytes', async () => {
  const { reported, kubernetes, dropped } = open();
  const entries = [{ type: '*v1.Pod', info: '{}' }];
  assert.equal(kubernetes({ cluster_id: 'a', version: 1, entries }), '1');
  assert.equal(kubernetes({ cluster_id: 'b', version: 1, entries: [{ info: 'x'.repeat(300) }] }), '1');
  assert.equal(await dropped('cluster'), 1);
  assert.equal(kubernetes({ cluster_id: 'c', version: 1, entries }), '1');
  assert.equal(await dropped('cluster'), 2);
  assert.deepEqual(
    reported.clusters().map(({ clusterId }) => clusterId),
    ['a', 'b'],
  );
  assert.deepEqual(reported.cluster(1, 'b')?.objects, []);
  assert.equal(reported.cluster(2, 'a'), undefined);
});

test('a host whose processes got their ids is told again', () => {
  const { reported, genesis } = open();
  const told: unknown[] = [];
  genesis(1, { version: 1, platform_data: { raw_hostname: 'h' } });
  reported.onChange((change) => told.push(change));
  reported.noteIds(2);
  reported.noteIds(1);
  assert.deepEqual(told, [{ kind: 'host', agentId: 1 }]);
});
