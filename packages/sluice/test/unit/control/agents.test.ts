import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AgentIds } from '../../../src/control/agent-ids.ts';
import { createAgentsApi, listAgents } from '../../../src/control/agents-api.ts';
import { Agents, type LiveAgent } from '../../../src/control/agents.ts';
import { agentsSchema } from '../../../src/control/config.ts';
import { createFindGroup } from '../../../src/control/groups.ts';
import { knownAgents } from '../../../src/control/known-agents.ts';
import { PushStreams } from '../../../src/control/push-streams.ts';
import { Traffic } from '../../../src/control/traffic.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-agents-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;

async function open(config: object = {}) {
  const clock = { nowMs: 1_700_000_000_000 };
  const now = () => clock.nowMs;
  const logged: string[] = [];
  const log = createLog({ destination: { write: (line) => void logged.push(line) } });
  const ids = await AgentIds.open(join(root, String(folders++)), log);
  const { groups } = agentsSchema.parse(config);
  const agents = new Agents({ ids, findGroup: createFindGroup(groups), defaultOrg: 1, log, now });
  const traffic = new Traffic(now);
  return { clock, ids, agents, traffic, logged, api: { ids, agents, pushes: new PushStreams(), traffic, now } };
}

function addressesOf({ double }: LiveAgent): readonly string[] | undefined {
  return double?.addresses;
}

const ENDS = { local: '192.0.2.1', remote: '10.0.0.1' };
const REQUEST = {
  ctrl_ip: '10.0.0.1',
  ctrl_mac: '02:00:00:00:00:01',
  host: 'h',
  host_ips: [],
  boot_time: 1000,
  state: 2,
};

test('what is wrong stays in the list after the agent no longer says it', async () => {
  const { agents, clock, api } = await open();
  await agents.noteSync({ ...REQUEST, exception: '256', exception_description: 'global: invalid type' }, ENDS);
  clock.nowMs += 10_000;
  await agents.noteSync({ ...REQUEST, exception: '0' }, ENDS);
  const [listed] = listAgents(api, 1);
  assert.deepEqual(listed?.exceptions, ['invalid configuration']);
  assert.equal(listed?.exception_description, 'global: invalid type');
  assert.equal(listed?.exceptions_at, '2023-11-14T22:13:20.000Z');
  assert.equal(listed?.last_seen, '2023-11-14T22:13:30.000Z');
});

test('online while heard from; offline ones and those of before a restart stay in the list', async () => {
  const { agents, clock, ids, api } = await open();
  await agents.noteSync(REQUEST, ENDS);
  await ids.register({ ctrlIp: '10.0.0.2', ctrlMac: '', teamId: '' }, { org: 1, team: 1 }, 1_600_000_000);
  assert.deepEqual(
    listAgents(api, 1).map(({ state }) => state),
    ['online', 'offline'],
  );
  clock.nowMs += 119_000;
  agents.noteContact({ ip: '10.0.0.1', mac: '02:00:00:00:00:01', team_id: '' }, undefined);
  clock.nowMs += 119_000;
  assert.equal(listAgents(api, 1)[0]?.state, 'online');
  clock.nowMs += 2000;
  const [first, second] = listAgents(api, 1);
  assert.equal(first?.state, 'offline');
  assert.equal(second?.last_seen, '2020-09-13T12:26:40.000Z');
  assert.equal(second?.host, undefined);
});

test('data of agents that never registered is listed, each in its organisation', async () => {
  const { agents, traffic, api } = await open();
  await agents.noteSync(REQUEST, ENDS);
  traffic.noteData(1, 1, 10, 100, '10.0.0.1');
  traffic.noteData(1, 500, 20, 200, '10.0.0.7');
  traffic.noteData(2, 1, 30, 300, '10.0.0.8');
  assert.deepEqual(
    listAgents(api, 1).map(({ id, state, data }) => [id, state, data?.rows]),
    [
      [1, 'online', 10],
      [500, 'data only', 20],
    ],
  );
  assert.deepEqual(
    listAgents(api, 2).map(({ id, state }) => [id, state]),
    [[1, 'data only']],
  );
});

test('two hosts with one identity take turns: noted; a host that moved: not', async () => {
  const { agents, clock, logged } = await open();
  const other = { ...REQUEST, boot_time: 2000 };
  const moved = { ...ENDS, remote: '10.0.0.99' };
  await agents.noteSync(REQUEST, ENDS);
  const agent = await agents.noteSync(other, moved);
  clock.nowMs += 10_000;
  await agents.noteSync(other, moved);
  assert.equal(addressesOf(agent), undefined);
  await agents.noteSync(REQUEST, ENDS);
  assert.deepEqual(addressesOf(agent), ['10.0.0.99', '10.0.0.1']);
  assert.equal(logged.filter((line) => line.includes('two hosts')).length, 1);
});

test('an agent that changes its group changes its organisation, and keeps its id', async () => {
  const { agents, ids } = await open();
  const agent = await agents.noteSync(REQUEST, ENDS);
  const { groups } = agentsSchema.parse({ groups: [{ name: 'b', match: { host: 'h' }, org: 3, team: 2 }] });
  agents.setGroups(createFindGroup(groups));
  assert.equal(agent.group.name, 'b');
  assert.deepEqual(ids.byId(agent.known.id)?.tenant, { org: 3, team: 2 });
});

test('the list is sent in pieces and is whole', async () => {
  const { traffic, api } = await open();
  for (let agent = 1; agent <= 450; agent++) traffic.noteData(1, agent, 1, 1, 'x');
  const reply = await createAgentsApi(api)[0]?.handle({
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
  const pieces: string[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece).toString());
  assert.equal(pieces.length, 3);
  const { status, data } = JSON.parse(pieces.join('')) as { status: string; data: { id: number }[] };
  assert.equal(status, 'success');
  assert.deepEqual(
    data.map(({ id }) => id),
    Array.from({ length: 450 }, (_, index) => index + 1),
  );
});

test('what the tag inventory is told of agents', async () => {
  const { agents, clock } = await open({ groups: [{ name: 'g', match: { host: ['h'] }, 'vpc-id': 7 }] });
  await agents.noteSync({ ...REQUEST, kubernetes_cluster_id: 'd-1', kubernetes_cluster_name: 'shop' }, ENDS);
  await agents.noteSync({ ...REQUEST, host: '', ctrl_ip: '10.0.0.2' }, ENDS);
  const [first, second] = knownAgents(agents).list();
  assert.deepEqual(first, {
    agentId: first?.agentId,
    org: 1,
    vpcId: 7,
    name: 'h',
    address: '10.0.0.1',
    kubernetesClusterId: 'd-1',
    kubernetesClusterName: 'shop',
    seenMs: clock.nowMs,
  });
  assert.deepEqual([second?.name, second?.vpcId], ['10.0.0.2', 1]);
});
