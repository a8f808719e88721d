import { BoundsList } from '../bounds-list.ts';
import { FieldScan } from '../field-scan.ts';

/*
 * A span on the wire:
 *
 *   1 trace id | 2 span id | 4 parent span id | 5 name | 6 kind | 7 start ns (8 bytes) | 8 end ns (8 bytes) | 9 KeyValue* | 11 Event* | 13 Link* | 15 Status
 *   Status: 2 message | 3 code (0 unset, 1 OK, 2 error)
 */

/** Bounds of bytes. */
export interface Bounds {
  start: number;
  end: number;
}

const expected: readonly number[] = [-1, 2, 2, -1, 2, 2, 0, 1, 1, 2, -1, 2, -1, 2, -1, 2];

/** The uppermost level of one span; what lies deeper is read when the order is known in which it is needed. */
export class SpanFields {
  readonly traceId: Bounds = { start: 0, end: 0 };
  readonly spanId: Bounds = { start: 0, end: 0 };
  readonly parentSpanId: Bounds = { start: 0, end: 0 };
  readonly name: Bounds = { start: 0, end: 0 };
  readonly statusMessage: Bounds = { start: 0, end: 0 };
  kind = 0;
  startLow = 0;
  startHigh = 0;
  endLow = 0;
  endHigh = 0;
  statusCode = 0;
  readonly attributes = new BoundsList();
  readonly events = new BoundsList();
  readonly links = new BoundsList();
  readonly #scan = new FieldScan();
  readonly #status = new FieldScan();

  /** Reads the span in [start, end); false when it is malformed. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.#clear();
    const scan = this.#scan;
    scan.begin(bytes, start, end);
    while (scan.next()) {
      const wanted = expected[scan.field] ?? -1;
      if (wanted < 0) continue;
      if (scan.wireType !== wanted || !this.#take(bytes, scan)) return false;
    }
    return !scan.isMalformed;
  }

  #take(bytes: Uint8Array, scan: FieldScan): boolean {
    switch (scan.field) {
      case 1:
        return keep(this.traceId, scan);
      case 2:
        return keep(this.spanId, scan);
      case 4:
        return keep(this.parentSpanId, scan);
      case 5:
        return keep(this.name, scan);
      case 6:
        this.kind = scan.low;
        return true;
      case 7:
        this.startLow = scan.low;
        this.startHigh = scan.high;
        return true;
      case 8:
        this.endLow = scan.low;
        this.endHigh = scan.high;
        return true;
      case 9:
        this.attributes.add(scan.start, scan.end);
        return true;
      case 11:
        this.events.add(scan.start, scan.end);
        return true;
      case 13:
        this.links.add(scan.start, scan.end);
        return true;
      default:
        return this.#readStatus(bytes, scan);
    }
  }

  #readStatus(bytes: Uint8Array, at: FieldScan): boolean {
    const scan = this.#status;
    scan.begin(bytes, at.start, at.end);
    while (scan.next()) {
      if (scan.field === 2) {
        if (scan.wireType !== 2) return false;
        keep(this.statusMessage, scan);
      } else if (scan.field === 3) {
        if (scan.wireType !== 0) return false;
        this.statusCode = scan.low;
      }
    }
    return !scan.isMalformed;
  }

  #clear(): void {
    for (const bounds of [this.traceId, this.spanId, this.parentSpanId, this.name, this.statusMessage]) {
      bounds.start = 0;
      bounds.end = 0;
    }
    this.kind = 0;
    this.startLow = 0;
    this.startHigh = 0;
    this.endLow = 0;
    this.endHigh = 0;
    this.statusCode = 0;
    this.attributes.clear();
    this.events.clear();
    this.links.clear();
  }
}

function keep(bounds: Bounds, scan: FieldScan): true {
  bounds.start = scan.start;
  bounds.end = scan.end;
  return true;
}
