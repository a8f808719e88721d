/** Why a request or connection did not reach its handler: the values of the label `reason` of sluice_http_refused_total. */
export type RefusedReason =
  /** Too many wrong passwords were tried. */
  | 'attempts'
  /** The body is larger than the limit of its route. */
  | 'body_size'
  /** The route refused the headers. */
  | 'check'
  /** Limits.connections is reached and no connection is idle. */
  | 'connections'
  /** The credentials do not have the scope. */
  | 'forbidden'
  /** The client went away before its body was complete. */
  | 'gone'
  /** The headers are larger than 16 KiB. */
  | 'header_size'
  /** An idle connection was closed in favour of a new one. */
  | 'idle'
  /** The bytes are not HTTP. */
  | 'malformed'
  /** Running requests use all of limits.memory. */
  | 'memory'
  /** The route exists for another method. */
  | 'method'
  /** The address is not in `allow`. */
  | 'network'
  /** There is no such route. */
  | 'not_found'
  /** X-Org-Id is not one of the configured organisations. */
  | 'organisation'
  /** Too many requests were sent ahead on one connection. */
  | 'pipelined'
  /** The body came too slowly. */
  | 'slow_body'
  /** The headers came too slowly. */
  | 'slow_header'
  /** The client did not read its answer. */
  | 'slow_reader'
  /** The hub is stopping. */
  | 'stopping'
  /** The TLS handshake failed. */
  | 'tls'
  /** Credentials are missing or wrong. */
  | 'unauthorized';
