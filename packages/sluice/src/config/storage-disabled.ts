import type { AdoptedPort } from './agent-port.ts';
import { isAbsent, nodeAt } from './locate.ts';
import { put } from './overrides.ts';

const PATH = 'ingester.storage-disabled';
const OWN_PATH = ['storage', 'engine'];

/** DeepFlow's `ingester.storage-disabled: true` stands for `storage.engine: none` where that is not written. */
export function adoptStorageDisabled(adopted: AdoptedPort): AdoptedPort {
  const { root } = adopted;
  const node = nodeAt(root, PATH.split('.'));
  const isDisabled = node?.kind === 'scalar' && (node.value === true || /^(?:yes|on|y)$/i.test(String(node.value)));
  if (!isDisabled || nodeAt(root, OWN_PATH) !== undefined) return adopted;
  const storage = nodeAt(root, ['storage']);
  // A mistake of its own, which is named later.
  if (storage !== undefined && storage.kind !== 'mapping' && !isAbsent(storage)) return adopted;
  const { place } = node;
  return {
    root: put(root, OWN_PATH, { kind: 'scalar', value: 'none', place }, place),
    used: [...adopted.used, PATH],
    notes: [...adopted.notes, `${PATH} stands for storage.engine: none; nothing is kept, rows are only exported`],
  };
}
