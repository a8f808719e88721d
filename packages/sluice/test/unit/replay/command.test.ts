import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { parseReplay, runReplay } from '../../../src/replay/command.ts';
import { encodeFrame, readFrames } from '../../../src/replay/frames.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-replay-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'two.bin');
const document = (seconds: number, agent: number) => {
  const time = Buffer.alloc(6);
  time[0] = 0x08;
  for (let at = 1, rest = seconds; at < 6; at++, rest = Math.floor(rest / 128))
    time[at] = (rest % 128) | (at < 5 ? 128 : 0);
  return Buffer.concat([time, Buffer.from([0x12, 4, 0x0a, 2, 0x70, agent])]);
};
const one = encodeFrame({
  type: 3,
  encoder: 0,
  org: 2,
  team: 3,
  agent: 9,
  records: [document(1_700_000_000, 9), document(1_700_000_060, 9)],
});
const two = encodeFrame({
  type: 18,
  encoder: 0,
  org: 2,
  team: 3,
  agent: 9,
  records: [Buffer.from('2023-11-14T22:13:20Z x')],
});
writeFileSync(file, Buffer.concat([one, two]));

/** Takes everything; what came on each connection, when all have ended. */
async function receiver(t: TestContext) {
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => received.push(Buffer.concat(chunks)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { received, port: (server.address() as AddressInfo).port };
}

async function run(t: TestContext, ...args: string[]) {
  const { received, port } = await receiver(t);
  let output = '';
  const isSent = await runReplay(parseReplay([file, '--to', `127.0.0.1:${port}`, ...args]), (text) => (output += text));
  const path = join(folder, 'received.bin');
  const frames = received.map((bytes) => {
    writeFileSync(path, bytes);
    return readFrames([path]);
  });
  return { isSent, output, received, frames };
}

const byAgent = (left: number[][], right: number[][]) => (left[0]?.[2] ?? 0) - (right[0]?.[2] ?? 0);

describe('sending', () => {
  test('as recorded, byte for byte, and says how much', async (t) => {
    const { isSent, received, output } = await run(t);
    assert.ok(isSent);
    assert.deepEqual(received, [Buffer.concat([one, two])]);
    assert.match(output, /^METRICS +1 +2 +\d+$/m);
    assert.match(output, /^AGENT_LOG +1 +1 +\d+$/m);
    assert.match(output, new RegExp(`^total +2 +3 +${one.length + two.length}$`, 'm'));
  });

  test('several times', async (t) => {
    const { received } = await run(t, '--repeat', '3');
    assert.deepEqual(received, [Buffer.concat([one, two, one, two, one, two])]);
  });

  test('as several agents, each on its own connection', async (t) => {
    const { frames } = await run(t, '--agents', '3', '--org', '1');
    assert.deepEqual(
      frames.map((list) => list.map(({ org, team, agent, type }) => [org, team, agent, type])).toSorted(byAgent),
      [1, 2, 3].map((agent) => [
        [1, 3, agent, 3],
        [1, 3, agent, 18],
      ]),
    );
    for (const list of frames) {
      for (const record of list[0]?.records ?? []) assert.equal(record.at(-1), list[0]?.agent);
    }
  });

  test('of several agents on fewer connections, and on more', async (t) => {
    const fewer = await run(t, '--agents', '5', '--connections', '2');
    assert.deepEqual(
      fewer.frames.map((list) => list.length).toSorted((left, right) => left - right),
      [4, 6],
    );
    const more = await run(t, '--agents', '2', '--connections', '4');
    assert.deepEqual(more.frames.map((list) => list.map(({ agent, type }) => [agent, type]).join()).toSorted(), [
      '1,18',
      '1,3',
      '2,18',
      '2,3',
    ]);
  });

  test('shifted to now, by whole minutes', async (t) => {
    const { frames } = await run(t, '--now');
    const [metrics] = frames[0] ?? [];
    const seconds = (record: Uint8Array) => [5, 4, 3, 2, 1].reduce((sum, at) => sum * 128 + (record[at]! & 127), 0);
    const [first, second] = (metrics?.records ?? []).map((record) => seconds(record));
    assert.equal(second! - first!, 60);
    assert.equal((first! - 1_700_000_000) % 60, 0);
    assert.ok(Date.now() / 1000 - second! < 61 && Date.now() / 1000 >= second!, `${second}`);
  });

  test('at a rate', async (t) => {
    const began = performance.now();
    await run(t, '--repeat', '10', '--rate', '60');
    const tookMs = performance.now() - began;
    assert.ok(tookMs > 350 && tookMs < 5000, `${tookMs} ms for 30 records at 60 a second`);
  });

  test('nobody listens', async () => {
    let output = '';
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    assert.equal(await runReplay(parseReplay([file, '--to', `127.0.0.1:${port}`]), (text) => (output += text)), false);
    assert.match(
      output,
      /^not everything was sent: cannot connect to 127\.0\.0\.1:\d+: nothing listens there \(ECONNREFUSED\); start the hub, /m,
    );
  });

  test('the receiver hangs up', async (t) => {
    const server = createServer((socket) => socket.resetAndDestroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    let output = '';
    const to = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.equal(
      await runReplay(parseReplay([file, '--to', to, '--repeat', '100000']), (text) => (output += text)),
      false,
    );
    assert.match(output, /^not everything was sent: .*sluice_agent_connections_\* say why$/m);
  });
});

describe('arguments', () => {
  const broken = join(folder, 'broken.bin');
  writeFileSync(broken, one.subarray(0, 30));
  const torn = join(folder, 'torn.bin');
  const overrun = Buffer.from(one);
  overrun[19] = 255;
  writeFileSync(torn, overrun);
  const [text, empty, tail, bare] = [
    join(folder, 'a.txt'),
    join(folder, 'empty.bin'),
    join(folder, 't.bin'),
    join(folder, 'bare'),
  ];
  writeFileSync(text, 'test text\n');
  writeFileSync(empty, '');
  writeFileSync(tail, Buffer.concat([one, Buffer.alloc(3)]));
  mkdirSync(bare);
  for (const [args, message] of [
    [[], /got no file/],
    [[file], /got no --to/],
    [[file, '--to', 'nowhere'], /expected --to HOST:PORT; got nowhere/],
    [[file, '--to', 'a:0'], /expected --to HOST:PORT; got a:0/],
    [[file, '--to', 'a:1', '--rate', '0'], /expected --rate with a whole number from 1; got 0/],
    [[file, '--to', 'a:1', '--agents', '70000'], /expected --agents with a whole number from 1 to 65535; got 70000/],
    [
      [file, '--to', 'a:1', '--agents', '2', '--first-agent', '65535'],
      /expected agents up to 65535; got 65535 to 65536/,
    ],
    [[file, '--to', 'a:1', '--nwo'], /--nwo/],
    [[join(folder, 'absent'), '--to', 'a:1'], /^cannot replay .*absent: there is no such file or folder; give /],
    [[broken, '--to', 'a:1'], /which begins with its size .*; got a size of \d+, but 30 bytes are left; give files/],
    [
      [text, '--to', 'a:1'],
      /which begins with its size .*; got a size of 1952805748, but 10 bytes are left; give files/,
    ],
    [[empty, '--to', 'a:1'], /^cannot replay .*empty\.bin: expected frames of an agent; the file is empty/],
    [[tail, '--to', 'a:1'], /expected a whole frame at byte \d+; got 3 bytes; record it again/],
    [[bare, '--to', 'a:1'], /^cannot replay .*bare: expected \.bin files with frames; got none/],
    [
      [torn, '--to', 'a:1'],
      /frame at byte 0 cannot be taken apart: a record is longer than its frame; record it again/,
    ],
  ] as const) {
    test(args.join(' ').replaceAll(folder, '') || 'none', () => assert.throws(() => parseReplay(args), { message }));
  }
});
