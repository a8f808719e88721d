import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRejectedCommand } from '../../../src/delivery/rejected-command.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const listed = {
  exporter: 'prom',
  id: 1_795_000_000_000,
  time: '2026-11-21T11:59:00.000Z',
  table: 'flow_metrics.network.1s',
  org: 1,
  writer: 'main',
  row: 42,
  row_time: '2026-11-21T11:58:59.000Z',
  kind: 'refused',
  reason: 'out of \u001b[31mbounds',
};

test('each command asks its route', () => {
  const asked = (...args: string[]) => {
    const { method, path } = parseRejectedCommand(args, { url: { type: 'string' } });
    return `${method} ${path}`;
  };
  assert.equal(asked('list'), 'GET /api/v1/rejected?');
  assert.equal(
    asked('list', '--exporter', 'a', '--limit', '5', '--url', 'x'),
    'GET /api/v1/rejected?exporter=a&limit=5',
  );
  assert.equal(asked('show', 'a', '7'), 'GET /api/v1/rejected/a/7');
  assert.equal(asked('replay', 'a', '7', '8'), 'POST /api/v1/rejected/a/replay?id=7&id=8');
  assert.equal(asked('drop', 'a', '--all'), 'POST /api/v1/rejected/a/drop?all=true');
  assert.equal(asked('drop', 'a/b', '7'), 'POST /api/v1/rejected/a%2Fb/drop?id=7');
});

test('mistakes say what was expected', () => {
  for (const [args, text] of [
    [[], /expected rejected list, show, replay or drop; got none/],
    [['burn'], /expected rejected list, show, replay or drop; got burn/],
    [['show'], /expected the name of an exporter behind rejected show/],
    [['burn', 'a'], /expected rejected list, show, replay or drop; got burn/],
    [['show', 'a'], /expected rejected show EXPORTER ID/],
    [['drop', 'a'], /expected either numbers of rejected items or --all/],
    [['drop', 'a', '1', '--all'], /expected either/],
    [['replay', 'a', 'x'], /expected the number of a rejected item; got x/],
    [['list', 'a'], /expected rejected list \[--exporter NAME\]; got a/],
    [['list', '--nonsense'], /nonsense/],
  ] as const) {
    assert.throws(() => parseRejectedCommand(args), text, args.join(' '));
  }
});

test('answers become text that steers no terminal', () => {
  const list = parseRejectedCommand(['list']);
  assert.equal(list.print([], NOW), 'nothing was rejected');
  assert.deepEqual(list.print([{ ...listed, bytes: 12 }, listed], NOW).split('\n'), [
    'EXPORTER  ID             AGE  DATA SOURCE              ORG  ROW  BYTES  KIND     REASON',
    'prom      1795000000000  60s  flow_metrics.network.1s  1    42   12     refused  out of ?[31mbounds',
    'prom      1795000000000  60s  flow_metrics.network.1s  1    42   -      refused  out of ?[31mbounds',
  ]);
  const shown = { ...listed, text: 'line one\nline \u0007two', head: '', body: 'AAEC' };
  const text = parseRejectedCommand(['show', 'prom', '1']).print(shown, NOW);
  assert.match(text, /^exporter {5}prom\n/);
  assert.match(text, /\nbytes {8}3, head 0\n\nline one\nline \?two$/);
  const replay = parseRejectedCommand(['replay', 'prom', '--all']);
  const answer = { items: 9, sent: 5, rejected_again: 1, without_content: 1, waiting: 2 };
  assert.equal(
    replay.print(answer, NOW),
    '5 of 9 sent and removed, 1 rejected again, 1 cannot be sent: their content was not kept, 2 on their way',
  );
  assert.equal(parseRejectedCommand(['drop', 'prom', '1']).print({ dropped: 1 }, NOW), '1 dropped');
});
