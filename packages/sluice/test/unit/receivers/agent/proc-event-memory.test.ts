import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BlockTarget, SENDER } from '../block-target.ts';
import { bytes, message, number } from '../wire-message.ts';
import { type Fixture, fixture, pick } from './proc-event-fixture.ts';

/** What the decoder remembers from one record to the next, and what it drops. */

/** Key columns of the last row of a table. */
function keysOf(target: BlockTarget, table: string): Record<string, number> {
  const { block } = target.blocks.get(`1/event.${table}`)!;
  const names = ['pod_key', 'root_pid_key', 'pid_key', 'ai_root_pid_key', 'parent_pid_key'];
  return Object.fromEntries(names.map((name) => [name, block.fixed[block.column(name)]!.u32[block.rows - 1]!]));
}

/** An event of pid 50 below root 40. */
function event(fields: {
  readonly start?: number;
  readonly end?: number;
  readonly payload: readonly number[];
  readonly pid?: number;
  readonly root?: number;
  readonly type?: number;
}): Uint8Array {
  const { start = 1_700_000_000_000_000_000, end = start, payload, pid = 50, root = 40, type = 1 } = fields;
  return message(
    number(1, pid),
    bytes(4, 'cp\0'),
    number(5, BigInt(start)),
    number(6, BigInt(end)),
    number(7, type),
    payload,
    number(10, 9),
    number(14, root),
  );
}

/** An access to /data/a.txt, from and to so many milliseconds after a begin. */
function access(
  fromMs: number,
  toMs: number,
  options: { size?: number; offset?: number; name?: string; root?: number } = {},
): Uint8Array {
  const { size = 10, offset = 0, name = 'a.txt', root = 40 } = options;
  const begin = 1_700_000_000_000_000_000n;
  return message(
    number(1, 50),
    bytes(4, 'cp\0'),
    number(5, begin + BigInt(fromMs) * 1_000_000n),
    number(6, begin + BigInt(toMs) * 1_000_000n),
    number(7, 1),
    bytes(8, [...number(1, size), ...number(2, 1), ...bytes(4, name), ...number(5, offset), ...bytes(8, '/data')]),
    number(10, 9),
    number(14, root),
  );
}

const fileOperation = (operation: number, path: string) =>
  event({ payload: bytes(11, [...number(1, operation), ...bytes(7, path)]), type: 2 });

const lifecycle = (operation: number, pid: number, parent: number, root = 0) =>
  event({ payload: bytes(13, [...number(1, operation), ...number(2, pid), ...number(3, parent)]), pid, root, type: 4 });

const [CREATE, DELETE] = [1, 2];
const [FORK, EXEC, EXIT] = [1, 2, 3];

describe('event.file_agg_event', () => {
  const columns = ['event_count', 'bytes', 'duration', 'offset', 'start_time', 'end_time', 'event_type', 'root_pid'];

  test('accesses in quick succession are one row at the flush', () => {
    const { target, decoder, decode } = fixture();
    for (const [from, to] of [
      [0, 10],
      [110, 115],
      [20, 30],
    ] as const) {
      decode(access(from, to, { size: from + 1, offset: 1000 - from }));
    }
    assert.deepEqual(target.take('event.file_agg_event'), []);
    assert.equal(target.take('event.file_event').length, 3);
    decoder.flush();
    const [row, ...others] = target.take('event.file_agg_event');
    assert.deepEqual(others, []);
    assert.deepEqual(pick(row, columns), {
      event_count: 3,
      bytes: 133,
      duration: '25000',
      offset: '1000',
      start_time: '1700000000000000',
      end_time: '1700000000115000',
      event_type: 'read',
      root_pid: 40,
    });
    assert.deepEqual(
      pick(row, ['process_kname', 'file_name', 'file_dir', 'app_instance', 'pod_id', 'agent_id', 'team_id', 'time']),
      {
        process_kname: 'cp',
        file_name: 'a.txt',
        file_dir: '/data',
        app_instance: '50',
        pod_id: 9,
        agent_id: 12,
        team_id: 3,
        time: 1_700_000_000,
      },
    );
    decoder.flush();
    assert.deepEqual(target.take('event.file_agg_event'), []);
  });

  test('a pause of more than 100 ms ends a row, one of 100 ms does not', () => {
    const { target, decoder, decode } = fixture();
    decode(access(0, 10));
    decode(access(110, 120));
    assert.equal(target.take('event.file_agg_event').length, 0);
    decode(access(221, 230));
    const counts = target.take('event.file_agg_event').map((row) => row['event_count']);
    assert.deepEqual(counts, [2]);
    decoder.flush();
    assert.deepEqual(
      target.take('event.file_agg_event').map((row) => [row['event_count'], row['start_time']]),
      [[1, '1700000000221000']],
    );
  });

  test('other files, agents and organisations have rows of their own; processes without a root have none', () => {
    const { target, decoder, decode } = fixture();
    decode(access(0, 1));
    decode(access(0, 1, { name: 'b.txt' }));
    decode(access(0, 1, { root: 41 }));
    decode(access(0, 1), { ...SENDER, agent: 13 });
    decode(access(0, 1), { ...SENDER, org: 2 });
    decode(access(0, 1, { root: 0 }));
    decoder.flush();
    const rows = target.take('event.file_agg_event');
    assert.deepEqual(
      rows
        .map((row) => `${row['agent_id']} ${row['root_pid']} ${row['file_name']} ${row['event_count']}`)
        .toSorted((a, b) => (a < b ? -1 : 1)),
      ['12 40 a.txt 1', '12 40 a.txt 1', '12 40 b.txt 1', '12 41 a.txt 1', '13 40 a.txt 1'],
    );
    assert.deepEqual([...target.blocks.keys()].filter((key) => key.endsWith('file_agg_event')).toSorted(), [
      '1/event.file_agg_event',
      '2/event.file_agg_event',
    ]);
  });

  test('an event of the file writes out its rows, and only these', () => {
    const { target, decoder, decode } = fixture();
    decode(access(0, 1));
    decode(access(0, 1, { name: 'b.txt' }));
    decode(fileOperation(DELETE, '/data/a.txt'));
    assert.deepEqual(
      target.take('event.file_agg_event').map((row) => row['file_name']),
      ['a.txt'],
    );
    decoder.flush();
    assert.deepEqual(
      target.take('event.file_agg_event').map((row) => row['file_name']),
      ['b.txt'],
    );
  });

  test('rows have what they are looked up by', () => {
    const { target, decoder, decode } = fixture();
    decode(lifecycle(FORK, 50, 45));
    decode(access(0, 1));
    const expected = { pod_key: 9, root_pid_key: 45, pid_key: 50, ai_root_pid_key: 40, parent_pid_key: 0 };
    assert.deepEqual(keysOf(target, 'file_event'), expected);
    decoder.flush();
    assert.deepEqual(keysOf(target, 'file_agg_event'), expected);
  });

  test('the timer flushes every three seconds, stopping for the last time', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { target, decoder, decode } = fixture();
    decoder.start();
    decode(access(0, 1));
    t.mock.timers.tick(2_999);
    assert.equal(target.take('event.file_agg_event').length, 0);
    t.mock.timers.tick(1);
    assert.equal(target.take('event.file_agg_event').length, 1);
    decode(access(2, 3));
    decoder.stop();
    assert.equal(target.take('event.file_agg_event').length, 1);
    decode(access(4, 5));
    t.mock.timers.tick(10_000);
    assert.equal(target.take('event.file_agg_event').length, 0);
  });
});

describe('created files', () => {
  test('a file created again is dropped until it is deleted', () => {
    const { target, decode } = fixture();
    const outcomes = [CREATE, CREATE, DELETE, DELETE, CREATE].map((operation) =>
      decode(fileOperation(operation, '/d/a')),
    );
    assert.deepEqual(outcomes, [undefined, 'repeated_create', undefined, undefined, undefined]);
    assert.equal(decode(fileOperation(CREATE, '/d/b')), undefined);
    assert.equal(decode(fileOperation(CREATE, '/d/a'), { ...SENDER, agent: 99 }), undefined);
    assert.deepEqual(
      target.take('event.file_mgmt_event').map((row) => `${row['event_type']} ${row['file_dir']}${row['file_name']}`),
      ['create /d/a', 'delete /d/a', 'delete /d/a', 'create /d/a', 'create /d/b', 'create /d/a'],
    );
  });
});

describe('roots of process trees', () => {
  const permission = (pid: number) => event({ payload: bytes(12, number(1, 1)), pid, root: 0, type: 3 });
  const rootOf = ({ target, decode }: Fixture, pid: number): number => {
    decode(permission(pid));
    return keysOf(target, 'proc_perm_event')['root_pid_key']!;
  };

  test('children belong to the tree of their parent', () => {
    const all = fixture();
    all.decode(lifecycle(FORK, 200, 100));
    assert.deepEqual(keysOf(all.target, 'proc_ops_event'), {
      pod_key: 9,
      root_pid_key: 100,
      pid_key: 200,
      ai_root_pid_key: 0,
      parent_pid_key: 100,
    });
    all.decode(lifecycle(FORK, 300, 200));
    all.decode(lifecycle(EXEC, 400, 300));
    assert.deepEqual(
      [200, 300, 400, 500].map((pid) => rootOf(all, pid)),
      [100, 100, 100, 500],
    );
  });

  test('an exec without a known tree begins one', () => {
    const all = fixture();
    all.decode(lifecycle(EXEC, 600, 1));
    all.decode(lifecycle(FORK, 700, 600));
    assert.deepEqual(
      [600, 700].map((pid) => rootOf(all, pid)),
      [600, 600],
    );
  });

  test('an exit still finds the root, and forgets it', () => {
    const all = fixture();
    all.decode(lifecycle(FORK, 200, 100));
    all.decode(lifecycle(EXIT, 200, 150));
    assert.equal(keysOf(all.target, 'proc_ops_event')['root_pid_key'], 100);
    assert.equal(rootOf(all, 200), 200);
  });

  test('what is ten minutes old is forgotten', () => {
    const all = fixture();
    all.decode(lifecycle(FORK, 200, 100));
    all.clock.now += 599_999;
    assert.equal(rootOf(all, 200), 100);
    all.clock.now += 1;
    assert.equal(rootOf(all, 200), 200);
  });

  test('agents and organisations have processes of their own', () => {
    const all = fixture();
    all.decode(lifecycle(FORK, 200, 100), { ...SENDER, agent: 13 });
    all.decode(lifecycle(FORK, 200, 101), { ...SENDER, org: 2 });
    assert.equal(rootOf(all, 200), 200);
  });
});

describe('what is dropped', () => {
  test('records outside of the accept window', () => {
    const { target, decode, clock } = fixture({ behindMs: 60_000, aheadMs: 10_000 });
    const at = (seconds: number) => event({ start: (1_700_000_000 + seconds) * 1e9, payload: bytes(8, number(1, 1)) });
    clock.now = 1_700_000_000_000;
    assert.deepEqual(
      [-61, -60, 10, 11].map((seconds) => decode(at(seconds))),
      ['too_old', undefined, undefined, 'too_new'],
    );
    assert.equal(target.take('event.file_event').length, 2);
  });

  test('records without a payload, and malformed ones', () => {
    const { target, decode } = fixture();
    assert.equal(decode(event({ payload: [] })), 'no_payload');
    assert.equal(decode(message(bytes(8, [0x08]))), 'malformed');
    assert.equal(decode(message(number(8, 1))), 'malformed');
    assert.equal(decode(message(bytes(8, ''), [0x08])), 'malformed');
    for (const { block } of target.blocks.values()) assert.equal(block.rows, 0);
  });

  test('operations without a name are written as their number', () => {
    const { target, decode } = fixture();
    decode(event({ payload: bytes(8, number(2, 7)) }));
    decode(event({ payload: bytes(12, number(1, -1n)), type: 3 }));
    assert.equal(target.take('event.file_event')[0]?.['event_type'], '7');
    assert.equal(target.take('event.proc_perm_event')[0]?.['event_type'], '-1');
  });
});
