import { put } from './overrides.ts';
import type { Located } from './source.ts';

export interface AdoptedPort {
  readonly root: Located | undefined;
  /** Paths of DeepFlow's keys that were obeyed. */
  readonly used: readonly string[];
  readonly notes: readonly string[];
}

const PATH = 'ingester.listen-port';

/**
 * A DeepFlow server.yaml says with `ingester.listen-port` where agents send their data: it stands for `listen.agent` where that is not written. The
 * address is this machine's own: DeepFlow's takes everybody's data, which here has to be asked for.
 */
export function adoptAgentPort(root: Located | undefined): AdoptedPort {
  const none = { root, used: [], notes: [] };
  const port = valueAt(root, PATH.split('.'));
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (!isPort || valueAt(root, ['listen', 'agent']) !== undefined) return none;
  const listen = nodeAt(root, ['listen']);
  // A mistake of its own, which is named later.
  if (listen !== undefined && listen.kind !== 'mapping' && valueAt(root, ['listen']) !== null) return none;
  const address = `127.0.0.1:${port}`;
  const { place } = nodeAt(root, PATH.split('.'))!;
  return {
    root: put(root, ['listen', 'agent'], { kind: 'scalar', value: address, place }, place),
    used: [PATH],
    notes: [`${PATH} stands for listen.agent: ${address}; to let other machines in, write listen.agent with allow`],
  };
}

function nodeAt(node: Located | undefined, path: readonly string[]): Located | undefined {
  let current = node;
  for (const key of path) current = current?.kind === 'mapping' ? current.entries.get(key)?.node : undefined;
  return current;
}

/** The value at a path; a list or a mapping as true, undefined where nothing is written. */
function valueAt(node: Located | undefined, path: readonly string[]): unknown {
  const found = nodeAt(node, path);
  return found?.kind === 'scalar' ? found.value : found === undefined ? undefined : true;
}
