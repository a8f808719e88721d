/** Attributes that columns are filled from, by the semantic conventions before 1.0. */

/** What becomes of the value of a span's attribute. */
export const SpanAttribute = {
  OTHER: 0,
  TRANSPORT: 1,
  PEER_ADDRESS: 2,
  PEER_IP: 3,
  SYSTEM: 4,
  VERSION: 5,
  HTTP_STATUS: 6,
  DOMAIN: 7,
  TYPE: 8,
  RESOURCE: 9,
  URL: 10,
  REQUEST_LENGTH: 11,
  RESPONSE_LENGTH: 12,
  AFFECTED_ROWS: 13,
  MEASURE: 14,
  SW8_TRACE: 15,
  SW8_SEGMENT: 16,
  SW8_SPAN: 17,
  SW8_PARENT: 18,
} as const;

/** Of a resource's attribute. */
export const ResourceAttribute = { OTHER: 0, SERVICE: 1, INSTANCE: 2, HOST_IP: 3, SW8_TRACE: 4 } as const;

/** Of a link's attribute. */
export const LinkAttribute = { OTHER: 0, KIND: 1, PARENT_SPAN: 2, PARENT_SEGMENT: 3 } as const;

/** Numbers of names, found by comparing bytes: no text is made of a name. */
export class NameTable {
  /** By length of the name. */
  readonly #byLength: (readonly (readonly [name: Uint8Array, number: number])[] | undefined)[] = [];

  constructor(names: Readonly<Record<string, number>>) {
    for (const [text, number] of Object.entries(names)) {
      const name = new TextEncoder().encode(text);
      this.#byLength[name.length] = [...(this.#byLength[name.length] ?? []), [name, number]];
    }
  }

  /** Number of the name in [start, end), 0 when it is not in the table. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const candidates = this.#byLength[end - start];
    if (candidates === undefined) return 0;
    for (const [name, number] of candidates) {
      let at = 0;
      while (at < name.length && bytes[start + at] === name[at]) at++;
      if (at === name.length) return number;
    }
    return 0;
  }
}

export const spanNames = new NameTable({
  'net.transport': SpanAttribute.TRANSPORT,
  'network.peer.address': SpanAttribute.PEER_ADDRESS,
  'net.peer.ip': SpanAttribute.PEER_IP,
  'http.scheme': SpanAttribute.SYSTEM,
  'db.system': SpanAttribute.SYSTEM,
  'rpc.system': SpanAttribute.SYSTEM,
  'messaging.system': SpanAttribute.SYSTEM,
  'messaging.protocol': SpanAttribute.SYSTEM,
  'http.flavor': SpanAttribute.VERSION,
  'http.status_code': SpanAttribute.HTTP_STATUS,
  'http.host': SpanAttribute.DOMAIN,
  'db.connection_string': SpanAttribute.DOMAIN,
  'http.method': SpanAttribute.TYPE,
  'db.operation': SpanAttribute.TYPE,
  'rpc.method': SpanAttribute.TYPE,
  'http.target': SpanAttribute.RESOURCE,
  'db.statement': SpanAttribute.RESOURCE,
  'messaging.url': SpanAttribute.RESOURCE,
  'rpc.service': SpanAttribute.RESOURCE,
  'http.url': SpanAttribute.URL,
  'http.request_content_length': SpanAttribute.REQUEST_LENGTH,
  'http.response_content_length': SpanAttribute.RESPONSE_LENGTH,
  'db.cassandra.page_size': SpanAttribute.AFFECTED_ROWS,
  'message.uncompressed_size': SpanAttribute.MEASURE,
  'messaging.message_payload_size_bytes': SpanAttribute.MEASURE,
  'messaging.message_payload_compressed_size_bytes': SpanAttribute.MEASURE,
  'web.vitals.LCP.value': SpanAttribute.MEASURE,
  'web.vitals.TTFB.value': SpanAttribute.MEASURE,
  'web.vitals.FCP.value': SpanAttribute.MEASURE,
  'web.vitals.INP.value': SpanAttribute.MEASURE,
  'web.vitals.CLS.value': SpanAttribute.MEASURE,
  'sw8.trace_id': SpanAttribute.SW8_TRACE,
  'sw8.segment_id': SpanAttribute.SW8_SEGMENT,
  'sw8.span_id': SpanAttribute.SW8_SPAN,
  'sw8.parent_span_id': SpanAttribute.SW8_PARENT,
});

export const resourceNames = new NameTable({
  'service.name': ResourceAttribute.SERVICE,
  'service.instance.id': ResourceAttribute.INSTANCE,
  'app.host.ip': ResourceAttribute.HOST_IP,
  'sw8.trace_id': ResourceAttribute.SW8_TRACE,
});

export const linkNames = new NameTable({
  refType: LinkAttribute.KIND,
  'sw8.parent_span_id': LinkAttribute.PARENT_SPAN,
  'sw8.parent_segment_id': LinkAttribute.PARENT_SEGMENT,
});
