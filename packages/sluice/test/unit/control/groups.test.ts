import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { agentsSchema } from '../../../src/control/config.ts';
import { createFindGroup, fitsWildcard, type AgentFacts } from '../../../src/control/groups.ts';

const FACTS: AgentFacts = {
  ctrlIp: '10.0.0.5',
  host: 'web-1',
  teamId: 't',
  kubernetesClusterId: 'd-1',
  groupId: 'g-1',
};

function groupOf(match: object, facts: Partial<AgentFacts> = {}): string {
  const { groups } = agentsSchema.parse({ groups: [{ name: 'found', match }] });
  return createFindGroup(groups)({ ...FACTS, ...facts }).name;
}

test('each rule', () => {
  for (const [match, other] of [
    [{ 'ctrl-ip': ['10.0.0.0/24'] }, { ctrlIp: '10.0.1.5' }],
    [{ 'ctrl-ip': ['fd00::/8', '10.0.0.5'] }, { ctrlIp: 'fe80::1' }],
    [{ host: 'WEB-*' }, { host: 'db-1' }],
    [{ host: ['x', '*-1'] }, { host: 'web-2' }],
    [{ 'team-id': 't' }, { teamId: '' }],
    [{ 'kubernetes-cluster-id': 'd-1' }, { kubernetesClusterId: '' }],
    [{ 'group-id': ['g-0', 'g-1'] }, { groupId: 'g' }],
    [{ host: 'web-*', 'team-id': 't' }, { teamId: 'u' }],
  ] as const) {
    assert.equal(groupOf(match), 'found', JSON.stringify(match));
    assert.equal(groupOf(match, other), 'default', JSON.stringify(match));
  }
  assert.equal(groupOf({ 'ctrl-ip': ['10.0.0.0/24'] }, { ctrlIp: 'not an address' }), 'default');
});

test('the first group that fits counts', () => {
  const { groups } = agentsSchema.parse({
    groups: [
      { name: 'one', match: { host: 'web-1' } },
      { name: 'all-web', match: { host: 'web-*' } },
      { name: 'rest' },
    ],
  });
  const find = createFindGroup(groups);
  assert.deepEqual(
    ['web-1', 'web-2', 'db'].map((host) => find({ ...FACTS, host }).name),
    ['one', 'all-web', 'rest'],
  );
});

test('wildcards are those of a regular expression', () => {
  const part = fc.constantFrom('a', 'b', '.', '*', '?');
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 8 }),
      fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 8 }),
      (pattern, text) => {
        const regex = new RegExp(
          `^${pattern.map((sign) => (sign === '*' ? '.*' : sign === '?' ? '.' : sign === '.' ? '\\.' : sign)).join('')}$`,
        );
        assert.equal(fitsWildcard(pattern.join(''), text.join('')), regex.test(text.join('')));
      },
    ),
  );
});

test('a pattern made to be slow is not', () => {
  assert.equal(fitsWildcard(`${'*a'.repeat(100)}b`, 'a'.repeat(10_000)), false);
});
