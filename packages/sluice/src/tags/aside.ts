import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { errorText } from '../base/errors.ts';

/**
 * More than any input takes that is read at all (YAML of a megabyte: 450 MB): a thread that comes to its limit mostly ends alone, but now and then with
 * the whole process.
 */
const MOST_HEAP_MB = 1024;

interface Task<Input> {
  /** The module whose function it is for. */
  readonly aside: string;
  readonly input: Input;
}

type Done<Output> = { readonly output: Output } | { readonly error: string };

/** Rejects with what the function throws, when the thread cannot go on, and when `signal` is aborted: the thread is then ended. */
export type Aside<Input, Output> = (input: Input, signal: AbortSignal) => Promise<Output>;

/**
 * A function that does its work in a thread of its own, which ends with it: it would hold up everybody else. To be called once in a module, at its end,
 * with the module's `import.meta.url`: that file is the thread's program as well, so that no second path has to be found when the hub runs from a build.
 * Inputs and outputs are copied from one thread to the other. `what` is read, for errors.
 */
export function aside<Input, Output>(
  module: string,
  what: string,
  work: (input: Input) => Output,
): Aside<Input, Output> {
  const data: unknown = workerData;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  if (!isMainThread && isTask<Input>(data, module)) parentPort?.postMessage(done(work, data.input));
  return (input, signal) => inThread({ aside: module, input }, what, signal);
}

function isTask<Input>(data: unknown, module: string): data is Task<Input> {
  return typeof data === 'object' && data !== null && 'aside' in data && data.aside === module;
}

function done<Input, Output>(work: (input: Input) => Output, input: Input): Done<Output> {
  try {
    return { output: work(input) };
  } catch (error) {
    return { error: errorText(error) };
  }
}

function inThread<Input, Output>(task: Task<Input>, what: string, signal: AbortSignal): Promise<Output> {
  const unwanted = `cannot read ${what}: nobody wants it any more`;
  if (signal.aborted) return Promise.reject(new Error(unwanted));
  const { promise, resolve, reject } = Promise.withResolvers<Output>();
  const worker = new Worker(new URL(task.aside), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop);
  worker.once('message', (message: Done<Output>) => {
    if ('output' in message) resolve(message.output);
    else reject(new Error(message.error));
    stop();
  });
  worker.once('error', (error) => reject(new Error(`cannot read ${what}: ${errorText(error)}`)));
  worker.once('exit', () => {
    signal.removeEventListener('abort', stop);
    reject(new Error(signal.aborted ? unwanted : `cannot read ${what}: its thread has ended`));
  });
  return promise;
}
