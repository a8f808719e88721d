import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { HostPort } from '../base/config-schema.ts';
import { errorText } from '../base/errors.ts';
import { listenOn } from '../base/listen-on.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ConnectionEnds } from './agents.ts';

/** Certificates as access/tls-files.ts keeps them. */
export interface TlsSource {
  readonly material: TlsMaterial;
  readonly clientCertificates: { readonly requestCert: boolean; readonly rejectUnauthorized: boolean };
  subscribe(use: (material: TlsMaterial) => void): () => void;
}

interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export interface ControlListenerOptions {
  readonly addresses: readonly HostPort[];
  readonly tls: TlsSource | undefined;
  /** Which peer addresses may connect; undefined = all. */
  readonly allows: ((address: string | undefined) => boolean) | undefined;
  readonly maxConnections: number;
  /** Takes an accepted connection (TLS already done) and serves it. */
  readonly inject: (socket: Socket, ends: ConnectionEnds) => void;
  readonly metrics: Metrics;
  readonly log: Log;
}

const HANDSHAKE_MS = 10_000;

/**
 * The sockets of the control plane. Connections are accepted here and handed to the gRPC server, so that a network is refused before anything of it is
 * read, connections are bounded, and certificates can be exchanged.
 */
export class ControlListener {
  /** Where it really listens. */
  readonly addresses: HostPort[] = [];
  readonly #options: ControlListenerOptions;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #unsubscribe: (() => void)[] = [];

  private constructor(options: ControlListenerOptions) {
    this.#options = options;
  }

  /** Opens all addresses. Throws SluiceError `listen_failed`; then none is open. */
  static async open(options: ControlListenerOptions): Promise<ControlListener> {
    const listener = new ControlListener(options);
    try {
      for (const address of options.addresses) await listener.#listen(address);
    } catch (error) {
      await listener.close();
      throw error;
    }
    return listener;
  }

  /** Accepts no more; what is open stays so. */
  refuse(): void {
    for (const stop of this.#unsubscribe.splice(0)) stop();
    for (const server of this.#servers) server.close();
  }

  /** Closes everything at once. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (server.listening) server.once('close', resolve);
      else resolve();
      return promise;
    });
    this.refuse();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #listen(address: HostPort): Promise<void> {
    const { tls, inject, log } = this.#options;
    let server: Server | TlsServer;
    if (tls === undefined) {
      server = createServer({ noDelay: true });
      server.on('connection', (socket: Socket) => {
        if (!this.#takeIn(socket)) return;
        inject(socket, endsOf(socket));
      });
    } else {
      const secure = createTlsServer({
        ...secureContext(tls.material),
        ...tls.clientCertificates,
        ALPNProtocols: ['h2'],
        handshakeTimeout: HANDSHAKE_MS,
        noDelay: true,
      });
      this.#unsubscribe.push(tls.subscribe((material) => secure.setSecureContext(secureContext(material))));
      secure.on('connection', (socket: Socket) => void this.#takeIn(socket));
      secure.on('secureConnection', (socket) => {
        inject(socket, endsOf(socket));
      });
      secure.on('tlsClientError', (_error, socket) => {
        this.#count('tls');
        socket.destroy();
      });
      server = secure;
    }
    this.addresses.push(await listenOn(server, address, 'control'));
    server.on('error', (error) => log.warn({ error: errorText(error) }, 'the control listener failed'));
    this.#servers.push(server);
  }

  #takeIn(socket: Socket): boolean {
    const { allows, maxConnections, metrics } = this.#options;
    const isAllowed = allows?.(socket.remoteAddress) ?? true;
    if (!isAllowed || this.#sockets.size >= maxConnections) {
      this.#count(isAllowed ? 'connections' : 'network');
      socket.destroy();
      return false;
    }
    socket.on('error', () => undefined);
    this.#sockets.add(socket);
    metrics.controlConnections.inc();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      metrics.controlConnections.dec();
    });
    return true;
  }

  #count(reason: string): void {
    this.#options.metrics.controlRefused.inc({ reason });
  }
}

function endsOf({ localAddress = '', remoteAddress = '' }: Socket): ConnectionEnds {
  return { local: localAddress, remote: remoteAddress };
}

function secureContext({ cert, key, ca, minVersion }: TlsMaterial) {
  return { cert, key, minVersion, ...(ca === undefined ? {} : { ca }) };
}
