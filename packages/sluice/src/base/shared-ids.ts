/** What hubs on one ClickHouse tell each other about ids of resources (tags/sharing/, query/shared-id-tables.ts). */

/** A row of flow_tag.name_map: the id that a resource has. */
export interface PublishedId {
  readonly kind: string;
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly isGone: boolean;
  /** Of the hub that said so; of two statements the one with the greater term counts. */
  readonly term: number;
  /** When it was said, by the clock of the hub that said it, epoch milliseconds. */
  readonly timeMs: number;
}

/** A row of flow_tag.id_message. */
export interface IdMessage {
  /** Who says it. */
  readonly hub: string;
  readonly record: IdRecordType;
  readonly kind: string;
  readonly key: string;
  readonly name: string;
  /** `hub`: term; `reserved`: the number below which the hub may give ids; `request`: the id that the resource should have, 0 = any. */
  readonly id: number;
  /** `hub`: it does not give ids; `request`: it does not ask any more. */
  readonly isGone: boolean;
  readonly timeMs: number;
}

export type IdRecordType = 'hub' | 'reserved' | 'request';

/** The tables that they are told in. A failure is a SluiceError. */
export interface SharedIdTables {
  /** Ids published since a time, in order of term and time. */
  published(org: number, sinceMs: number, signal: AbortSignal): AsyncIterable<readonly PublishedId[]>;
  /** Messages since a time, in order of time; `requests` false: without those that only who gives ids needs. */
  messages(org: number, sinceMs: number, requests: boolean, signal: AbortSignal): AsyncIterable<readonly IdMessage[]>;
}
