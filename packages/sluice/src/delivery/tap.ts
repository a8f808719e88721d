import type { Clock } from '../journal/clock.ts';
import { shownText } from './batch-sender.ts';
import type { ItemBatch } from './item-batch.ts';
import type { Exporter } from './types.ts';

const MOST_CLIENTS = 8;
/** Lines that wait for a client; what comes on top is not shown to it. */
const MOST_WAITING = 256;
const MOST_WAITING_CHARACTERS = 256 * 1024;
const MOST_LINE = 64 * 1024;
/** Lines made for one client within a second: showing costs more than sending. */
const MOST_A_SECOND = 1000;

export interface TapOptions {
  /** Lines after which it ends. */
  readonly limit: number;
  /** Milliseconds after which it ends. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

interface Client {
  lines: string[];
  characters: number;
  left: number;
  windowMs: number;
  windowLines: number;
  isOver: boolean;
  wake: (() => void) | undefined;
}

/** Shows the items of an exporter as lines of text while they leave for the receiver. Costs nothing while nobody looks. */
export class Tap {
  readonly #exporter: Exporter;
  readonly #clock: Clock;
  readonly #clients = new Set<Client>();

  constructor(exporter: Exporter, clock: Clock) {
    this.#exporter = exporter;
    this.#clock = clock;
  }

  offer(items: ItemBatch): void {
    for (const client of this.#clients) this.#show(items, client);
  }

  /** The lines of the next items, or undefined when too many look already. */
  open({ limit, timeoutMs, signal }: TapOptions): AsyncIterable<Uint8Array> | undefined {
    if (this.#clients.size >= MOST_CLIENTS) return undefined;
    const client: Client = {
      lines: [],
      characters: 0,
      left: limit,
      windowMs: -Infinity,
      windowLines: 0,
      isOver: false,
      wake: undefined,
    };
    const end = () => {
      client.isOver = true;
      this.#clients.delete(client);
      cancel();
      signal.removeEventListener('abort', end);
      client.wake?.();
    };
    const cancel = this.#clock.after(timeoutMs, end);
    if (signal.aborted) end();
    else {
      this.#clients.add(client);
      signal.addEventListener('abort', end);
    }
    return linesOf(client, end);
  }

  close(): void {
    for (const client of this.#clients) {
      client.isOver = true;
      client.wake?.();
    }
    this.#clients.clear();
  }

  #show(items: ItemBatch, client: Client): void {
    const { table } = items.partition;
    const now = this.#clock.monotonicMs();
    if (now - client.windowMs >= 1000) {
      client.windowMs = now;
      client.windowLines = 0;
    }
    for (let item = 0; item < items.count && client.left > 0; item++) {
      if (client.lines.length >= MOST_WAITING || client.characters >= MOST_WAITING_CHARACTERS) break;
      if (client.windowLines >= MOST_A_SECOND) break;
      const text = shownText(this.#exporter, table, { head: items.head(item), body: items.body(item) });
      const line = text.slice(0, MOST_LINE).replaceAll(/[\r\n]+/g, ' ');
      client.lines.push(line);
      client.characters += line.length;
      client.windowLines++;
      client.left--;
    }
    if (client.left === 0) client.isOver = true;
    client.wake?.();
  }
}

async function* linesOf(client: Client, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { lines } = client;
      if (lines.length > 0) {
        client.lines = [];
        client.characters = 0;
        yield Buffer.from(`${lines.join('\n')}\n`);
      } else if (client.isOver) return;
      else {
        await new Promise<void>((resolve) => {
          client.wake = resolve;
        });
        client.wake = undefined;
      }
    }
  } finally {
    end();
  }
}
