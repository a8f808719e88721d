import type { HttpReply } from '../../base/ports.ts';
import { FieldScan } from '../field-scan.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';

/** A label that the agent adds to all series of a request. */
export interface ExtraLabel {
  readonly name: string;
  readonly value: string;
}

export interface PrometheusRecordOptions {
  /**
   * Takes a remote-write 1.0 body (Snappy) with labels to add and the agent's number, and answers as the HTTP route would. The body is read before
   * the first await.
   */
  readonly write: (
    body: Uint8Array,
    org: number,
    extraLabels: readonly ExtraLabel[],
    agent: number,
  ) => Promise<HttpReply>;
  /** Resolves after so many milliseconds, or at once when the signal is aborted. */
  readonly wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export interface PrometheusRecordDecoder extends RecordDecoder {
  /** Ends the waiting for a hub that does not take records at the moment; those are dropped as `stopping`. */
  stop(): void;
}

const BODY_FIELD = 1;
const NAME_FIELD = 2;
const VALUE_FIELD = 3;

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

/**
 * PROMETHEUS: a remote-write request that an agent took, passed on untouched with the labels that the agent was told to add.
 *
 * The promise settles when the journal has the rows; so while the hub takes nothing (503) the record is tried again and again, its connection is not
 * read, and the agent slows down. Dropped are records that are `malformed`, that have more names than values or the reverse (`unequal_lists`), whose
 * request or parts of it were refused (`refused`; the sound parts are kept), or met the limit of series (`series_limit`; the known ones are kept).
 */
export function createPrometheusRecordDecoder(options: PrometheusRecordOptions): PrometheusRecordDecoder {
  const { write, wait = pause } = options;
  const stopping = new AbortController();
  const scan = new FieldScan();
  const decoder = new TextDecoder();

  const send = async (
    body: Uint8Array,
    { org, agent }: Sender,
    labels: readonly ExtraLabel[],
  ): Promise<Dropped | undefined> => {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      const { status } = await write(body, org, labels, agent);
      if (status < 300) return undefined;
      if (status === 429) return 'series_limit';
      if (status < 500) return 'refused';
      if (!stopping.signal.aborted) await wait(waitMs, stopping.signal);
      if (stopping.signal.aborted) return 'stopping';
    }
  };

  return {
    decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | Promise<Dropped | undefined> {
      const names: string[] = [];
      const values: string[] = [];
      let body: Uint8Array | undefined;
      scan.begin(bytes, start, end);
      while (scan.next()) {
        if (scan.wireType !== 2) {
          if (scan.field <= VALUE_FIELD) return 'malformed';
          continue;
        }
        const value = bytes.subarray(scan.start, scan.end);
        if (scan.field === BODY_FIELD) body = value;
        else if (scan.field === NAME_FIELD) names.push(decoder.decode(value));
        else if (scan.field === VALUE_FIELD) values.push(decoder.decode(value));
      }
      if (scan.isMalformed || body === undefined) return 'malformed';
      if (names.length !== values.length) return 'unequal_lists';
      return send(
        body,
        sender,
        names.map((name, index) => ({ name, value: values[index]! })),
      );
    },
    stop: () => stopping.abort(),
  };
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}
