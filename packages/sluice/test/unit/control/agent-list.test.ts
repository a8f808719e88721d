import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentTable } from '../../../src/control/agent-list.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

test('a table with ages, and nothing of an agent steers the terminal', () => {
  const table = agentTable(
    [
      {
        id: 1,
        org: 1,
        team: 1,
        state: 'online',
        host: 'web-1',
        ctrl_ip: '10.0.0.1',
        group: 'default',
        revision: 'main 1-f5261c945ff3ca85ca45b52de57b0772008c3e74',
        last_seen: '2026-01-01T00:09:56Z',
        exceptions: ['load circuit breaker'],
        exceptions_at: '2026-01-01T00:05:00Z',
        data: { address: '10.0.0.1', last_seen: '2026-01-01T00:09:00Z', rows: 5, bytes: 6, rows_per_second: 12.5 },
      },
      {
        id: 2,
        org: 1,
        team: 1,
        state: 'offline',
        host: '\u001b[31mred\n',
        ctrl_ip: '10.0.0.2',
        last_seen: '2025-12-30T00:10:00Z',
      },
      {
        id: 30,
        org: 1,
        team: 0,
        state: 'data only',
        data: { address: '::1', last_seen: '', rows: 0, bytes: 0, rows_per_second: 0 },
      },
    ],
    NOW,
  );
  assert.deepEqual(table.split('\n'), [
    'ID  HOST       ADDRESS   GROUP    STATE      REVISION         CONTROL  DATA  ROWS/S  SAYS',
    '1   web-1      10.0.0.1  default  online     main 1-f5261c94  4s       60s   12.5    load circuit breaker (5m ago)',
    '2   ?[31mred?  10.0.0.2  -        offline    -                2d       -     -       -',
    '30  -          ::1       -        data only  -                -        -     0       -',
  ]);
});
