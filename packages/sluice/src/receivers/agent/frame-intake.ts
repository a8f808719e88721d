import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentTraffic, ResolveAgent } from '../../base/ports.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import { type AgentCounters, nobody } from './counters.ts';
import { headerBytes, parseHeader, readU32, type FrameHeader } from './frame.ts';
import type { ReadGate } from './read-gate.ts';
import { Uncompressor, type BodyFault } from './uncompress.ts';

/** Where the decoders' rows go: what the intake has to know of it. */
export interface RowSink {
  decoded(wireBytes: number): void;
  /** Wipes out rows that a decoder left behind unfinished. */
  abandon(): void;
}

export interface FrameIntakeOptions {
  /** By message type; what has none is counted and dropped. */
  readonly decoders: ReadonlyMap<number, RecordDecoder>;
  readonly rows: RowSink;
  readonly gate: ReadGate;
  readonly organisations: readonly number[];
  readonly resolve: ResolveAgent;
  readonly traffic: AgentTraffic;
  /** Greatest uncompressed body. */
  readonly decompressedBytes: number;
  readonly counters: AgentCounters;
}

/** Body bytes decoded without letting others have their turn. */
const SLICE_BYTES = 512 * 1024;

/** A frame while its records are decoded. */
interface Run {
  readonly type: number;
  readonly decoder: RecordDecoder;
  readonly sender: Sender;
  readonly body: Uint8Array;
  /** As on the wire. */
  readonly frameBytes: number;
  at: number;
  taken: number;
  dropped: Map<string, number> | undefined;
  /** The body is not the frame's own memory: it is given back at the end. */
  readonly isOurs: boolean;
}

/**
 * Takes complete frames apart: header, body, records, and hands each record to the decoder of its type. A bad record costs that record, a bad body that
 * frame. A promise means that the frame's bytes are needed until it settles, and that later frames of the same connection have to wait; it never rejects.
 */
export class FrameIntake {
  readonly #options: FrameIntakeOptions;
  readonly #organisations: ReadonlySet<number>;
  readonly #uncompressor: Uncompressor;

  constructor(options: FrameIntakeOptions) {
    this.#options = options;
    this.#organisations = new Set(options.organisations);
    this.#uncompressor = new Uncompressor(options.decompressedBytes);
  }

  /** Takes the frame [start, end) from a peer at `address`. */
  take(bytes: Uint8Array, start: number, end: number, address: string): Promise<void> | undefined {
    const type = bytes[start + 4]!;
    const { counters, decoders } = this.#options;
    const header = parseHeader(bytes, start);
    const sender = this.senderOf(header, address);
    const bodyStart = start + headerBytes(type);
    if (!this.#organisations.has(sender.org)) {
      counters.notTaken(type, end - start, 'organisation', sender);
      return undefined;
    }
    const decoder = decoders.get(type);
    if (decoder === undefined || bodyStart === end) {
      counters.notTaken(type, end - start, decoder === undefined ? 'unsupported' : 'empty', sender);
      return undefined;
    }
    const begin = (body: Uint8Array | BodyFault): Promise<void> | undefined => {
      if (typeof body !== 'string') {
        return this.#decode({
          type,
          decoder,
          sender,
          body,
          frameBytes: end - start,
          at: 0,
          taken: 0,
          dropped: undefined,
          isOurs: body.buffer !== bytes.buffer,
        });
      }
      counters.notTaken(type, end - start, body, sender);
      return undefined;
    };
    const body = this.#uncompressor.uncompress(header.encoder, bytes.subarray(bodyStart, end));
    return body instanceof Promise ? body.then(begin) : begin(body);
  }

  /** A datagram that is no frame, or that cannot be taken now. */
  refuse(bytes: Uint8Array, outcome: 'paused' | 'short' | 'unknown_type' | 'network', address: string): void {
    this.#options.counters.notTaken(bytes[4] ?? -1, bytes.length, outcome, nobody(address));
  }

  /** Who sent the frame with this header. */
  senderOf({ org, team, agent }: FrameHeader, address: string): Sender {
    // The first frames of an agent come before it knows where it belongs; the hub does.
    const tenant = org === 0 && team === 0 && agent !== 0 ? this.#options.resolve(agent) : undefined;
    if (tenant !== undefined) return { ...tenant, agent, address };
    return { org: org === 0 ? 1 : org, team: team === 0 ? 1 : team & 0xffff, agent, address };
  }

  /** Decodes records until the frame's end, or until it has to wait for something. */
  #decode(run: Run): Promise<void> | undefined {
    const { rows, gate, counters } = this.#options;
    const { body, decoder, sender } = run;
    const sliceStart = run.at;
    while (run.at < body.length) {
      if (gate.isClosed || run.at - sliceStart >= SLICE_BYTES) {
        rows.decoded(run.at - sliceStart);
        return this.#later(run);
      }
      const start = run.at + 4;
      const end = start <= body.length ? start + readU32(body, run.at) : Infinity;
      if (end > body.length) {
        drop(run, 'overrun');
        break;
      }
      run.at = end;
      if (start === end) {
        drop(run, 'empty');
        continue;
      }
      let outcome: Dropped | undefined | Promise<Dropped | undefined>;
      try {
        outcome = decoder.decode(body, start, end, sender);
      } catch (error) {
        this.#failed(run, error);
        continue;
      }
      if (outcome === undefined) run.taken++;
      else if (typeof outcome === 'string') drop(run, outcome);
      else {
        rows.decoded(run.at - sliceStart);
        return this.#afterwards(run, outcome);
      }
    }
    rows.decoded(run.at - sliceStart);
    if (run.isOurs) this.#uncompressor.release(body);
    counters.taken(run.type, run.frameBytes, run.taken);
    if (run.dropped !== undefined) counters.dropped(run.type, run.dropped, sender);
    this.#options.traffic.noteData(sender.org, sender.agent, run.taken, run.frameBytes, sender.address);
    return undefined;
  }

  async #later(run: Run): Promise<void> {
    await nextTurn();
    await this.#options.gate.opened();
    await this.#decode(run);
  }

  async #afterwards(run: Run, outcome: Promise<Dropped | undefined>): Promise<void> {
    try {
      const dropped = await outcome;
      if (dropped === undefined) run.taken++;
      else drop(run, dropped);
    } catch (error) {
      this.#failed(run, error);
    }
    await this.#decode(run);
  }

  /** What must not happen; whatever a sender can do to bring it about must not end the hub. */
  #failed(run: Run, error: unknown): void {
    drop(run, 'bug');
    this.#options.rows.abandon();
    this.#options.counters.bug(run.type, error);
  }
}

function drop(run: Run, reason: string): void {
  run.dropped ??= new Map();
  run.dropped.set(reason, (run.dropped.get(reason) ?? 0) + 1);
}
