import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { formatHostPort } from '../base/config-schema.ts';
import { errorText } from '../base/errors.ts';
import { listenOn } from '../base/listen-on.ts';
import type { Admit } from '../base/ports.ts';
import type { Log } from '../telemetry/log.ts';
import { certificateSubject, type TlsFiles, type TlsMaterial } from '../access/tls-files.ts';
import type { HttpLimits } from './config.ts';
import type { Connection, Connections } from './connections.ts';
import type { RefusedReason } from './refused.ts';

/** One HTTP listener: a name and any number of addresses that share its rules. */
export interface HttpListener {
  /** Its key in `listen`: what metrics, logs and errors call it. */
  readonly name: string;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  /** Absent = everybody may do everything (`auth: none`). */
  readonly admit?: Admit | undefined;
  readonly tls?: TlsFiles | undefined;
  /** Which peer addresses may connect; absent = all. */
  readonly allows?: ((address: string | undefined) => boolean) | undefined;
}

/** Where a listener really listens. */
export interface ListenAddress {
  readonly listener: string;
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

/** What the server knows about the connection a request came on. */
export interface Peer {
  readonly connection: Connection;
  readonly listener: HttpListener;
  readonly certificate: string | undefined;
}

export interface OpenListenerOptions {
  readonly listener: HttpListener;
  readonly host: string;
  readonly port: number;
  readonly limits: HttpLimits;
  readonly connections: Connections;
  readonly peers: WeakMap<Socket, Peer>;
  readonly refuse: (reason: RefusedReason) => void;
  readonly log: Log;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface OpenedListener {
  readonly address: ListenAddress;
  /** Accepts no more; resolves when the last connection is closed. */
  readonly close: () => Promise<void>;
}

const MAX_HEADER_BYTES = 16 * 1024;

/** Opens one address. Throws SluiceError `listen_failed`. */
export async function openListener(options: OpenListenerOptions): Promise<OpenedListener> {
  const { listener, limits } = options;
  const settings = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headerTimeoutMs,
    // Bodies have their own clock (read-body.ts), which spares a large one that keeps coming.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.max(50, Math.min(1000, limits.headerTimeoutMs / 4)),
    keepAliveTimeout: limits.keepAliveMs,
    keepAlive: true,
    noDelay: true,
  };
  let server: Server | TlsServer;
  let unsubscribe: (() => void) | undefined;
  if (listener.tls === undefined) {
    server = createServer(settings);
    server.on('connection', (socket) => void takeIn(options, socket));
  } else {
    const { tls } = listener;
    const secure = createTlsServer({
      ...settings,
      ...secureContext(tls.material),
      ...tls.clientCertificates,
      handshakeTimeout: limits.headerTimeoutMs,
    });
    unsubscribe = tls.subscribe((material) => secure.setSecureContext(secureContext(material)));
    acceptTls(options, secure);
    server = secure;
  }
  server.on('request', options.onRequest);
  // With a listener of its own, `100 Continue` is sent when the body is wanted, not before anything is checked.
  server.on('checkContinue', options.onRequest);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => onClientError(options, error, socket));

  let address: ListenAddress;
  try {
    address = await listen(server, options);
  } catch (error) {
    unsubscribe?.();
    throw error;
  }
  server.on('error', (error) =>
    options.log.warn({ listener: listener.name, error: errorText(error) }, 'a listener failed'),
  );
  return {
    address,
    close: () => {
      unsubscribe?.();
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      return promise;
    },
  };
}

/** Answers what could not be read as HTTP, if an answer can still be sent, and closes the connection. */
function onClientError(options: OpenListenerOptions, error: NodeJS.ErrnoException, socket: Socket): void {
  const [reason, status] = clientErrorKind(error.code);
  const connection = options.peers.get(socket)?.connection;
  if (connection?.awaitsBody === true && reason === 'malformed' && error.code !== 'HPE_INVALID_EOF_STATE') {
    // Every further piece is one more error; the first one is counted and answered by the request.
    if (connection.isBroken) return;
    options.refuse(reason);
    connection.break();
    return;
  }
  if (reason !== undefined && !socket.destroyed) options.refuse(reason);
  // An answer into the middle of another one would be read as a part of it.
  if (!socket.writable || reason === undefined || connection?.isBusy === true) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  socket.destroySoon();
}

function takeIn(options: OpenListenerOptions, socket: Socket): Connection | undefined {
  const { listener, connections, peers, refuse } = options;
  if (listener.allows?.(socket.remoteAddress) === false) {
    refuse('network');
    socket.destroy();
    return undefined;
  }
  const connection = connections.open(socket, listener.name);
  if (connection !== undefined) peers.set(socket, { connection, listener, certificate: undefined });
  return connection;
}

/** TLS gives the TCP socket first and, after the handshake, another object for it; the peer's port tells which belongs to which. */
function acceptTls(options: OpenListenerOptions, server: TlsServer): void {
  const { listener, peers, refuse } = options;
  const shaking = new Map<string, Connection>();
  server.on('connection', (socket: Socket) => {
    const key = peerKey(socket);
    const connection = takeIn(options, socket);
    if (connection === undefined) return;
    shaking.set(key, connection);
    socket.once('close', () => {
      if (shaking.get(key) === connection) shaking.delete(key);
    });
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const key = peerKey(socket);
    const connection = shaking.get(key);
    shaking.delete(key);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    connection.socket = socket;
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    const subject = certificate === undefined ? undefined : certificateSubject(certificate);
    peers.set(socket, { connection, listener, certificate: subject });
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    // A peer that just goes away is nothing to count; one cut off for its certificate looks the same but for this field.
    if (error.code !== 'ECONNRESET' || Boolean(socket.authorizationError)) refuse('tls');
    socket.destroy();
  });
}

function peerKey(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function secureContext(material: TlsMaterial) {
  const { cert, key, ca, minVersion } = material;
  return { cert, key, minVersion, ...(ca === undefined ? {} : { ca }) };
}

function clientErrorKind(code: string | undefined): [reason: RefusedReason | undefined, status: string] {
  if (code === 'ECONNRESET' || code === 'EPIPE') return [undefined, ''];
  if (code === 'HPE_HEADER_OVERFLOW') return ['header_size', '431 Request Header Fields Too Large'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['slow_header', '408 Request Timeout'];
  return ['malformed', '400 Bad Request'];
}

async function listen(server: Server, { listener, host, port }: OpenListenerOptions): Promise<ListenAddress> {
  const bound = await listenOn(server, { host, port }, listener.name);
  const scheme = listener.tls === undefined ? 'http' : 'https';
  return { listener: listener.name, ...bound, url: `${scheme}://${formatHostPort(bound)}` };
}
