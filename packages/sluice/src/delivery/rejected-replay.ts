import { errorText } from '../base/errors.ts';
import type { PartitionKey } from '../journal/types.ts';
import type { Log } from '../telemetry/log.ts';
import { ItemBatch } from './item-batch.ts';
import { ItemWriter } from './item-writer.ts';
import type { Lane } from './lane.ts';
import { bytesBefore, type BatchLimits } from './outgoing.ts';
import type { RejectedItem } from './rejected-format.ts';
import type { RejectedStore } from './rejected-store.ts';

export interface ReplayOptions {
  readonly ids: readonly number[];
  readonly store: RejectedStore;
  /** All go through one lane: they keep their order among each other. */
  readonly lane: Lane;
  readonly limits: BatchLimits;
  readonly isStopping: () => boolean;
  readonly log: Log;
}

/** What became of items that are sent once more. Those that were sent are removed, the others stay where they are. */
export interface Replay {
  readonly items: number;
  sent: number;
  /** The receiver does not take them this time either. */
  rejectedAgain: number;
  /** Of these only what is known about them was kept. */
  withoutContent: number;
  isDone: boolean;
  readonly done: Promise<void>;
}

interface Collected {
  readonly partition: PartitionKey;
  readonly writer: ItemWriter;
  readonly ids: number[];
}

/** Sends rejected items once more, a batch at a time. */
export function startReplay(options: ReplayOptions): Replay {
  const finished = Promise.withResolvers<void>();
  const replay: Replay = {
    items: options.ids.length,
    sent: 0,
    rejectedAgain: 0,
    withoutContent: 0,
    isDone: false,
    done: finished.promise,
  };
  void run(options, replay)
    .catch((error: unknown) => {
      options.log.error({ err: errorText(error) }, 'cannot send rejected items once more; they stay where they are');
    })
    .finally(() => {
      replay.isDone = true;
      finished.resolve();
    });
  return replay;
}

async function run({ ids, store, lane, limits, isStopping }: ReplayOptions, replay: Replay): Promise<void> {
  let open: Collected | undefined;
  const flush = async (): Promise<boolean> => {
    const batch = open;
    open = undefined;
    return batch === undefined || sendCollected(batch, { lane, store, replay });
  };
  for (const id of ids) {
    if (isStopping()) return;
    const item = await store.get(id);
    if (item === undefined) continue;
    if (item.body === undefined) {
      replay.withoutContent++;
      continue;
    }
    const body = Buffer.from(item.body, 'base64');
    if (open !== undefined && !fits(open, item, { bytes: body.length, limits }) && !(await flush())) return;
    open ??= { partition: partitionOf(item), writer: new ItemWriter(), ids: [] };
    const { writer } = open;
    writer.reserve(body.length);
    writer.bytes.set(body, writer.at);
    writer.at += body.length;
    writer.end(item.row, Date.parse(item.row_time), Buffer.from(item.head ?? '', 'base64'));
    open.ids.push(id);
  }
  await flush();
}

function fits(
  { partition, writer }: Collected,
  item: RejectedItem,
  { bytes, limits }: { readonly bytes: number; readonly limits: BatchLimits },
): boolean {
  const isSame = partition.table === item.table && partition.org === item.org && partition.writer === item.writer;
  return isSame && writer.count < limits.batchItems && writer.at + bytes <= limits.batchBytes;
}

/** Resolves when the batch is dealt with; false when the lane gave up. */
async function sendCollected(
  { partition, writer, ids }: Collected,
  { lane, store, replay }: { readonly lane: Lane; readonly store: RejectedStore; readonly replay: Replay },
): Promise<boolean> {
  const left = Promise.withResolvers<boolean>();
  const sent: number[] = [];
  lane.enqueue({
    items: new ItemBatch(partition, writer),
    bytes: bytesBefore(writer, writer.count),
    rows: writer.count,
    leastRow: writer.leastRow,
    memory: { writer, users: 1, isClean: true },
    follower: {
      again: ids,
      done: () => undefined,
      settled: (item, wasSent) => {
        if (wasSent) sent.push(ids[item]!);
        else replay.rejectedAgain++;
      },
      left: () => left.resolve(true),
    },
  });
  const isDone = await Promise.race([left.promise, lane.ended.then(() => false)]);
  replay.sent += sent.length;
  store.remove(sent);
  return isDone;
}

function partitionOf({ org, table, writer }: RejectedItem): PartitionKey {
  return { org, table, writer };
}
