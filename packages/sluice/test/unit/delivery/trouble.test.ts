import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { ExporterMeter } from '../../../src/delivery/exporter-meter.ts';
import { Trouble } from '../../../src/delivery/trouble.ts';

interface Line {
  readonly level: number;
  readonly exporter: string;
  readonly state?: string;
  readonly cause?: string;
  readonly msg: string;
}

function watched() {
  const lines: Line[] = [];
  const states: string[] = [];
  const clock = { ms: 1_000_000 };
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this of it is used
  const meter = { state: (state: string) => void states.push(state) } as unknown as ExporterMeter;
  const trouble = new Trouble({ exporter: 'prom', meter, now: () => clock.ms, log });
  return { trouble, lines, states, clock };
}

const told = (lines: readonly Line[]) => lines.map(({ level, state, cause }) => [level, state, cause]);
const WARN = 40;
const INFO = 30;

test('a failure that passes is not told in the log', () => {
  const { trouble, lines, states, clock } = watched();
  trouble.failed('lane 0', 'answered 503');
  clock.ms += 4000;
  trouble.failed('lane 0', 'answered 503');
  trouble.recovered('lane 0');
  assert.deepEqual(states, ['retrying', 'running']);
  assert.deepEqual(lines, []);
});

test('one that lasts is told with its cause, once, and its end too', () => {
  const { trouble, lines, clock } = watched();
  for (let i = 0; i < 100; i++) {
    trouble.failed('lane 0', 'answered 503');
    clock.ms += 1000;
  }
  trouble.recovered('lane 0');
  assert.deepEqual(told(lines), [
    [WARN, 'retrying', 'answered 503'],
    [INFO, undefined, undefined],
  ]);
  assert.equal(lines[0]?.exporter, 'prom');
});

test('a wrong configuration is told at once', () => {
  const { trouble, lines } = watched();
  trouble.misconfigured(true, 'answered 401');
  assert.deepEqual(told(lines), [[WARN, 'misconfigured', 'answered 401']]);
});

test('a receiver that takes nothing is a state of its own, until it takes something', () => {
  const { trouble, lines, states } = watched();
  trouble.refusing(false);
  trouble.failed('lane 1', 'answered 503');
  trouble.refusing(true, 'answered 400');
  trouble.refusing(false);
  assert.deepEqual(states, ['retrying', 'refused', 'retrying']);
  assert.deepEqual(told(lines).slice(0, 1), [[WARN, 'refused', 'answered 400']]);
  assert.match(lines[0]!.msg, /refuses all/);
});

test('what comes and goes is told once a minute, and what stays is told in the end', () => {
  const { trouble, lines, clock } = watched();
  for (let i = 0; i < 600; i++) {
    trouble.misconfigured(true, 'answered 404');
    trouble.misconfigured(false);
    clock.ms += 100;
  }
  assert.equal(lines.length, 2);
  trouble.misconfigured(true, 'answered 404');
  assert.equal(lines.length, 3);
  assert.equal(lines.at(-1)?.state, 'misconfigured');
});

test('a stop tells nothing', () => {
  const { trouble, lines, states } = watched();
  trouble.stopped();
  assert.deepEqual(states, ['stopped']);
  assert.deepEqual(lines, []);
});
