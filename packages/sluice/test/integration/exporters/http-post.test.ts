import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { post } from '../../../src/exporters/http-post.ts';

/** Receivers that answer before they have read what they refuse. */
describe('an answer that comes before the body was read', () => {
  const endings: Readonly<Record<string, (socket: Socket) => void>> = {
    'and the connection ends': (socket) => socket.end(),
    'and the connection is cut off': (socket) => socket.destroy(),
    'and nobody reads on': () => undefined,
  };
  for (const [how, ending] of Object.entries(endings)) {
    test(how, async () => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.pause();
          socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 7\r\n\r\ntoo big', () => ending(socket));
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      try {
        const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/write`);
        const body = new Uint8Array(8 * 2 ** 20);
        const answer = await post({ url, agent, headers: {}, body, signal: AbortSignal.timeout(10_000) });
        assert.deepEqual([answer.status, answer.body.toString()], [413, 'too big']);
      } finally {
        agent.destroy();
        for (const socket of sockets) socket.destroy();
        server.close();
      }
    });
  }
});
