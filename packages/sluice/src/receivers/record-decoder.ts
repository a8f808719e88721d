/** Who sent a frame, as its header says it (agent-protocol 1.2, 1.6), normalised: organisation and team 0 are 1. */
export interface Sender {
  readonly org: number;
  readonly team: number;
  /** 0 before the agent is registered. */
  readonly agent: number;
  /** Peer address of the connection, as text. */
  readonly address: string;
}

/**
 * Turns records of one message type into rows. A record is the bytes [start, end) of `bytes`, without its length; the memory is reused once the
 * call has returned (or its promise has settled).
 *
 * Never throws for what a peer can send. The answer is undefined when the record was taken, else why it was dropped, as a metric label
 * (`malformed`, `unknown_code`, ...). A promise holds back everything that comes later on the same connection.
 */
export interface RecordDecoder {
  decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    sender: Sender,
  ): Dropped | undefined | Promise<Dropped | undefined>;
}

/** Why a record was not taken. */
export type Dropped = string;
