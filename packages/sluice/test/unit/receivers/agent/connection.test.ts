import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { AgentConnection } from '../../../../src/receivers/agent/connection.ts';
import { FrameMemory } from '../../../../src/receivers/agent/frame-memory.ts';
import { frame, makeIntake, type IntakeOptions } from './intake-parts.ts';

/** As much of a socket as a connection uses. Like a real one it gives nothing while it is paused. */
class FakeSocket extends EventEmitter {
  isPaused = false;
  destroyed = false;
  wasReset = false;
  readonly #waiting: Buffer[] = [];

  give(bytes: Uint8Array): void {
    // Sockets reuse nothing, but what is kept must not be a view of what a sender still changes.
    const chunk = Buffer.from(bytes);
    if (this.isPaused) this.#waiting.push(chunk);
    else this.emit('data', chunk);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (!this.isPaused) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) return;
      this.emit('data', chunk);
    }
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }

  resetAndDestroy(): void {
    this.wasReset = true;
    this.destroy();
  }
}

const LIMIT = 1024 * 1024;

function open(options: IntakeOptions & { memory?: FrameMemory } = {}) {
  const parts = makeIntake(options);
  const memory = options.memory ?? new FrameMemory({ limit: 16 * LIMIT, frameBytes: LIMIT });
  const socket = new FakeSocket();
  const closed: [reason: string, lostBytes: number][] = [];
  const connection = new AgentConnection({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has what is used
    socket: socket as unknown as Socket,
    address: '10.0.0.1',
    intake: parts.intake,
    memory,
    gate: parts.gate,
    frameBytes: LIMIT,
    onClosed: (_, reason, lostBytes) => closed.push([reason, lostBytes]),
  });
  const texts = () => parts.noted.map(({ type, text }) => `${type} ${text}`);
  return { ...parts, memory, socket, closed, connection, texts };
}

const three = Buffer.concat([
  frame({ type: 3, records: ['first', 'second'] }),
  frame({ type: 1, records: ['a log line'] }),
  frame({ type: 5, encoder: 3, records: ['compressed', 'twice'] }),
]);
const threeTexts = ['3 first', '3 second', '1 a log line', '5 compressed', '5 twice'];

describe('frames in pieces', () => {
  test('cut in two at every position', () => {
    for (let cut = 0; cut <= three.length; cut++) {
      const { socket, texts, memory, closed } = open();
      socket.give(three.subarray(0, cut));
      socket.give(three.subarray(cut));
      assert.deepEqual(texts(), threeTexts, `cut at ${cut}`);
      assert.equal(memory.used, 0, `cut at ${cut}`);
      socket.destroy();
      assert.deepEqual(closed, [['end', 0]], `cut at ${cut}`);
    }
  });

  test('byte by byte', () => {
    const { socket, texts, memory } = open();
    for (const byte of three) socket.give(Buffer.from([byte]));
    assert.deepEqual(texts(), threeTexts);
    assert.equal(memory.used, 0);
  });

  test('in any pieces, of frames of any size', () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 50 });
    const sizes = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pieces, sizes, (cuts, lengths) => {
        const { socket, texts, memory } = open();
        const bytes = Buffer.concat(
          lengths.map((length, index) => frame({ records: ['x'.repeat(length), String(index)] })),
        );
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const length = cuts[turn % cuts.length]!;
          socket.give(bytes.subarray(at, at + length));
          at += length;
        }
        assert.deepEqual(
          texts(),
          lengths.flatMap((length, index) => [`3 ${'x'.repeat(length)}`, `3 ${index}`]),
        );
        assert.equal(memory.used, 0);
      }),
      { numRuns: 200 },
    );
  });

  test('memory grows with what has come, not with what is promised', () => {
    const { socket, memory } = open();
    const bytes = frame({ records: ['x'.repeat(LIMIT - 100)] });
    socket.give(bytes.subarray(0, 3));
    assert.ok(memory.used <= 4096, `${memory.used} bytes for 3`);
    socket.give(bytes.subarray(3, 100));
    assert.ok(memory.used <= 4096, `${memory.used} bytes for 100`);
    socket.give(bytes.subarray(100, 60_000));
    assert.ok(memory.used <= 240_000, `${memory.used} bytes for 60000`);
    socket.destroy();
    assert.equal(memory.used, 0);
  });

  test('a frame in one piece takes none', () => {
    const used: number[] = [];
    const memory = new FrameMemory({ limit: 16 * LIMIT, frameBytes: LIMIT, onChange: (bytes) => used.push(bytes) });
    const { socket, texts } = open({ memory });
    socket.give(three);
    assert.deepEqual(texts(), threeTexts);
    assert.deepEqual(used, []);
  });
});

describe('what ends a connection', () => {
  const good = frame({ records: ['good'] });
  const bad = (size: number, type: number) => {
    const bytes = Buffer.alloc(40);
    bytes.writeUInt32BE(size);
    bytes[4] = type;
    return bytes;
  };
  for (const [name, bytes, reason] of [
    ['a type that there is not', bad(40, 22), 'unknown_type'],
    ['a frame shorter than its header', bad(18, 3), 'bad_size'],
    ['a SYSLOG shorter than its header', bad(4, 1), 'bad_size'],
    ['a frame that is too large', bad(LIMIT + 20, 3), 'too_large'],
  ] as const) {
    test(`${name}; what came before is kept`, () => {
      const { socket, texts, closed, memory } = open();
      socket.give(Buffer.concat([good, bytes]));
      assert.ok(socket.destroyed);
      assert.deepEqual(texts(), ['3 good']);
      assert.equal(closed[0]?.[0], reason);
      assert.equal(memory.used, 0);
    });
    test(`${name}, in pieces`, () => {
      const { socket, closed, memory } = open();
      for (const byte of Buffer.concat([good, bytes])) if (!socket.destroyed) socket.give(Buffer.from([byte]));
      assert.deepEqual(closed, [[reason, 5]]);
      assert.equal(memory.used, 0);
    });
  }

  test('torn in the middle of a frame', () => {
    const { socket, texts, closed, memory } = open();
    socket.give(Buffer.concat([good, good.subarray(0, 20)]));
    socket.emit('close');
    assert.deepEqual(texts(), ['3 good']);
    assert.deepEqual(closed, [['torn', 20]]);
    assert.equal(memory.used, 0);
  });

  test('an error of the socket', () => {
    const { socket, closed } = open();
    socket.emit('error', new Error('ECONNRESET'));
    assert.deepEqual(closed, [['error', 0]]);
  });
});

describe('waiting', () => {
  test('while the gate is closed nothing is decoded, and the socket is paused', () => {
    const { socket, texts, state, connection, closed } = open();
    state.closed = true;
    socket.give(three);
    socket.give(three);
    assert.ok(socket.isPaused && connection.isPaused);
    assert.deepEqual(texts(), []);
    state.closed = false;
    connection.proceed();
    assert.ok(!socket.isPaused && !connection.isPaused);
    assert.deepEqual(texts(), [...threeTexts, ...threeTexts]);
    assert.deepEqual(closed, []);
  });

  test('a connection that ended while the gate was closed is decoded to its end', () => {
    const { socket, texts, state, connection, closed } = open();
    state.closed = true;
    socket.give(Buffer.concat([three, three.subarray(0, 10)]));
    socket.emit('error', new Error('ECONNRESET'));
    assert.deepEqual(closed, []);
    state.closed = false;
    connection.proceed();
    assert.deepEqual(texts(), threeTexts);
    assert.deepEqual(closed, [['error', 10]]);
  });

  test('frames wait for one that takes its time, in order', async () => {
    const slow = Promise.withResolvers<undefined>();
    const { socket, texts, closed } = open({ answer: (text) => (text === 'slow' ? slow.promise : undefined) });
    socket.give(Buffer.concat([frame({ records: ['slow'] }), frame({ records: ['next'] }).subarray(0, 22)]));
    assert.ok(socket.isPaused);
    socket.give(frame({ records: ['next'] }).subarray(22));
    await nextTurn();
    assert.deepEqual(texts(), ['3 slow']);
    slow.resolve(undefined);
    await nextTurn();
    assert.deepEqual(texts(), ['3 slow', '3 next']);
    assert.ok(!socket.isPaused);
    assert.deepEqual(closed, []);
  });

  test('stopping decodes the complete frames that are here, and resets', () => {
    const { socket, texts, state, connection, gate, closed } = open();
    state.closed = true;
    socket.give(Buffer.concat([three, three.subarray(0, 30)]));
    gate.stop();
    connection.stop();
    assert.ok(socket.wasReset);
    assert.deepEqual(texts(), threeTexts);
    assert.deepEqual(closed, [['stopping', 30]]);
  });
});

describe('memory for frames of many connections', () => {
  test('who finds none waits until others are done, and loses nothing', async () => {
    const memory = new FrameMemory({ limit: 2 * LIMIT, frameBytes: LIMIT });
    const bytes = frame({ records: ['z'.repeat(900_000)] });
    const all = Array.from({ length: 8 }, () => open({ memory }));
    for (let at = 0; at < bytes.length; at += 65_536) {
      for (const { socket } of all) socket.give(bytes.subarray(at, at + 65_536));
      assert.ok(memory.used <= 2 * LIMIT, `${memory.used} bytes`);
      await nextTurn();
    }
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    for (const { noted, socket } of all) {
      assert.equal(noted.length, 1);
      assert.ok(!socket.isPaused);
    }
    assert.equal(memory.used, 0);
    memory.close();
  });

  test('halves that do not get on are cut only when others wait for them', async () => {
    let now = 0;
    const memory = new FrameMemory({ limit: 2 * LIMIT, frameBytes: LIMIT, now: () => now });
    const bytes = frame({ records: ['z'.repeat(1_000_000)] });
    const idle = Array.from({ length: 5 }, () => open({ memory }));
    for (const { socket } of idle)
      for (let at = 0; at < 600_000; at += 65_536) socket.give(bytes.subarray(at, at + 65_536));
    const late = open({ memory });
    late.socket.give(bytes.subarray(0, 65_536));
    late.socket.give(bytes.subarray(65_536));
    memory.sweep();
    assert.ok(
      idle.every(({ closed }) => closed.length === 0),
      'they have some time',
    );
    for (let turn = 0; turn < 20 && late.noted.length === 0; turn++) {
      now += 20_000;
      memory.sweep();
      await nextTurn();
    }
    assert.equal(late.noted.length, 1);
    const cut = idle.filter(({ closed }) => closed.length > 0);
    assert.ok(cut.length >= 2 && cut.every(({ closed }) => closed[0]?.[0] === 'memory'));
    now += 60_000;
    const before = cut.length;
    memory.sweep();
    await nextTurn();
    assert.equal(idle.filter(({ closed }) => closed.length > 0).length, before, 'nobody waits any more');
    memory.close();
  });
});
