/** Why a request or connection did not reach its handler: the values of the label `reason` of sluice_http_refused_total. */
export const REFUSED_REASONS = {
  attempts: 'too many wrong passwords were tried',
  body_size: 'the body is larger than the limit of its route',
  check: 'the route refused the headers',
  connections: 'limits.connections is reached and no connection is idle',
  forbidden: 'the credentials do not have the scope',
  gone: 'the client went away before its body was complete',
  header_size: 'the headers are larger than 16 KiB',
  idle: 'an idle connection was closed in favour of a new one',
  malformed: 'the bytes are not HTTP',
  memory: 'running requests use all of limits.memory',
  method: 'the route exists for another method',
  network: 'the address is not in `allow`',
  not_found: 'there is no such route',
  organisation: 'X-Org-Id is not one of the configured organisations',
  pipelined: 'too many requests were sent ahead on one connection',
  slow_body: 'the body came too slowly',
  slow_header: 'the headers came too slowly',
  slow_reader: 'the client did not read its answer',
  stopping: 'the hub is stopping',
  tls: 'the TLS handshake failed',
  unauthorized: 'credentials are missing or wrong',
} as const;

export type RefusedReason = keyof typeof REFUSED_REASONS;
