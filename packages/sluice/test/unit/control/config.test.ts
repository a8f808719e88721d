import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agentsSchema, organisationProblems, parseConfigText } from '../../../src/control/config.ts';

function problems(input: unknown): string[] {
  const outcome = agentsSchema.safeParse(input);
  return outcome.success ? [] : outcome.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('without anything there is one default group', () => {
  const agents = agentsSchema.parse({});
  assert.equal(agents.advertise, undefined);
  assert.equal(agents.maxMessageBytes, 16 * 1024 * 1024);
  assert.deepEqual(
    agents.groups.map(({ name, match, vpcId, agentType, org, team }) => ({ name, match, vpcId, agentType, org, team })),
    [{ name: 'default', match: undefined, vpcId: 1, agentType: undefined, org: undefined, team: 1 }],
  );
});

test('the default group comes last wherever it is written; texts and mappings are the same', () => {
  const agents = agentsSchema.parse({
    groups: [
      { name: 'all', config: 'a: {b: [1, x]}' },
      { name: 'web', match: { host: ['a*', 'b'] }, config: { a: { b: [1, 'x'] } } },
    ],
  });
  assert.deepEqual(
    agents.groups.map(({ name }) => name),
    ['web', 'all'],
  );
  assert.deepEqual(agents.groups[0]?.config, new Map([['a', new Map([['b', [1, 'x']]])]]));
  assert.deepEqual(agents.groups[0]?.config, agents.groups[1]?.config);
});

describe('mistakes', () => {
  for (const [input, expected] of [
    [
      { advertise: '192.0.2.1:30033' },
      'advertise: expected an address or a host name without a port, such as 192.0.2.10',
    ],
    [{ groups: [{ name: 'a b' }] }, 'groups.0.name: expected a name of 1 to 64 letters, digits and . _ -'],
    [
      { groups: [{ name: 'a' }, { name: 'b' }] },
      'groups.1.match: expected one default group (without match); got also "a"',
    ],
    [
      { groups: [{ name: 'a', match: { host: 'x' } }, { name: 'a' }] },
      'groups.1.name: expected each name once; got "a" twice',
    ],
    [
      { groups: [{ name: 'a', match: {} }] },
      'groups.0.match: expected one rule at least; leave `match` out for the default group',
    ],
    [{ groups: [{ name: 'a', config: '- 1' }] }, "groups.0.config: expected a mapping of the agents' keys; got a list"],
  ] as const) {
    test(expected, () => assert.deepEqual(problems(input), [expected]));
  }

  test('a broken YAML text is told with its line', () => {
    const [problem] = problems({ groups: [{ name: 'a', config: 'a: 1\nb: [1\n' }] });
    assert.match(problem ?? '', /^groups\.0\.config: cannot read the agents' YAML: .* at line 3, column 1/);
  });

  test('endless, deep and large texts', () => {
    const bomb = `a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n`;
    assert.match(String(parseConfigText(bomb)), /alias/);
    assert.equal(parseConfigText(`a: ${'['.repeat(40)}${']'.repeat(40)}`), 'expected at most 32 levels');
    assert.equal(parseConfigText('x'.repeat(300_000)), 'expected at most 262144 bytes');
    assert.deepEqual(parseConfigText(''), new Map());
  });
});

test('groups of organisations that are not accepted are named where they stand in the file', () => {
  const groups = [
    { name: 'rest', org: 5 },
    { name: 'a', match: { host: 'x' } },
    { name: 'b', match: { host: 'y' }, org: 2 },
  ];
  const agents = agentsSchema.parse({ groups });
  assert.deepEqual(organisationProblems(agents, [2, 5]), []);
  assert.deepEqual(organisationProblems(agents, [1, 2]), [
    {
      path: ['agents', 'groups', 0, 'org'],
      message: 'agents.groups: expected one of organisations (1, 2) for the group rest; got 5',
    },
  ]);
  assert.deepEqual(
    organisationProblems(agents, [1]).map(({ path }) => path[2]),
    [2, 0],
  );
  assert.deepEqual(organisationProblems(agentsSchema.parse({}), [9]), []);
});
