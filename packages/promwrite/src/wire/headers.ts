/**
 * The header names and values of remote write (sections "HTTP" of the 1.0 and "Protocol" of the 2.0 specification),
 * and the rules by which a receiver picks the message.
 */

/** Protobuf message of remote write 1.0 or 2.0, by full name; the value of the `proto=` parameter. */
export type ProtobufMessage = 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request';

/** Full name of the remote write 1.0 message. */
export const WRITE_REQUEST = 'prometheus.WriteRequest';
/** Full name of the remote write 2.0 message. */
export const REQUEST_V2 = 'io.prometheus.write.v2.Request';

/** `Content-Type` to send with remote write 1.0: the plain form, which every 1.0 receiver knows. */
export const CONTENT_TYPE_V1 = 'application/x-protobuf';
/** `Content-Type` to send with remote write 2.0: without a space, as some receivers do not trim. */
export const CONTENT_TYPE_V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
/** `Content-Encoding` of both versions: the Snappy block format. */
export const CONTENT_ENCODING = 'snappy';

/** Name of the header that tells the version of the protocol. */
export const VERSION_HEADER = 'X-Prometheus-Remote-Write-Version';
/** Value of {@link VERSION_HEADER} for every 1.x sender (0.1.0 is not a slip). */
export const VERSION_V1 = '0.1.0';
/** Value of {@link VERSION_HEADER} for 2.0. */
export const VERSION_V2 = '2.0.0';

/** Response header of 2.0: number of samples accepted. */
export const SAMPLES_WRITTEN_HEADER = 'X-Prometheus-Remote-Write-Samples-Written';
/** Response header of 2.0: number of histograms accepted. */
export const HISTOGRAMS_WRITTEN_HEADER = 'X-Prometheus-Remote-Write-Histograms-Written';
/** Response header of 2.0: number of exemplars accepted. */
export const EXEMPLARS_WRITTEN_HEADER = 'X-Prometheus-Remote-Write-Exemplars-Written';

/** Header that carries the tenant for Cortex, Mimir, Loki and their kin. */
export const TENANT_HEADER = 'X-Scope-OrgID';
/** Header with the number of earlier attempts at sending the same body, as Prometheus adds it. */
export const RETRY_ATTEMPT_HEADER = 'Retry-Attempt';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PARAMETER = /^[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*)")[ \t]*/;

/**
 * Picks the protobuf message for a `Content-Type`, by the rules of RFC 9110: media type and parameter names in any
 * case, optional whitespace around `;`, values plain or quoted. No header at all means remote write 1.0, as does a
 * media type without a `proto` parameter; other parameters are ignored.
 *
 * @returns the message, or `undefined` if the receiver should answer 415: another media type, a parameter that is not
 *   `name=value`, `proto` given twice with different values, or a message that is not known.
 */
export function parseContentType(header: string | undefined | null): ProtobufMessage | undefined {
  if (header === undefined || header === null || header.trim() === '') return WRITE_REQUEST;
  const semicolon = header.indexOf(';');
  const mediaType = (semicolon === -1 ? header : header.slice(0, semicolon)).trim().toLowerCase();
  if (mediaType !== 'application/x-protobuf') return undefined;

  let proto: string | undefined;
  let rest = semicolon === -1 ? '' : header.slice(semicolon + 1);
  while (rest !== '') {
    const empty = /^[ \t]*(;|$)/.exec(rest);
    if (empty !== null) {
      rest = rest.slice(empty[0].length);
      continue;
    }
    const match = PARAMETER.exec(rest);
    if (match === null) return undefined;
    const after = rest.slice(match[0].length);
    if (after !== '' && !after.startsWith(';')) return undefined;
    rest = after.slice(1);
    if (match[1]?.toLowerCase() !== 'proto') continue;
    const value = match[2] ?? (match[3] ?? '').replace(/\\(.)/g, '$1');
    if (proto !== undefined && proto !== value) return undefined;
    proto = value;
  }
  if (proto === undefined || proto === WRITE_REQUEST) return WRITE_REQUEST;
  return proto === REQUEST_V2 ? REQUEST_V2 : undefined;
}

/** True if `name` may be the name of an HTTP header (a token of RFC 9110). */
export function isHeaderName(name: string): boolean {
  return TOKEN.test(name);
}
