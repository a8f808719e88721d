/**
 * What a message needs beside its value, as the head of an item:
 *
 *   topic length (1 byte) | topic | 0 = no key, 1 = key | key (up to the end)
 */

/** A topic's name has 1 to 249 ASCII characters. */
const MOST_TOPIC = 249;

/** Where heads are written, one at a time. */
export class HeadBuilder {
  /** The head: its first `length` bytes. */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  #topic: string | undefined;
  /** Head of the topic without a key, and the same with room for one. */
  #plain: Uint8Array = new Uint8Array(0);
  #keyed: Uint8Array = new Uint8Array(0);

  /** Begins a head: no key yet. */
  begin(topic: string): void {
    if (topic !== this.#topic) {
      this.#topic = topic;
      const length = Math.min(topic.length, MOST_TOPIC);
      this.#plain = new Uint8Array(length + 2);
      this.#plain[0] = length;
      for (let i = 0; i < length; i++) this.#plain[i + 1] = topic.charCodeAt(i);
      this.#keyed = new Uint8Array(0);
    }
    this.bytes = this.#plain;
    this.length = this.#plain.length;
  }

  /** Takes over the first `length` bytes as the key. */
  setKey(key: Uint8Array, length: number): void {
    const start = this.#plain.length;
    if (start + length > this.#keyed.length) {
      this.#keyed = new Uint8Array(Math.max(start + length, this.#keyed.length * 2, 256));
      this.#keyed.set(this.#plain);
      this.#keyed[start - 1] = 1;
    }
    for (let i = 0; i < length; i++) this.#keyed[start + i] = key[i]!;
    this.bytes = this.#keyed;
    this.length = start + length;
  }
}

export interface MessageHead {
  readonly topic: string;
  readonly key: Buffer | undefined;
}

/** What a head says. The key is a view of it. */
export function readHead(head: Uint8Array): MessageHead {
  const length = head[0] ?? 0;
  return { topic: Buffer.from(head.buffer, head.byteOffset + 1, length).toString('latin1'), key: keyOf(head, length) };
}

/** Reads heads of which most have the same topic: its text is made anew only when it is another one. */
export class HeadReader {
  #topic = '';
  /** Length and topic of the head that was read last. */
  #known: Uint8Array = new Uint8Array(1);

  read(head: Uint8Array): MessageHead {
    const length = head[0] ?? 0;
    if (!this.#isKnown(head, length)) {
      this.#topic = readHead(head).topic;
      this.#known = Uint8Array.from(head.subarray(0, length + 1));
    }
    return { topic: this.#topic, key: keyOf(head, length) };
  }

  #isKnown(head: Uint8Array, length: number): boolean {
    for (let i = 0; i <= length; i++) if (head[i] !== this.#known[i]) return false;
    return true;
  }
}

function keyOf(head: Uint8Array, topicLength: number): Buffer | undefined {
  const start = topicLength + 2;
  if (head[start - 1] !== 1) return undefined;
  return Buffer.from(head.buffer, head.byteOffset + start, head.length - start);
}
