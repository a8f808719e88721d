import type { LogColumns } from './log-columns.ts';

/** Kinds of spans in OTLP. */
export const SERVER = 2;
export const CLIENT = 3;
const LAST_KIND = 5;

/** Where a row was captured, by the first letter of its observation point. */
const CLIENT_SIDE = 0x63;
const SERVER_SIDE = 0x73;

/** `signal_source` of rows that came in as spans. */
const SIGNAL_OTEL = 4;

/** Statuses of spans in OTLP. */
const UNSET = 0;
export const OK = 1;
export const ERROR = 2;

/** Status by `response_status`: success, error, timeout, server and client error, unknown, parse failed. A timeout says nothing of the outcome. */
const statuses: readonly number[] = [OK, ERROR, UNSET, ERROR, ERROR, UNSET, UNSET];

/** What several parts of a span depend on, worked out for all rows of a Batch at once. */
export class SpanOutline {
  readonly #kinds: Uint8Array;
  readonly #sides: Uint8Array;
  readonly #signals: Uint16Array;
  readonly #statuses: Uint8Array;

  constructor(columns: LogColumns) {
    const { rows } = columns.batch;
    const points = columns.text('observation_point');
    const { values, nulls } = columns.optional('span_kind');
    this.#kinds = new Uint8Array(rows);
    this.#sides = new Uint8Array(rows);
    this.#signals = columns.shorts('signal_source');
    this.#statuses = columns.bytes('response_status');
    for (let row = 0; row < rows; row++) {
      const start = points.start(row);
      const side = start < points.end(row) ? points.bytes[start]! : 0;
      this.#sides[row] = side;
      const own = nulls[row] === 0 ? values[row]! : 0;
      const isKind = own !== 0 && own <= LAST_KIND;
      this.#kinds[row] = isKind ? own : side === CLIENT_SIDE ? CLIENT : side === SERVER_SIDE ? SERVER : 0;
    }
  }

  /** The row's own kind, else by the end it was captured at; 0 = not known. */
  kind(row: number): number {
    return this.#kinds[row]!;
  }

  /** Whether the row was captured on the client's side. */
  isClientSide(row: number): boolean {
    return this.#sides[row] === CLIENT_SIDE;
  }

  /** Whether the row came in as a span, with ids of its own. */
  isImported(row: number): boolean {
    return this.#signals[row] === SIGNAL_OTEL;
  }

  status(row: number): number {
    return statuses[this.#statuses[row]!] ?? UNSET;
  }
}
