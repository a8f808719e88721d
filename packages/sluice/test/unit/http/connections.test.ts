import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Connections } from '../../../src/http/connections.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

function setUp(limit: number) {
  const refused: string[] = [];
  const clock = { now: 0 };
  const connections = new Connections({
    limit,
    metrics: createMetrics(),
    refuse: (reason) => refused.push(reason),
    now: () => clock.now,
  });
  const open = () => {
    const socket = new Socket();
    return { socket, connection: connections.open(socket, 'http') };
  };
  return { connections, refused, clock, open };
}

test('over the limit the oldest connection without a request gives way', () => {
  const { connections, refused, clock, open } = setUp(2);
  const [first, second] = [open(), open()];
  clock.now = 5000;
  const third = open();
  assert.equal(first.socket.destroyed, true);
  assert.equal(second.socket.destroyed, false);
  assert.ok(third.connection);
  assert.deepEqual([connections.size, refused], [2, ['idle']]);
});

test('then the one that has been idle for longest', () => {
  const { clock, open } = setUp(2);
  const [first, second] = [open(), open()];
  first.connection?.enter(() => undefined);
  second.connection?.enter(() => undefined);
  second.connection?.leave();
  first.connection?.leave();
  clock.now = 5000;
  open();
  assert.deepEqual([first.socket.destroyed, second.socket.destroyed], [false, true]);
});

test('without an idle one the new connection is refused', () => {
  const { refused, open } = setUp(2);
  const young = open();
  const busy = open();
  busy.connection?.enter(() => undefined);
  const late = open();
  assert.equal(late.connection, undefined);
  assert.equal(late.socket.destroyed, true);
  assert.deepEqual([young.socket.destroyed, busy.socket.destroyed], [false, false], 'a young one is about to ask');
  assert.deepEqual(refused, ['connections']);
});

test('requests of one connection run one after the other', () => {
  const { open } = setUp(1);
  const { connection } = open();
  const order: number[] = [];
  for (const i of [1, 2, 3]) connection?.enter(() => order.push(i));
  assert.deepEqual(order, [1]);
  connection?.leave();
  assert.deepEqual(order, [1, 2]);
  connection?.leave();
  connection?.leave();
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal(connection?.isBusy, false);
});

test('too many requests sent ahead end the connection', () => {
  const { refused, open } = setUp(1);
  const { connection, socket } = open();
  let started = 0;
  for (let i = 0; i < 70 && !socket.destroyed; i++) connection?.enter(() => started++);
  assert.equal(socket.destroyed, true);
  assert.equal(started, 1);
  assert.deepEqual(refused, ['pipelined']);
});

test('after close only busy connections stay, until they are done', async () => {
  const { connections, open } = setUp(3);
  const [idle, busy] = [open(), open()];
  busy.connection?.enter(() => undefined);
  connections.close();
  assert.deepEqual([idle.socket.destroyed, busy.socket.destroyed], [true, false]);
  busy.connection?.leave();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(busy.socket.destroyed, true);
  assert.equal(open().connection, undefined);
});
