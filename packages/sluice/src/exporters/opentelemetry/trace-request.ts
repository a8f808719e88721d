import { putVarint, varintSize } from '../varint.ts';
import type { ItemBatch } from '../../delivery/item-batch.ts';

/*
 * ExportTraceServiceRequest on the wire, of items whose heads are Resources and whose bodies are Spans:
 *
 *   0x0a | length | ResourceSpans, as many as there are different resources
 *     ResourceSpans: 0x0a | length | Resource     0x12 | length | ScopeSpans
 *     ScopeSpans:    0x12 | length | Span, as many as there are
 */

const RESOURCE_SPANS = 0x0a;
const RESOURCE = 0x0a;
const SCOPE_SPANS = 0x12;
const SPAN = 0x12;

/** Resources of one look that are compared; what is missed comes twice, which is as right. */
const MOST_COMPARED = 4;
/** Every so many bytes one is looked at. */
const STRIDE = 13;

/** The request for a batch: spans of equal resources together, in their order. */
export function traceRequest(items: ItemBatch): Buffer {
  const groups = groupByResource(items);
  let total = 0;
  for (const group of groups) {
    let spans = 0;
    for (const item of group.items) spans += fieldSize(items.body(item).length);
    group.scopeSize = spans;
    group.size = fieldSize(group.resource.length) + fieldSize(spans);
    total += fieldSize(group.size);
  }
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (const { items: members, resource, scopeSize, size } of groups) {
    at = putField(out, at, RESOURCE_SPANS, size);
    at = putField(out, at, RESOURCE, resource.length);
    out.set(resource, at);
    at = putField(out, at + resource.length, SCOPE_SPANS, scopeSize);
    for (const item of members) {
      const span = items.body(item);
      at = putField(out, at, SPAN, span.length);
      out.set(span, at);
      at += span.length;
    }
  }
  return out;
}

interface Group {
  readonly resource: Uint8Array;
  readonly items: number[];
  /** Bytes of its ScopeSpans. */
  scopeSize: number;
  /** Bytes of its ResourceSpans. */
  size: number;
}

function groupByResource(items: ItemBatch): readonly Group[] {
  const groups: Group[] = [];
  const byLook = new Map<number, Group[]>();
  for (let item = 0; item < items.count; item++) {
    const resource = items.head(item);
    const look = lookOf(resource);
    let alike = byLook.get(look);
    if (alike === undefined) {
      alike = [];
      byLook.set(look, alike);
    }
    let group = alike.find((one) => Buffer.compare(one.resource, resource) === 0);
    if (group === undefined) {
      group = { resource, items: [], scopeSize: 0, size: 0 };
      groups.push(group);
      if (alike.length < MOST_COMPARED) alike.push(group);
    }
    group.items.push(item);
  }
  return groups;
}

/** A number that equal resources share, of some of their bytes. */
function lookOf(resource: Uint8Array): number {
  let look = resource.length;
  for (let at = 0; at < resource.length; at += STRIDE) look = Math.imul(look ^ resource[at]!, 0x0100_0193);
  return look;
}

function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function putField(out: Uint8Array, at: number, tag: number, length: number): number {
  out[at] = tag;
  return putVarint(out, at + 1, length);
}
