/** Time that one read may take. Ended when the read ends: a timer that runs on would hold on to the whole request until it fires. */
export interface Deadline {
  /** Aborted by the client's going away, and when the time is over. */
  readonly signal: AbortSignal;
  /** The time is over, whatever else has happened. */
  readonly isOver: boolean;
  end(): void;
}

export function startDeadline(request: AbortSignal, timeMs: number): Deadline {
  const controller = new AbortController();
  let isOver = false;
  const leave = () => controller.abort(request.reason);
  const timer = setTimeout(() => {
    isOver = true;
    controller.abort(new DOMException('the read took too long', 'TimeoutError'));
  }, timeMs);
  timer.unref();
  if (request.aborted) leave();
  else request.addEventListener('abort', leave, { once: true });
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    end() {
      clearTimeout(timer);
      request.removeEventListener('abort', leave);
    },
  };
}
