import { readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { HubProcess } from './self-traffic.ts';

/** The pid namespace that the machine itself is in, as Linux names it in every /proc: agents tell pids of it. */
const MACHINE_PIDS = 'pid:[4026531836]';
const LOOK_AGAIN_MS = 60_000;

export interface FindHubProcessOptions {
  readonly pid?: number;
  /** Name of the pid namespace; undefined = it cannot be told. */
  readonly namespace?: () => string | undefined;
  /** Addresses of the machine. */
  readonly addresses?: () => readonly string[];
  readonly now?: () => number;
}

/** The hub as agents see it: undefined where its pid is the container's own and says nothing to them, and where that cannot be told. */
export function findHubProcess(options: FindHubProcessOptions = {}): HubProcess | undefined {
  const { pid = process.pid, namespace = pidNamespace, addresses = ownAddresses, now = Date.now } = options;
  if (namespace() !== MACHINE_PIDS) return undefined;
  let current = addresses();
  let lookAt = now() + LOOK_AGAIN_MS;
  return {
    pid,
    addresses: () => {
      if (now() >= lookAt) {
        lookAt = now() + LOOK_AGAIN_MS;
        const found = addresses();
        if (found.join(' ') !== current.join(' ')) current = found;
      }
      return current;
    },
  };
}

function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}

/** Without loopback and link-local ones, which every machine has: the same pid elsewhere is another process. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !/^(?:fe80:|169\.254\.)/i.test(address))
    .map(({ address }) => address)
    .toSorted();
}
