import type { AdoptedPort } from './agent-port.ts';
import { isAbsent, nodeAt } from './locate.ts';
import { put } from './overrides.ts';

const PATH = 'querier.prometheus.auto-tagging-prefix';
const OWN_PATH = ['tags', 'auto-tagging-prefix'];

/** DeepFlow's `querier.prometheus.auto-tagging-prefix` stands for `tags.auto-tagging-prefix` where that is not written. */
export function adoptTagPrefix(adopted: AdoptedPort): AdoptedPort {
  const { root } = adopted;
  const node = nodeAt(root, PATH.split('.'));
  if (node?.kind !== 'scalar' || typeof node.value !== 'string' || nodeAt(root, OWN_PATH) !== undefined) return adopted;
  const tags = nodeAt(root, ['tags']);
  // A mistake of its own, which is named later.
  if (tags !== undefined && tags.kind !== 'mapping' && !isAbsent(tags)) return adopted;
  return { root: put(root, OWN_PATH, node, node.place), used: [...adopted.used, PATH], notes: adopted.notes };
}
