import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import type { Pod, Resource } from '../../../../src/tags/description.ts';
import { pass, SharedTables, SharingHub } from './hubs.ts';

const open: SharingHub[] = [];
after(async () => {
  for (const hub of open) await hub.close();
});

let tables = new SharedTables();
beforeEach(() => {
  tables = new SharedTables();
});

function hubOf(name: string, mayGive = true): SharingHub {
  const hub = new SharingHub(tables, name, mayGive);
  open.push(hub);
  return hub;
}

const pod = (key: string, more: Partial<Pod> = {}): Pod => ({ kind: 'pod', key, name: key, cluster: 'k', ...more });
const network = (key: string, cidr: string): Resource => ({ kind: 'subnet', key, name: key, cidrs: [cidr] });

describe('one hub gives ids', () => {
  test('and the others use them: what all describe, and what only one of them does, with its name', async () => {
    const giver = hubOf('a');
    const follower = hubOf('b', false);
    giver.put(pod('common'));
    follower.put(pod('common'));
    follower.put(pod('own'));
    await pass(tables, [giver, follower], 60);
    assert.deepEqual([giver.shared.gives, follower.shared.gives], [true, false]);
    const common = giver.idOf('pod', 'common')!;
    const own = follower.idOf('pod', 'own')!;
    assert.ok(common > 0 && own > 0 && common !== own);
    assert.equal(follower.idOf('pod', 'common'), common);
    assert.deepEqual([giver.nameOf('pod', own), follower.nameOf('pod', own)], ['own', 'own']);
    assert.equal(await follower.metric('sluice_tag_ids_missing'), 0);
    const { giver: name = '', missing } = follower.inventory.idOrigin ?? {};
    assert.deepEqual([name, missing, giver.inventory.idOrigin?.giver], ['a', 0, 'this hub']);
  });

  test('what a resource is part of is told by the hub that describes it', async () => {
    const giver = hubOf('a');
    const follower = hubOf('b', false);
    follower.put(pod('own', { namespace: 'shop' }));
    follower.put({ kind: 'pod_ns', key: 'shop', name: 'shop', cluster: 'k' });
    await pass(tables, [giver, follower], 60);
    const id = follower.idOf('pod', 'own')!;
    const namespace = follower.idOf('pod_ns', 'shop')!;
    assert.ok(namespace > 0);
    assert.equal(tables.namespaces.get(id), namespace);
    follower.remove('pod', 'own');
    await pass(tables, [giver, follower], 60);
    assert.equal(tables.names.findLast(({ key }) => key === 'own')?.isGone, true);
    assert.equal(tables.namespaces.get(id), namespace);
  });

  test('what is gone everywhere is published so; what one still describes is not', async () => {
    const giver = hubOf('a');
    const follower = hubOf('b', false);
    for (const hub of [giver, follower]) hub.put(pod('common'));
    follower.put(pod('own'));
    await pass(tables, [giver, follower], 60);
    const isGone = (key: string) => tables.names.findLast((row) => row.key === key)?.isGone;
    assert.deepEqual([isGone('common'), isGone('own')], [false, false]);
    giver.remove('pod', 'common');
    follower.remove('pod', 'own');
    await pass(tables, [giver, follower], 60);
    assert.deepEqual([isGone('common'), isGone('own')], [false, true]);
    const id = follower.idOf('pod', 'common');
    follower.remove('pod', 'common');
    await pass(tables, [giver, follower], 60);
    assert.equal(isGone('common'), true);
    assert.equal(giver.nameOf('pod', id!), 'common');
  });

  test('a follower has its ids again after a restart without ClickHouse; what is new has none until it is back', async () => {
    const giver = hubOf('a');
    const follower = hubOf('b', false);
    follower.put(pod('own'));
    await pass(tables, [giver, follower], 60);
    const id = follower.idOf('pod', 'own');
    tables.isAway = true;
    follower.crash();
    await pass(tables, [giver, follower], 10);
    assert.equal(follower.idOf('pod', 'own'), id);
    follower.put(pod('new'));
    giver.put(pod('newer'));
    await pass(tables, [giver, follower], 60);
    assert.equal(follower.idOf('pod', 'new'), 0);
    assert.ok(giver.idOf('pod', 'newer')! > 0, 'the hub that gives ids goes on');
    assert.equal(await follower.metric('sluice_tag_ids_missing'), 1);
    assert.ok((await follower.metric('sluice_tag_ids_age_seconds')) >= 60);
    tables.isAway = false;
    await pass(tables, [giver, follower], 60);
    assert.ok(follower.idOf('pod', 'new')! > 0);
  });

  test('rows that come late get the id, too, when it becomes known later than they happened', async () => {
    const follower = hubOf('b', false);
    follower.put(pod('own', { addresses: ['10.0.0.1'] }));
    await pass(tables, [follower], 10);
    const startS = tables.nowMs / 1000 - 5;
    const giver = hubOf('a');
    await pass(tables, [giver, follower], 60);
    const { claims } = follower.inventory.live;
    claims.pod.key[0] = follower.idOf('pod', 'own')!;
    assert.notEqual(claims.pod.find(startS), 0);
  });

  test('numbers written by hand on a follower are kept where they are free, and given up where they are not', async () => {
    const giver = hubOf('a');
    const follower = hubOf('b', false);
    giver.put(pod('first'));
    follower.put(pod('free', { id: 900 }));
    await pass(tables, [giver, follower], 60);
    const first = giver.idOf('pod', 'first')!;
    assert.equal(follower.idOf('pod', 'free'), 900);
    assert.equal(giver.nameOf('pod', 900), 'free');
    follower.put(pod('taken', { id: first }));
    await pass(tables, [giver, follower], 60);
    const other = follower.idOf('pod', 'taken')!;
    assert.ok(other > 0 && other !== first);
    assert.equal(giver.nameOf('pod', other), 'taken');
  });

  test('narrow kinds: more than are reserved at a time get theirs with the next reservation', async () => {
    const giver = hubOf('a');
    for (let i = 0; i < 3000; i++) giver.put(network(`n${i}`, `10.${i >> 8}.${i & 255}.0/24`));
    await pass(tables, [giver], 90);
    const ids = new Set(Array.from({ length: 3000 }, (_, i) => giver.idOf('subnet', `n${i}`)));
    assert.equal(ids.size, 3000);
    assert.ok(!ids.has(0));
  });
});

describe('two hubs that may give ids', () => {
  test('at once: one of them does, and both have the same ids', async () => {
    const hubs = [hubOf('a'), hubOf('b')];
    for (const hub of hubs) hub.put(pod('common'));
    hubs[0]!.put(pod('of a'));
    hubs[1]!.put(pod('of b'));
    await pass(tables, hubs, 60);
    assert.equal(hubs.filter(({ shared }) => shared.gives).length, 1);
    const ids = [hubs[0]!.idOf('pod', 'common'), hubs[0]!.idOf('pod', 'of a'), hubs[1]!.idOf('pod', 'of b')];
    assert.equal(new Set(ids).size, 3);
    assert.ok(!ids.includes(0));
    assert.equal(hubs[1]!.idOf('pod', 'common'), ids[0]);
  });

  test('the second takes the place of the first when nothing is heard of it for five minutes, and goes on with its ids', async () => {
    const first = hubOf('b');
    first.put(pod('old'));
    await pass(tables, [first], 60);
    const old = first.idOf('pod', 'old')!;
    const second = hubOf('a');
    second.put(pod('old'));
    second.put(pod('new'));
    await pass(tables, [second], 240);
    assert.equal(second.shared.gives, false);
    assert.deepEqual([second.idOf('pod', 'old'), second.idOf('pod', 'new')], [old, 0]);
    await pass(tables, [second], 120);
    assert.equal(second.shared.gives, true);
    assert.equal(second.idOf('pod', 'old'), old);
    const fresh = second.idOf('pod', 'new')!;
    assert.ok(fresh > old);
    // The first comes back: it had given an id that it could not publish.
    first.put(pod('unpublished'));
    await pass(tables, [first, second], 120);
    assert.equal(first.shared.gives, false);
    assert.equal(second.shared.gives, true);
    const kept = first.idOf('pod', 'unpublished')!;
    assert.ok(kept > 0 && kept !== fresh && kept !== old);
    assert.equal(second.nameOf('pod', kept), 'unpublished');
  });

  test('what one gave out while nobody heard of it, the one in its place gives to nothing else', async () => {
    const first = hubOf('a');
    const second = hubOf('b');
    first.put(pod('old'));
    await pass(tables, [first, second], 60);
    first.isCut = true;
    first.put(pod('unpublished'));
    await first.work();
    const unpublished = first.idOf('pod', 'unpublished')!;
    assert.ok(unpublished > 0);
    await pass(tables, [first, second], 400);
    second.put(pod('new'));
    await pass(tables, [first, second], 10);
    const fresh = second.idOf('pod', 'new')!;
    assert.ok(fresh > 0 && fresh !== unpublished);
    first.isCut = false;
    await pass(tables, [first, second], 120);
    assert.deepEqual([first.shared.gives, second.shared.gives], [false, true]);
    assert.equal(first.idOf('pod', 'unpublished'), unpublished);
    assert.equal(second.nameOf('pod', unpublished), 'unpublished');
  });

  test('the second starts again before the first is back: what both gave a number has one', async () => {
    const [first, second] = await bothGive();
    second.crash();
    await pass(tables, [first, second], 6);
    assert.equal(second.shared.gives, true, 'it goes on at once');
    first.isCut = false;
    await pass(tables, [first, second], 120);
    assert.deepEqual([first.shared.gives, second.shared.gives], [false, true]);
    assert.equal(first.idOf('pod', 'common'), second.idOf('pod', 'common'));
  });

  test('the second gives none any more when the first is back, which has not heard of it: what it published does not stay', async () => {
    const [first, second] = await bothGive();
    second.mayGive = false;
    second.crash();
    await pass(tables, [first, second], 6);
    first.isCut = false;
    first.put(pod('common', { name: 'later' }));
    await pass(tables, [first, second], 120);
    assert.deepEqual([first.shared.gives, second.shared.gives], [true, false]);
    const id = first.idOf('pod', 'common')!;
    assert.equal(second.idOf('pod', 'common'), id);
    assert.equal(second.nameOf('pod', id), 'later');
  });

  test('terms do not begin anew when the hub that gave ids gives none any more', async () => {
    const [first, second] = await bothGive();
    first.isCut = false;
    await pass(tables, [first, second], 60);
    const { term } = second.shared;
    const before = tables.names.length;
    second.mayGive = false;
    second.crash();
    await pass(tables, [first, second], 60);
    assert.deepEqual([first.shared.gives, second.shared.gives], [true, false]);
    const said = tables.names.slice(before);
    assert.ok(said.length > 0 && said.every((row) => row.term > term));
  });

  test('both give with the same term, and one steps back before the other has seen it: what it published does not stay', async () => {
    const [first, second] = [hubOf('a'), hubOf('b')];
    await first.work();
    // The second applies as well, and gives, before it could see the application of the first.
    for (let looks = 0; !second.shared.gives && looks < 20; looks++) {
      tables.nowMs += 2000;
      second.load();
      await second.work();
    }
    second.isCut = true;
    first.put(pod('common'));
    await pass(tables, [first], 20);
    assert.deepEqual([first.shared.gives, first.shared.term], [true, second.shared.term]);
    second.put(pod('common'));
    await second.work();
    assert.notEqual(first.idOf('pod', 'common'), second.idOf('pod', 'common'));
    second.isCut = false;
    tables.nowMs += 2000;
    await second.work();
    second.load();
    tables.merge();
    await pass(tables, [first, second], 60);
    assert.deepEqual([first.shared.gives, second.shared.gives], [true, false]);
    assert.equal(first.idOf('pod', 'common'), second.idOf('pod', 'common'));
  });

  test('what the first could not number gets the number that the second gave it meanwhile', async () => {
    const [first, second] = [hubOf('a'), hubOf('b')];
    await pass(tables, [first, second], 60);
    // It has given nothing yet, so it reserves anew, and is cut off before it has read that back.
    first.crash();
    await first.work();
    first.isCut = true;
    for (const hub of [first, second]) hub.put(pod('common'));
    await pass(tables, [first, second], 400, 10);
    assert.deepEqual([first.shared.gives, first.idOf('pod', 'common')], [true, 0]);
    first.isCut = false;
    await pass(tables, [first, second], 60);
    const id = second.idOf('pod', 'common')!;
    assert.ok(id > 0);
    assert.equal(first.idOf('pod', 'common'), id);
  });

  test('a short absence of ClickHouse, or of the hub that gives ids, changes nothing', async () => {
    const first = hubOf('b');
    const second = hubOf('a');
    await pass(tables, [first], 60);
    await pass(tables, [first, second], 60);
    tables.isAway = true;
    await pass(tables, [first, second], 1200, 10);
    tables.isAway = false;
    await pass(tables, [first, second], 60);
    assert.deepEqual([first.shared.gives, second.shared.gives], [true, false]);
    first.crash();
    await pass(tables, [second], 120);
    await pass(tables, [first, second], 60);
    assert.deepEqual([first.shared.gives, second.shared.gives], [true, false]);
  });
});

/** The second has taken the place of the first, which does not know; each has given one of its own numbers to what both describe. */
async function bothGive(): Promise<readonly [SharingHub, SharingHub]> {
  const hubs = [hubOf('a'), hubOf('b')] as const;
  await pass(tables, hubs, 60);
  hubs[0].isCut = true;
  for (const hub of hubs) hub.put(pod('common'));
  await pass(tables, hubs, 400, 10);
  assert.ok(hubs.every(({ shared }) => shared.gives));
  assert.notEqual(hubs[0].idOf('pod', 'common'), hubs[1].idOf('pod', 'common'));
  return hubs;
}
