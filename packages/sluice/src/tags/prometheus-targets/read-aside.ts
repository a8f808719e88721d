import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { errorText } from '../../base/errors.ts';
import { readAnswer, type AnswerKind, type ReadAnswer } from './read-answers.ts';

/** What is read in some milliseconds: JSON at 100 MB a second, YAML at one. */
const SMALL: Readonly<Record<AnswerKind, number>> = { targets: 256 * 1024, metadata: 256 * 1024, config: 8 * 1024 };

/** More than any answer takes that is read at all: a thread that comes to its limit mostly ends alone, but now and then with the whole process. */
const MOST_HEAP_MB = 1024;

interface Task {
  readonly mark: string;
  readonly kind: AnswerKind;
  readonly body: Uint8Array;
}

type Done = { readonly answer: ReadAnswer } | { readonly error: string };

/** `readAnswer`, larger bodies in a thread of their own, which ends with it: reading them would hold up everybody else. Rejects when `signal` is aborted. */
export function readAside(kind: AnswerKind, body: Uint8Array, signal: AbortSignal): Promise<ReadAnswer> {
  const done = Promise.withResolvers<ReadAnswer>();
  if (body.length <= SMALL[kind]) {
    try {
      done.resolve(readAnswer(kind, body));
    } catch (error) {
      done.reject(error);
    }
    return done.promise;
  }
  if (signal.aborted) return Promise.reject(new Error('cannot read the answer: nobody wants it any more'));
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { mark: MARK, kind, body } satisfies Task,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop);
  worker.once('message', (message: Done) => {
    if ('answer' in message) done.resolve(message.answer);
    else done.reject(new Error(message.error));
    stop();
  });
  worker.once('error', (error) => done.reject(new Error(`cannot read the answer: ${errorText(error)}`)));
  worker.once('exit', () => {
    signal.removeEventListener('abort', stop);
    done.reject(new Error('cannot read the answer: its thread has ended'));
  });
  return done.promise;
}

// The same file is the thread's program, so that no second path has to be found when the hub runs from a build.
const MARK = 'sluice answer of a Prometheus server';
if (!isMainThread && isTask(workerData)) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(run(workerData));
}

function run({ kind, body }: Task): Done {
  try {
    return { answer: readAnswer(kind, body) };
  } catch (error) {
    return { error: errorText(error) };
  }
}

function isTask(data: unknown): data is Task {
  return typeof data === 'object' && data !== null && 'mark' in data && data.mark === MARK;
}
