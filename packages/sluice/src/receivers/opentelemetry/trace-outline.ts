import { FieldScan } from '../field-scan.ts';

/*
 * OTLP traces on the wire (TracesData, and ExportTraceServiceRequest, which looks the same):
 *
 *   TracesData     1 ResourceSpans*
 *   ResourceSpans  1 Resource | 2 ScopeSpans*
 *   Resource       1 KeyValue*
 *   ScopeSpans     2 Span*
 */

/** Where the spans of a message lie, and the resource of each. */
export class TraceOutline {
  /** Spans found. */
  count = 0;
  /** 4 numbers a span: begin and end of its resource (equal when it has none), begin and end of itself. */
  bounds = new Uint32Array(64);
  readonly #message = new FieldScan();
  readonly #resource = new FieldScan();
  readonly #scope = new FieldScan();

  /** Goes through the message in [start, end) down to its spans, not into them. */
  read(bytes: Uint8Array, start: number, end: number, maxSpans: number): 'read' | 'malformed' | 'too_many' {
    this.count = 0;
    const message = this.#message;
    message.begin(bytes, start, end);
    while (message.next()) {
      if (message.field !== 1) continue;
      if (message.wireType !== 2) return 'malformed';
      const outcome = this.#resourceSpans(bytes, message, maxSpans);
      if (outcome !== 'read') return outcome;
    }
    return message.isMalformed ? 'malformed' : 'read';
  }

  #resourceSpans(bytes: Uint8Array, at: FieldScan, maxSpans: number): 'read' | 'malformed' | 'too_many' {
    const first = this.count;
    let start = 0;
    let end = 0;
    const resource = this.#resource;
    resource.begin(bytes, at.start, at.end);
    while (resource.next()) {
      if (resource.field > 2) continue;
      if (resource.wireType !== 2) return 'malformed';
      if (resource.field === 1) ({ start, end } = resource);
      else {
        const outcome = this.#scopeSpans(bytes, resource, maxSpans);
        if (outcome !== 'read') return outcome;
      }
    }
    // The resource may come behind its spans.
    for (let span = first; span < this.count; span++) {
      this.bounds[span * 4] = start;
      this.bounds[span * 4 + 1] = end;
    }
    return resource.isMalformed ? 'malformed' : 'read';
  }

  #scopeSpans(bytes: Uint8Array, at: FieldScan, maxSpans: number): 'read' | 'malformed' | 'too_many' {
    const scope = this.#scope;
    scope.begin(bytes, at.start, at.end);
    while (scope.next()) {
      if (scope.field !== 2) continue;
      if (scope.wireType !== 2) return 'malformed';
      if (this.count >= maxSpans) return 'too_many';
      this.#add(scope.start, scope.end);
    }
    return scope.isMalformed ? 'malformed' : 'read';
  }

  #add(start: number, end: number): void {
    const at = this.count++ * 4;
    if (at === this.bounds.length) {
      const larger = new Uint32Array(at * 2);
      larger.set(this.bounds);
      this.bounds = larger;
    }
    this.bounds[at + 2] = start;
    this.bounds[at + 3] = end;
  }
}
