import type { ConnectionEnds, LiveAgent } from './agents.ts';
import type { SyncAnswer, AnswerSync } from './sync-answer.ts';

/** An open answer to Push. */
export interface PushStream {
  readonly ends: ConnectionEnds;
  readonly send: (bytes: Buffer) => void;
  /** Messages that the agent has not taken yet. */
  readonly waiting: () => number;
  readonly close: () => void;
}

/** An agent that takes nothing any more is cut off; it opens the stream anew if it lives. */
const MOST_WAITING = 4;

/** The open Push streams, one an agent: the last one it opened. */
export class PushStreams {
  readonly #open = new Map<number, PushStream>();

  open(agentId: number, stream: PushStream): void {
    const former = this.#open.get(agentId);
    this.#open.set(agentId, stream);
    former?.close();
  }

  closed(agentId: number, stream: PushStream): void {
    if (this.#open.get(agentId) === stream) this.#open.delete(agentId);
  }

  has(agentId: number): boolean {
    return this.#open.has(agentId);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Sends its answer to every agent that was told something else; calls `sent` for each. */
  pushChanges(
    agentOf: (id: number) => LiveAgent | undefined,
    answer: AnswerSync,
    sent: (agent: LiveAgent, answer: SyncAnswer) => void,
  ): void {
    for (const [id, stream] of this.#open) {
      const agent = agentOf(id);
      if (agent === undefined) continue;
      const current = answer(agent, stream.ends);
      if (agent.told?.checksum === current.checksum) continue;
      if (stream.waiting() >= MOST_WAITING) {
        stream.close();
        continue;
      }
      stream.send(current.bytes);
      sent(agent, current);
    }
  }

  closeAll(): void {
    for (const stream of this.#open.values()) stream.close();
    this.#open.clear();
  }
}
