/**
 * Broken input at the front door of a running hub: mutated recordings, lying lengths, Snappy bombs, garbage, over real HTTP connections. Every request
 * must be answered in time with a status that is not 500, the process must live, and its memory must stay under the limit.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { residentBytes } from '../../bench/process-usage.ts';
import { Hub, Scratch } from '../e2e/processes.ts';
import { brokenBody, mutate, Random, recordedReads, recordedWrites } from './mutations.ts';

export interface FuzzOptions {
  readonly count: number;
  readonly seed: number;
  /** Greatest resident memory of the hub, in bytes. */
  readonly memoryLimit: number;
  readonly progress?: (done: number) => void;
}

/** A read that a broken matcher lets match every series took 23 s on a machine with ten times as much to do as it has cores. */
const answerWithinMs = 60_000;

/** Returns how often each status was answered; throws on a crash, a hang, a 500 or too much memory. */
export async function fuzz(options: FuzzOptions): Promise<Map<number | 'closed', number>> {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/hub`, { args: ['--set', 'limits.series=20000'] });
  await hub.ready();
  const writes = recordedWrites();
  const reads = recordedReads();
  const statuses = new Map<number | 'closed', number>();
  const count = (status: number | 'closed') => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  let done = 0;

  const lane = async (random: Random): Promise<void> => {
    while (done < options.count) {
      done++;
      if (done % 20_000 === 0) options.progress?.(done);
      const turn = random.below(100);
      if (turn === 0) count(await rawSocket(hub, random));
      else if (turn < 12) {
        const seed = random.pick(reads);
        count(
          await post(hub, agent, '/api/v1/read', seed.contentType, 'snappy', brokenBody(random, reads, seed.message)),
        );
      } else if (turn < 18) count(await get(hub, agent, labelPath(random)));
      else {
        const seed = random.pick(writes);
        const contentType =
          random.below(20) === 0
            ? mutate(random, Buffer.from(seed.contentType))
                .toString('latin1')
                .replace(/[^\x20-\x7e]/g, '?')
            : seed.contentType;
        const encoding = random.below(20) === 0 ? random.pick(['zstd', 'gzip', 'snappy ', 'br', '']) : 'snappy';
        count(
          await post(
            hub,
            agent,
            random.pick(['/api/v1/write', '/api/v1/prometheus']),
            contentType,
            encoding,
            brokenBody(random, writes, seed.message),
          ),
        );
      }
      if (done % 500 === 0) {
        const { now } = residentBytes(hub.pid);
        assert.ok(now < options.memoryLimit, `the hub holds ${now} bytes; expected less than ${options.memoryLimit}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: 8 }, (_, index) => lane(new Random(options.seed * 31 + index))));
    assert.ok(!hub.exited, `the hub ended:\n${hub.output()}`);
    assert.equal(statuses.get(500) ?? 0, 0, `answered 500:\n${hub.output()}`);
    assert.equal((await fetch(`${hub.http}/-/ready`)).status, 200);
  } finally {
    agent.destroy();
  }
  assert.equal(await hub.end('SIGTERM'), 0, hub.output());
  return statuses;
}

async function post(
  hub: Hub,
  agent: Agent,
  path: string,
  type: string,
  encoding: string,
  body: Buffer,
): Promise<number | 'closed'> {
  const outgoing = request(`${hub.http}${path}`, {
    method: 'POST',
    agent,
    timeout: answerWithinMs,
    headers: {
      'Content-Type': type,
      ...(encoding === '' ? {} : { 'Content-Encoding': encoding }),
      'Content-Length': body.length,
    },
  });
  outgoing.end(body);
  return answered(hub, outgoing);
}

function get(hub: Hub, agent: Agent, path: string): Promise<number | 'closed'> {
  return answered(hub, request(`${hub.http}${path}`, { agent, timeout: answerWithinMs }).end());
}

async function answered(hub: Hub, outgoing: ReturnType<typeof request>): Promise<number | 'closed'> {
  try {
    outgoing.on('timeout', () => outgoing.destroy(new Error('HANG')));
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.resume();
    await once(incoming, 'close');
    return incoming.statusCode ?? 0;
  } catch (error) {
    if ((error as Error).message === 'HANG')
      throw new Error(
        `no answer to ${outgoing.method} ${outgoing.path} within ${answerWithinMs} ms:\n${hub.output()}`,
        { cause: error },
      );
    if (hub.exited)
      throw new Error(`the hub ended with ${hub.child.exitCode ?? hub.child.signalCode}:\n${hub.output()}`, {
        cause: error,
      });
    // A refused body closes the connection while the client still writes: that is an answer too.
    return 'closed';
  }
}

/** Bytes that are not even HTTP, or HTTP that is cut. */
async function rawSocket(hub: Hub, random: Random): Promise<'closed'> {
  const socket = connect(Number(new URL(hub.http).port), '127.0.0.1');
  socket.on('error', () => {});
  const head = Buffer.from(
    'POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Length: 99\r\n\r\nabc',
  );
  socket.write(random.below(2) === 0 ? mutate(random, head) : random.bytes(random.below(500)));
  socket.end();
  socket.resume();
  await once(socket, 'close');
  return 'closed';
}

function labelPath(random: Random): string {
  const selector = mutate(random, Buffer.from('{__name__=~"a|b.*",job!="x",le="0.5"}')).toString('latin1');
  const label = mutate(random, Buffer.from('instance')).toString('latin1');
  const time = random.pick(['0', '1e300', '-1', 'now', '2026-01-01T00:00:00Z', '99999999999999999999']);
  return random.pick([
    `/api/v1/series?match[]=${encodeURIComponent(selector)}&start=${time}`,
    `/api/v1/labels?match[]=${encodeURIComponent(selector)}&end=${time}`,
    `/api/v1/label/${encodeURIComponent(label)}/values?limit=${time}`,
    `/api/v1/metadata?metric=${encodeURIComponent(label)}&limit=${time}`,
    `/${encodeURIComponent(label)}%`,
  ]);
}
