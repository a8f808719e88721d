import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';
import { errorText } from '../base/errors.ts';

/**
 * bcrypt in a thread of its own. One comparison takes 50 ms and more of pure computing; in the main thread every wrong password would
 * stall all receivers for that long. The thread starts with the first comparison and ends after a while without one.
 */
export class BcryptWorker {
  readonly #idleMs: number;
  readonly #pending = new Map<number, PromiseWithResolvers<boolean>>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #next = 0;

  constructor(idleMs = 10_000) {
    this.#idleMs = idleMs;
  }

  /** Whether `password` belongs to `hash` ($2a$, $2b$ or $2y$). Rejects when the thread cannot run. */
  compare(password: string, hash: string): Promise<boolean> {
    const worker = (this.#worker ??= this.#start());
    clearTimeout(this.#idle);
    const id = this.#next++;
    const answer = Promise.withResolvers<boolean>();
    this.#pending.set(id, answer);
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage({ id, password, hash } satisfies Question);
    return answer.promise;
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: MARK,
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    worker.on('message', (answer: Answer) => {
      this.#pending.get(answer.id)?.resolve(answer.equal);
      this.#pending.delete(answer.id);
      if (this.#pending.size > 0) return;
      worker.unref();
      this.#idle = setTimeout(() => this.#end(worker), this.#idleMs).unref();
    });
    worker.on('error', (error) => this.#fail(worker, errorText(error)));
    worker.on('exit', () => this.#fail(worker, 'its thread has ended'));
    return worker;
  }

  /** Who comes from now on gets another thread: this one takes a while to end, and would answer nobody. */
  #end(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    void worker.terminate();
  }

  #fail(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    for (const answer of this.#pending.values()) answer.reject(new Error(`cannot compare a password: ${why}`));
    this.#pending.clear();
  }
}

interface Question {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

interface Answer {
  readonly id: number;
  readonly equal: boolean;
}

// The same file is the thread's program, so that no second path has to be found when the hub runs from a build.
const MARK = 'sluice bcrypt';
if (!isMainThread && workerData === MARK) {
  parentPort?.on('message', (question: Question) => {
    const equal = compareSync(question.password, question.hash);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    parentPort?.postMessage({ id: question.id, equal } satisfies Answer);
  });
}
