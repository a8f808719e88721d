import type { Socket } from 'node:net';
import type { CloseReason } from './counters.ts';
import { BASE_BYTES, frameSize, parseHeader, type FrameHeader } from './frame.ts';
import type { FrameIntake } from './frame-intake.ts';
import type { FrameHolder, FrameMemory } from './frame-memory.ts';
import type { ReadGate } from './read-gate.ts';

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly address: string;
  readonly intake: FrameIntake;
  readonly memory: FrameMemory;
  readonly gate: ReadGate;
  /** Greatest body of a frame as on the wire. */
  readonly frameBytes: number;
  /**
   * Called once, when nothing of the connection is left to decode. `lostBytes`: of a frame that did not come to its end; `last`: header of the last
   * frame that named an agent. What is wrong with a frame that is none cannot be told from its own header.
   */
  readonly onClosed: (connection: AgentConnection, reason: CloseReason, lostBytes: number, last?: FrameHeader) => void;
}

/** Least memory for a frame that comes in pieces. */
const LEAST_BYTES = 4096;

/**
 * One connection of an agent. A frame that lies in one piece of what the socket gives is decoded there; one that comes in pieces is put together in
 * memory that grows with what has really come. An idle connection holds no memory of its own. Frames are handled in order, one at a time.
 */
export class AgentConnection implements FrameHolder {
  readonly #options: ConnectionOptions;
  /** What the socket gave and is not taken yet, from `#at` on. */
  #chunk: Buffer | undefined;
  #at = 0;
  /** A frame in pieces: its first `#filled` bytes, of `#size` (0 = not known yet). */
  #partial: Uint8Array | undefined;
  #filled = 0;
  #size = 0;
  #isBusy = false;
  #isPaused = false;
  #waitsForMemory = false;
  #ending: CloseReason | undefined;
  #isClosed = false;
  #last: FrameHeader | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket } = options;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', () => this.#end('error'));
    socket.on('close', () => this.#end('end'));
  }

  /** Not read until `proceed`. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** What kept it from being read may be over. */
  proceed(): void {
    this.#waitsForMemory = false;
    this.#advance();
  }

  cut(): void {
    if (this.#isBusy || this.#options.gate.isClosed) return;
    this.#end('memory');
  }

  /**
   * Reads no more; `onClosed` follows when the complete frames that are here have been decoded. The reset tells the agent at once: after an orderly end
   * it would lose one more frame before it notices.
   */
  stop(): void {
    this.#ending ??= 'stopping';
    this.#options.socket.resetAndDestroy();
    this.#advance();
  }

  #onData(chunk: Buffer): void {
    if (this.#isClosed) return;
    if (this.#chunk === undefined) {
      this.#chunk = chunk;
      this.#at = 0;
    } else {
      // The socket was asked to pause while it had more at hand.
      this.#chunk = Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
      this.#at = 0;
    }
    this.#advance();
  }

  #end(reason: CloseReason): void {
    this.#ending ??= reason;
    this.#options.socket.destroy();
    this.#advance();
  }

  /** Takes frames for as long as there are any and they may be taken. */
  #advance(): void {
    while (!this.#isClosed) {
      if (this.#waitsForMemory && this.#ending === 'stopping') return this.#close('stopping');
      if (this.#isBusy || this.#waitsForMemory || this.#options.gate.isClosed) return this.#pause();
      if (this.#chunk === undefined || this.#at === this.#chunk.length) {
        this.#chunk = undefined;
        return this.#ending === undefined ? this.#resume() : this.#close(this.#ending);
      }
      const fault = this.#partial === undefined ? this.#takeWhole(this.#chunk) : this.#takePart(this.#chunk);
      if (fault !== undefined) return this.#close(fault);
    }
  }

  /** Takes the frame that begins at `#at`, if it is here as a whole, else begins to put it together. */
  #takeWhole(chunk: Buffer): CloseReason | undefined {
    const { frameBytes } = this.#options;
    const here = chunk.length - this.#at;
    let size = 0;
    if (here >= BASE_BYTES) {
      const found = frameSize(chunk, this.#at, frameBytes);
      if (typeof found === 'string') return found;
      size = found;
      if (here >= size) {
        const start = this.#at;
        this.#at += size;
        this.#take(chunk, start, start + size);
        return undefined;
      }
    }
    this.#size = size;
    this.#filled = 0;
    if (this.#grow(here)) this.#fill(chunk, here);
    return undefined;
  }

  /** Goes on with the frame that was begun. */
  #takePart(chunk: Buffer): CloseReason | undefined {
    const { memory, frameBytes } = this.#options;
    // Only once its length is known, so that nothing of the next frame is taken.
    const wanted = (this.#size === 0 ? BASE_BYTES : this.#size) - this.#filled;
    const count = Math.min(wanted, chunk.length - this.#at);
    if (!this.#grow(this.#filled + count)) return undefined;
    this.#fill(chunk, count);
    memory.gotOn(this);
    const partial = this.#partial!;
    if (this.#size === 0 && this.#filled >= BASE_BYTES) {
      const found = frameSize(partial, 0, frameBytes);
      if (typeof found === 'string') return found;
      this.#size = found;
    }
    if (this.#filled === this.#size) this.#take(partial, 0, this.#size);
    return undefined;
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    const { intake, address } = this.#options;
    const header = parseHeader(bytes, start);
    if (header.agent !== 0) this.#last = header;
    this.#handled(intake.take(bytes, start, end, address));
  }

  /** Room for `bytes` of the frame that was begun: some more than has come, never more than the frame has. */
  #grow(bytes: number): boolean {
    const partial = this.#partial;
    const capacity = partial?.length ?? 0;
    if (partial !== undefined && bytes <= capacity) return true;
    const roomy = Math.max(LEAST_BYTES, bytes * 4);
    const wanted = this.#size === 0 ? LEAST_BYTES : Math.min(this.#size, roomy);
    if (!this.#options.memory.take(this, wanted - capacity)) {
      this.#waitsForMemory = true;
      return false;
    }
    const grown = Buffer.allocUnsafeSlow(wanted);
    if (partial !== undefined) grown.set(partial.subarray(0, this.#filled));
    this.#partial = grown;
    return true;
  }

  #fill(chunk: Buffer, count: number): void {
    this.#partial!.set(chunk.subarray(this.#at, this.#at + count), this.#filled);
    this.#filled += count;
    this.#at += count;
  }

  #handled(work: Promise<void> | undefined): void {
    if (work === undefined) return this.#drop();
    this.#isBusy = true;
    void work.then(() => {
      this.#isBusy = false;
      this.#drop();
      this.#advance();
    });
  }

  /** The frame in pieces is no longer needed. */
  #drop(): void {
    if (this.#partial === undefined) return;
    this.#partial = undefined;
    this.#filled = 0;
    this.#size = 0;
    this.#options.memory.release(this);
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#options.socket.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // It was not the peer's fault that nothing came.
    this.#options.memory.gotOn(this);
    this.#options.socket.resume();
  }

  #close(reason: CloseReason): void {
    this.#isClosed = true;
    const lostBytes = this.#filled + (this.#chunk === undefined ? 0 : this.#chunk.length - this.#at);
    this.#chunk = undefined;
    this.#drop();
    this.#options.memory.release(this);
    this.#options.socket.destroy();
    this.#options.onClosed(this, reason === 'end' && lostBytes > 0 ? 'torn' : reason, lostBytes, this.#last);
  }
}
