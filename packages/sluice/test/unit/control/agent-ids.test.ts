import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AgentIds, MAX_AGENTS } from '../../../src/control/agent-ids.ts';
import { StateWriter } from '../../../src/control/state-writer.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-agent-ids-'));
after(() => rmSync(root, { recursive: true }));
const log = createLog({ level: 'silent' });
const TENANT = { org: 1, team: 1 };
const DAY_S = 86_400;
let folders = 0;

function folder(): string {
  const path = join(root, String(folders++));
  mkdirSync(path);
  return path;
}

function identity(number: number) {
  return { ctrlIp: `10.0.0.${number}`, ctrlMac: '02:00:00:00:00:01', teamId: '' };
}

test('a registration is on the disk when it is answered', async () => {
  const dir = folder();
  const ids = await AgentIds.open(dir, log);
  const one = await ids.register(identity(1), { org: 3, team: 4 }, 1000);
  // No stop, no save: the process dies here.
  const again = await AgentIds.open(dir, log);
  assert.deepEqual(again.byId(1), one);
  assert.deepEqual(again.find(identity(1))?.tenant, { org: 3, team: 4 });
  assert.equal((await again.register(identity(2), TENANT, 1001))?.id, 2);
});

test('the same agent twice at once is one agent', async () => {
  const ids = await AgentIds.open(folder(), log);
  const both = await Promise.all([ids.register(identity(1), TENANT, 1), ids.register(identity(1), TENANT, 1)]);
  assert.equal(both[0], both[1]);
  assert.equal(ids.size, 1);
});

test('an id that cannot be written is not given out', async () => {
  const dir = folder();
  const ids = await AgentIds.open(dir, log);
  writeFileSync(join(dir, 'state'), 'in the way');
  await assert.rejects(ids.register(identity(1), TENANT, 1), { code: 'data_dir_unusable' });
  assert.equal(ids.size, 0);
  rmSync(join(dir, 'state'));
  assert.equal((await ids.register(identity(1), TENANT, 1))?.id, 1);
});

test('what is noted is kept by save: last seen, organisation, the reporting agent of a cluster', async () => {
  const dir = folder();
  const ids = await AgentIds.open(dir, log);
  const agent = await ids.register(identity(1), TENANT, 1000);
  assert.ok(agent !== undefined);
  ids.seen(agent, { org: 2, team: 9 }, 2000);
  ids.setWatcher('1 d-1', 1);
  await ids.save();
  const again = await AgentIds.open(dir, log);
  assert.deepEqual(again.byId(1), {
    id: 1,
    identity: identity(1),
    tenant: { org: 2, team: 9 },
    firstSeenS: 1000,
    lastSeenS: 2000,
  });
  assert.equal(again.watcher('1 d-1'), 1);
});

test('when all ids are taken, the one that is gone longest is given again, after a month', async () => {
  const dir = folder();
  const agents = Array.from({ length: MAX_AGENTS }, (_, index) => [
    index + 1,
    `a${index}`,
    '',
    '',
    1,
    1,
    0,
    index === 77 ? 5 : 1000,
  ]);
  await new StateWriter(join(dir, 'state', 'agents.json'), () => ({ version: 1, agents, watchers: [] })).save();
  const ids = await AgentIds.open(dir, log);
  assert.equal(ids.size, MAX_AGENTS);
  assert.equal(await ids.register(identity(1), TENANT, 5 + 29 * DAY_S), undefined);
  assert.equal((await ids.register(identity(1), TENANT, 5 + 30 * DAY_S))?.id, 78);
  assert.equal(ids.find({ ctrlIp: 'a77', ctrlMac: '', teamId: '' }), undefined);
  assert.equal(ids.size, MAX_AGENTS);
});
