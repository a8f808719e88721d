import { createServer, type Server, type Socket } from 'node:net';
import type { HostPort } from '../../base/config-schema.ts';
import { isSluiceError } from '../../base/errors.ts';
import { listenFailed, listenOn } from '../../base/listen-on.ts';
import { formatBytes } from '../../base/units.ts';
import { plainAddress } from '../../base/plain-address.ts';
import type { AgentTraffic, ResolveAgent } from '../../base/ports.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { RecordDecoder } from '../record-decoder.ts';
import type { RowGather } from '../row-gather.ts';
import type { AgentLimits } from './config.ts';
import { AgentConnection } from './connection.ts';
import { AgentCounters, nobody } from './counters.ts';
import { openDatagrams, type Datagrams } from './datagrams.ts';
import { HEADER_BYTES } from './frame.ts';
import { FrameIntake } from './frame-intake.ts';
import { FrameMemory } from './frame-memory.ts';
import { ReadGate } from './read-gate.ts';

export interface AgentListenerOptions {
  /** TCP and UDP on each; none = off. */
  readonly addresses: readonly HostPort[];
  /** Whether a peer may send at all. */
  readonly isAllowed: (address: string) => boolean;
  /** By message type; `rows` is what they write to. */
  readonly decoders: ReadonlyMap<number, RecordDecoder>;
  readonly rows: RowGather;
  readonly organisations: readonly number[];
  readonly resolve: ResolveAgent;
  readonly traffic: AgentTraffic;
  readonly limits: AgentLimits;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface AgentListener {
  /** What is listened on, with the port that was chosen where it was 0. */
  readonly addresses: readonly HostPort[];
  /** Reads no more, decodes what is here as complete frames, and closes. Rows are the gather's to write out afterwards. */
  stop(deadlineMs: number): Promise<void>;
}

/** Frames decoded without a break when many connections go on at one time. */
const RESUME_MS = 10;
const KEEP_ALIVE_MS = 60_000;
/** Ports tried until one is free for TCP and UDP. */
const PORT_TRIES = 10;

/** Takes the data of agents: framed TCP, and single frames as datagrams. Throws SluiceError `listen_failed`. */
export async function listenForAgents(options: AgentListenerOptions): Promise<AgentListener> {
  const listener = new Listener(options);
  try {
    for (const address of options.addresses) await listener.open(address);
  } catch (error) {
    await listener.stop(0);
    throw error;
  }
  return listener;
}

class Listener implements AgentListener {
  readonly addresses: HostPort[] = [];
  readonly #options: AgentListenerOptions;
  readonly #counters: AgentCounters;
  readonly #gate: ReadGate;
  readonly #intake: FrameIntake;
  readonly #memory: FrameMemory;
  readonly #servers: Server[] = [];
  readonly #datagrams: Datagrams[] = [];
  readonly #connections = new Set<AgentConnection>();
  #resuming: AgentConnection[] = [];
  #isStopping = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: AgentListenerOptions) {
    this.#options = options;
    const { rows, metrics, log, limits } = options;
    this.#counters = new AgentCounters(metrics, log);
    this.#gate = new ReadGate(() => rows.pressure);
    this.#memory = new FrameMemory({
      limit: limits.memoryBytes,
      frameBytes: limits.frameBytes + HEADER_BYTES,
      onChange: (used) => metrics.agentMemory.set(used),
    });
    this.#intake = new FrameIntake({
      decoders: options.decoders,
      rows,
      gate: this.#gate,
      organisations: options.organisations,
      resolve: options.resolve,
      traffic: options.traffic,
      decompressedBytes: limits.decompressedBytes,
      counters: this.#counters,
    });
    if (2 * limits.frameBytes > limits.memoryBytes) {
      log.warn(
        { configured: formatBytes(limits.memoryBytes), used: formatBytes(2 * limits.frameBytes) },
        'limits.agent-memory does not hold two frames of limits.agent-frame; as much as they need is used: raise it, or lower limits.agent-frame',
      );
    }
    rows.onRelief(() => this.#gate.open());
    this.#gate.onOpen(() => this.#resume());
  }

  async open(address: HostPort): Promise<void> {
    for (let tries = 1; ; tries++) {
      const server = createServer({ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) =>
        this.#onSocket(socket),
      );
      try {
        const bound = await listenOn(server, address, 'agent');
        const { isAllowed, log } = this.#options;
        this.#datagrams.push(await openDatagrams({ ...bound, intake: this.#intake, gate: this.#gate, isAllowed, log }));
        this.#servers.push(server);
        this.addresses.push(bound);
        return;
      } catch (error) {
        server.close();
        // The free port that was found for TCP may be taken for UDP.
        if (address.port === 0 && tries < PORT_TRIES) continue;
        throw isSluiceError(error) ? error : listenFailed('agent', address, error);
      }
    }
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const server of this.#servers) server.close();
    for (const datagrams of this.#datagrams) datagrams.close();
    this.#gate.stop();
    for (const connection of this.#connections) connection.stop();
    if (this.#connections.size > 0) {
      const late = setTimeout(() => this.#whenEmpty?.(), deadlineMs);
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      clearTimeout(late);
    }
    this.#memory.close();
  }

  #onSocket(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    const { limits, isAllowed } = this.#options;
    const isFull = this.#connections.size >= limits.connections;
    if (this.#isStopping || isFull || !isAllowed(address)) {
      if (!this.#isStopping) this.#counters.refused(isFull ? 'limit' : 'network', address);
      socket.on('error', () => undefined);
      socket.resetAndDestroy();
      return;
    }
    this.#counters.opened();
    const connection = new AgentConnection({
      socket,
      address,
      intake: this.#intake,
      memory: this.#memory,
      gate: this.#gate,
      frameBytes: limits.frameBytes,
      onClosed: (closed, reason, lostBytes, last) => {
        const sender = last === undefined ? nobody(address) : this.#intake.senderOf(last, address);
        this.#counters.closed(reason, sender, lostBytes);
        this.#connections.delete(closed);
        if (this.#connections.size === 0) this.#whenEmpty?.();
      },
    });
    this.#connections.add(connection);
  }

  /** Lets all go on that were not read; each may have frames at hand, so the event loop gets its turn in between. */
  #resume(): void {
    const isRunning = this.#resuming.length > 0;
    for (const connection of this.#connections) if (connection.isPaused) this.#resuming.push(connection);
    if (!isRunning) this.#resumeSome();
  }

  #resumeSome(): void {
    const end = performance.now() + RESUME_MS;
    while (this.#resuming.length > 0) {
      if (this.#gate.isClosed) {
        this.#resuming = [];
        return;
      }
      const next = this.#resuming.shift();
      if (next === undefined) return;
      // To the end of the queue: when the gate closes again at once, others are the first the next time.
      if (this.#connections.delete(next)) this.#connections.add(next);
      next.proceed();
      if (performance.now() > end) {
        setImmediate(() => this.#resumeSome());
        return;
      }
    }
  }
}
