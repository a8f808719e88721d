/**
 * Broken frames at a running hub, over real connections: it must live, take sound frames until the end, stay within its memory, and no decoder may
 * fail in a way that it must not.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { residentBytes } from '../../bench/process-usage.ts';
import { Hub, Scratch, until } from '../e2e/processes.ts';
import { encodeFrame } from '../../src/replay/frames.ts';
import { brokenFrame, recordedRecords } from './broken-frames.ts';
import type { FuzzOptions } from './fuzz.ts';
import { Random } from './mutations.ts';

const LANES = 4;

/** Returns records by outcome; throws on a crash, a failed decoder or too much memory. */
export async function fuzzFrames(options: FuzzOptions): Promise<Map<string, number>> {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/hub`, { args: ['--set', 'limits.series=20000'] });
  await hub.ready();
  const seeds = recordedRecords();
  let done = 0;

  const lane = async (random: Random): Promise<void> => {
    let socket: Socket | undefined;
    while (done < options.count) {
      done++;
      if (done % 50_000 === 0) options.progress?.(done);
      if (done % 5000 === 0) {
        const { now } = residentBytes(hub.pid);
        assert.ok(now < options.memoryLimit, `the hub holds ${now} bytes; expected less than ${options.memoryLimit}`);
      }
      if (socket === undefined || socket.destroyed) socket = await open(hub);
      const { bytes, isBroken } = brokenFrame(random, seeds);
      if (!socket.write(bytes)) await drained(socket);
      // What comes behind it may be taken for the rest of it.
      if (isBroken) {
        await ended(socket);
        socket = undefined;
      }
    }
    if (socket !== undefined) await ended(socket);
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(new Random(options.seed * 31 + index))));
  assert.ok(!hub.exited, `the hub ended:\n${hub.output()}`);

  const before = await taken(hub);
  const last = await open(hub);
  last.write(encodeFrame({ type: 10, encoder: 0, org: 1, team: 1, agent: 1, records: sound() }));
  await ended(last);
  await until(
    async () => ((await taken(hub)) === before + 1 ? true : undefined),
    10_000,
    () => `a sound frame to be taken:\n${hub.output()}`,
  );
  const outcomes = await outcomesOf(hub);
  assert.equal(outcomes.get('bug') ?? 0, 0, `decoders failed:\n${hub.output()}`);
  assert.equal(await hub.end('SIGTERM'), 0, hub.output());
  return outcomes;
}

/** A statistics record: {timestamp: now, name: "sound"}. */
function sound(): Uint8Array[] {
  const time: number[] = [];
  for (let rest = Math.floor(Date.now() / 1000); ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      time.push(rest);
      break;
    }
    time.push((rest % 128) + 128);
  }
  return [Buffer.from([0x08, ...time, 0x12, 5, ...Buffer.from('sound')])];
}

async function taken(hub: Hub): Promise<number> {
  const text = await (await fetch(`${hub.http}/metrics`)).text();
  return Number(/^sluice_agent_records_total\{type="dfstats",outcome="taken"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function outcomesOf(hub: Hub): Promise<Map<string, number>> {
  const text = await (await fetch(`${hub.http}/metrics`)).text();
  const outcomes = new Map<string, number>();
  for (const [, outcome = '', count] of text.matchAll(/^sluice_agent_records_total\{.*outcome="([^"]*)"\} (\d+)$/gm)) {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + Number(count));
  }
  return outcomes;
}

function open(hub: Hub): Promise<Socket> {
  const [host = '', port] = hub.agent.split(':');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    socket.once('connect', () => resolve(socket.resume()));
    socket.on('error', (error) => {
      // A connection that the hub has ended is what a broken frame earns.
      if (socket.connecting || hub.exited) reject(new Error(`the hub is gone:\n${hub.output()}`, { cause: error }));
    });
  });
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once('close', () => resolve());
    socket.end();
  });
}
