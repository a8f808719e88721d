import { BlockList, isIP } from 'node:net';
import type { AgentGroup, GroupMatch } from './config.ts';

/** What groups look at of an agent. */
export interface AgentFacts {
  readonly ctrlIp: string;
  readonly host: string;
  readonly teamId: string;
  readonly kubernetesClusterId: string;
  readonly groupId: string;
}

/** Finds the group of an agent: the first one that fits, else the last one, which fits all. */
export type FindGroup = (facts: AgentFacts) => AgentGroup;

/** `groups` as in AgentsOptions: the last one is the default group. */
export function createFindGroup(groups: readonly AgentGroup[]): FindGroup {
  const last = groups.at(-1);
  if (last === undefined) throw new Error('BUG: no default group');
  const tests = groups.flatMap((group) =>
    group.match === undefined ? [] : [{ group, fits: createMatcher(group.match) }],
  );
  return (facts) => tests.find(({ fits }) => fits(facts))?.group ?? last;
}

function createMatcher(match: GroupMatch): (facts: AgentFacts) => boolean {
  const networks = new BlockList();
  for (const { address, prefix, family } of match.ctrlIp ?? []) networks.addSubnet(address, prefix, family);
  return (facts) =>
    (match.ctrlIp === undefined || contains(networks, facts.ctrlIp)) &&
    (match.host === undefined || match.host.some((pattern) => fitsWildcard(pattern, facts.host))) &&
    (match.teamId?.includes(facts.teamId) ?? true) &&
    (match.kubernetesClusterId?.includes(facts.kubernetesClusterId) ?? true) &&
    (match.groupId?.includes(facts.groupId) ?? true);
}

function contains(networks: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && networks.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Whether the text fits the pattern, upper and lower case alike: `*` is any text, `?` one character. Goes back to the last star only, so the work
 * is at most the product of both lengths.
 */
export function fitsWildcard(pattern: string, text: string): boolean {
  const wanted = pattern.toLowerCase();
  const given = text.toLowerCase();
  let at = 0;
  let star = -1;
  let starred = 0;
  let index = 0;
  while (index < given.length) {
    const sign = wanted[at];
    if (sign === '*') {
      star = at++;
      starred = index;
    } else if (sign !== undefined && (sign === '?' || sign === given[index])) {
      at++;
      index++;
    } else if (star !== -1) {
      at = star + 1;
      index = ++starred;
    } else {
      return false;
    }
  }
  while (wanted[at] === '*') at++;
  return at === wanted.length;
}
