import type { IdMessage } from '../../base/shared-ids.ts';
import type { ResourceKind } from '../description.ts';
import { isForeign, type Ids } from '../ids.ts';
import type { InventoryBuilder } from '../inventory-builder.ts';
import { RESOURCE_KINDS } from '../kinds.ts';
import { givenNumber } from '../placement.ts';
import type { Slices } from '../slices.ts';

export interface AskingOptions {
  readonly hub: string;
  readonly ids: Ids;
  readonly builder: InventoryBuilder;
}

type Said = Pick<IdMessage, 'kind' | 'key' | 'name' | 'id' | 'isGone'> & { readonly saidMs: number };

const REPEAT_MS = 86_400_000;
/** When nothing came of it. */
const RETRY_MS = 600_000;

/** What a hub that does not give ids asks of the one that does, for the resources that only it describes. */
export class Asking {
  readonly #options: AskingOptions;
  /** What was asked, by kind and key. */
  readonly #said = new Map<string, Said>();

  constructor(options: AskingOptions) {
    this.#options = options;
  }

  /**
   * What is to be asked now: for what is described here and has no number, or one that the hub which gives them (with this term; 0 = no matter which) has
   * not confirmed, or that it calls otherwise or gone. Each once, and again after a day. `told` is to be called when it has been said.
   */
  async due(term: number, nowMs: number, slices: Slices): Promise<IdMessage[]> {
    const { hub, ids, builder } = this.#options;
    const due: IdMessage[] = [];
    const say = (message: Omit<Said, 'saidMs'>) => due.push({ hub, record: 'request', timeMs: nowMs, ...message });
    for (const kind of RESOURCE_KINDS) {
      if (isForeign(kind)) continue;
      for (const { resource, id } of builder.all(kind).values()) {
        if (slices.isDue) await slices.pause();
        const { key, name } = resource;
        const record = ids.recordOf(kind, key);
        const before = this.#said.get(keyOf(kind, key));
        const isRight = record !== undefined && id !== 0 && record.goneS === 0 && record.name === name;
        const isConfirmed = record !== undefined && record.term > 0 && (term === 0 || record.term === term);
        const isAsked = before !== undefined && !before.isGone;
        if (isRight && isConfirmed && !isAsked) continue;
        const wanted = givenNumber(resource) ?? record?.id ?? 0;
        const isSame = isAsked && before.name === name && (isConfirmed || before.id === wanted);
        const isHeard = record !== undefined && record.goneS === 0;
        if (!isSame || nowMs - before.saidMs >= (isHeard ? REPEAT_MS : RETRY_MS))
          say({ kind, key, name, id: wanted, isGone: false });
      }
    }
    for (const { kind, key, name, isGone } of this.#said.values()) {
      if (slices.isDue) await slices.pause();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was asked for as a resource's
      if (isGone || builder.find(kind as ResourceKind, key) !== undefined) continue;
      say({ kind, key, name, id: 0, isGone: true });
    }
    return due;
  }

  /** These have been said. */
  told(messages: readonly IdMessage[]): void {
    for (const { kind, key, name, id, isGone, timeMs } of messages) {
      if (isGone) this.#said.delete(keyOf(kind, key));
      else this.#said.set(keyOf(kind, key), { kind, key, name, id, isGone, saidMs: timeMs });
    }
  }
}

function keyOf(kind: string, key: string): string {
  return `${kind} ${key}`;
}
