import type { Clock } from '../journal/clock.ts';
import { partitionId } from '../journal/layout.ts';
import type { PartitionKey } from '../journal/types.ts';
import { Lane } from './lane.ts';
import type { Outgoing } from './outgoing.ts';
import { Outlet } from './outlet.ts';
import { Progress } from './progress.ts';
import type { DeliverySettings } from './types.ts';
import { WriterPool } from './writer-pool.ts';

export interface LaneGroupOptions {
  readonly settings: DeliverySettings;
  readonly clock: Clock;
  /** Sends a batch of the lane until all of it is dealt with; false = gave up. */
  readonly send: (lane: number, batch: Outgoing) => Promise<boolean>;
  readonly onEnqueued: (batch: Outgoing) => void;
  /** Everything of the partition below `row` is dealt with. */
  readonly onConfirmed: (partition: PartitionKey, row: number) => void;
  /** Rows and bytes that are held have changed. */
  readonly onHeld: (rows: number, bytes: number) => void;
}

/** Where rows of one partition go, and how far they are. */
export interface PartitionWay {
  readonly outlet: Outlet;
  readonly progress: Progress;
}

/** The lanes of one exporter, what is open in them, and the bounds on both. */
export class LaneGroup {
  readonly lanes: readonly Lane[];
  readonly #options: LaneGroupOptions;
  readonly #pool: WriterPool;
  readonly #ways = new Map<string, PartitionWay>();
  readonly #waiting = new Set<() => void>();
  #cancelFlush: (() => void) | undefined;

  constructor(options: LaneGroupOptions) {
    this.#options = options;
    const { settings, send, onEnqueued } = options;
    this.#pool = new WriterPool(settings.batchBytes);
    this.lanes = Array.from(
      { length: settings.lanes },
      (_, number) =>
        new Lane({
          number,
          pool: this.#pool,
          send: (batch) => send(number, batch),
          onEnqueued,
          onLess: () => this.#less(),
          onIdle: (lane) => this.#sealDue(lane),
        }),
    );
  }

  get rows(): number {
    return this.lanes.reduce((sum, { rows }) => sum + rows, 0);
  }

  get bytes(): number {
    return this.lanes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get items(): number {
    return this.lanes.reduce((sum, { items }) => sum + items, 0);
  }

  /** `firstRow`: the row that is read first when the partition is a new one. */
  way(partition: PartitionKey, firstRow: number): PartitionWay {
    const id = partitionId(partition);
    let way = this.#ways.get(id);
    if (way === undefined) {
      const { settings, clock, onConfirmed } = this.#options;
      const progress = new Progress(settings.lanes, firstRow);
      let told = -1;
      const outlet = new Outlet({
        partition,
        lanes: this.lanes,
        limits: settings,
        progress,
        pool: this.#pool,
        now: () => clock.monotonicMs(),
        onConfirmed: () => {
          const row = progress.confirmed();
          if (row <= told) return;
          told = row;
          onConfirmed(partition, row);
        },
      });
      way = { outlet, progress };
      this.#ways.set(id, way);
    }
    return way;
  }

  /** Whether more may be read. */
  get hasRoom(): boolean {
    const { queueRows, queueBytes, lanes } = this.#options.settings;
    if (this.bytes >= queueBytes) return false;
    for (const lane of this.lanes) if (lane.rows >= queueRows) return false;
    // One lane that stands still must not let the others run so far ahead that a restart repeats more than the lanes may hold.
    let ahead = 0;
    for (const { progress } of this.#ways.values()) ahead += progress.readTo - progress.confirmed();
    return ahead < queueRows * lanes;
  }

  /** Resolves when more may be read, or when woken and `isOver`. */
  async room(isOver: () => boolean): Promise<void> {
    while (!this.hasRoom && !isOver()) {
      // What waits for more items would wait for ever.
      for (const [number, lane] of this.lanes.entries()) if (lane.isIdle) this.#seal(number, () => true);
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
  }

  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** A step of encoding has ended: what was begun is to be sent in time. */
  stepped(): void {
    this.#scheduleFlush();
    this.#options.onHeld(this.rows, this.bytes);
  }

  sealAll(): void {
    for (const number of this.lanes.keys()) this.#seal(number, () => true);
  }

  /** Resolves when no lane sends any more. */
  async settled(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.settled()));
  }

  close(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }

  #less(): void {
    this.#options.onHeld(this.rows, this.bytes);
    this.wake();
  }

  #seal(lane: number, isDue: (openedMs: number) => boolean): void {
    for (const { outlet } of this.#ways.values()) {
      const openedMs = outlet.openedMs(lane);
      if (openedMs !== undefined && isDue(openedMs)) outlet.seal(lane);
    }
  }

  #sealDue(lane: number): void {
    const before = this.#options.clock.monotonicMs() - this.#options.settings.flushMs;
    this.#seal(lane, (openedMs) => openedMs <= before);
  }

  /** A busy lane keeps collecting: a batch that cannot be sent yet may as well grow. It is due again when the lane is idle. */
  #scheduleFlush(): void {
    if (this.#cancelFlush !== undefined) return;
    const { clock, settings } = this.#options;
    const now = clock.monotonicMs();
    let next = Infinity;
    for (const [number, lane] of this.lanes.entries()) {
      for (const { outlet } of this.#ways.values()) {
        const openedMs = outlet.openedMs(number);
        if (openedMs === undefined || (!lane.isIdle && openedMs + settings.flushMs <= now)) continue;
        next = Math.min(next, openedMs + settings.flushMs);
      }
    }
    if (next === Infinity) return;
    this.#cancelFlush = clock.after(Math.max(0, next - now), () => {
      this.#cancelFlush = undefined;
      for (const [number, lane] of this.lanes.entries()) if (lane.isIdle) this.#sealDue(number);
      this.#scheduleFlush();
    });
  }
}
