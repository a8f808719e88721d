import type { LabelList } from './label-fields.ts';
import type { LinearMemory } from './linear-memory.ts';
import type { SampleStage } from './sample-stage.ts';

/** The contracts that rooms hand to each other. Types only: a room that needs another's service is given one of these. */

/**
 * Hands all Batches of one input to the journal; resolves when they are durable (design 2.1, invariant 2).
 *
 * The order of the list is the order on disk. The Batches' memory must stay untouched until the promise settles.
 * Rejects with SluiceError `journal_full`, `disk_full`, `journal_failed`, `stopping` or `too_large` (it would never be taken); then nothing of the
 * input counts as taken.
 */
export type Append<B> = (batches: readonly B[], options?: AppendOptions) => Promise<void>;

export interface AppendOptions {
  /** Beyond `journal.max-bytes`, while the disk has room: what senders will not send again, when the hub stops. */
  readonly beyondLimit?: boolean;
}

/**
 * Fills the universal-tag columns of all rows of a block of one organisation, from what the decoder wrote into it and its key columns (design 2.4).
 * Runs once, right before the rows are appended.
 */
export type Tagger<Block> = (block: Block, org: number) => void;

/**
 * Universal tags of the Prometheus series of one organisation (design 2.4). Tags follow from a few labels and the agent that a series came through;
 * series that agree in those are one *subject*, a small whole number. Tags are worked out once a subject, and again when the inventory has changed.
 *
 * A tag row is as long as the columns `seriesTags` of the catalog, in their order: a word each, four for an IPv6 address.
 */
export interface SeriesTagger {
  /**
   * Grows when numbers of subjects are void, as other labels count from now on: each series is to be asked about again. 0: it is too early to conclude
   * that a series has no tags.
   */
  readonly generation: number;
  /** The subject of a series by its labels (ranges of `bytes`) and agent (0 = none). 0: there is nothing to tag it by. */
  subjectOf(labels: LabelList, bytes: Uint8Array, agent: number): number;
  /** The tag row of a subject; zeros for 0. A view: good until the event loop turns. */
  tagsOf(subject: number): Uint32Array;
  /** Another number for other tags, hardly ever the same; never 0 but for subject 0. The same after a restart. */
  signatureOf(subject: number): number;
  /** No series has these subjects any more. */
  release(subjects: Iterable<number>): void;
  /** All subjects that were not released. */
  subjects(): Iterable<number>;
  /** Calls `listener` with subjects whose tags are other ones now (undefined: `generation` has grown), until the returned function is called. */
  onChange(listener: (changed: readonly number[] | undefined) => void): () => void;
}

/**
 * Subjects and tags of active series, by the series' number. Which series are of a subject is known without looking at the others.
 */
export interface SeriesTagState {
  /** 0 = not asked for yet. */
  subject(series: number): number;
  /** Agent that the series came through when it was last announced, 0 = none. */
  agent(series: number): number;
  /** Signature of the tags that it was last announced with, 0 = none. */
  signature(series: number): number;
  setSubject(series: number, subject: number): void;
  setAnnounced(series: number, agent: number, signature: number): void;
  /** A series of a subject, 0 = none; then the next one. */
  first(subject: number): number;
  next(series: number): number;
  /** Forgets all subjects. */
  clearSubjects(): void;
}

/** What a caller may do: `write` data in, `read` it back, `admin` everything. */
export type Scope = 'write' | 'read' | 'admin';

/** One HTTP request as a handler sees it. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** What a `*` in the route's path stood for, decoded, in order. */
  readonly wildcards: readonly string[];
  /** Query string and, for form posts, the form's fields. */
  readonly query: URLSearchParams;
  /** Lower-case names; repeated headers are joined as Node does. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body as it came over the wire, within the route's `bodyLimit`. The memory may be reused once the handler has settled. */
  readonly body: Buffer;
  /** Organisation of the request, one of the configured ones (`X-Org-Id`, 1 when absent). */
  readonly org: number;
  /** Address that the request came from; an IPv4 one as such also where it arrived mapped into IPv6. Absent when the client has already gone. */
  readonly peer?: string | undefined;
  /** Aborted when the client goes away or the hub's stop deadline passes. */
  readonly signal: AbortSignal;
}

export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent = empty. An iterable is sent as it comes, with back-pressure; if it throws, the connection is destroyed. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

export interface HttpRoute {
  readonly method: 'GET' | 'POST';
  /** Exact, or with `*` for one path segment: `/api/v1/label/*\/values`. */
  readonly path: string;
  /** Which credentials are needed; `open` needs none. */
  readonly scope: Scope | 'open';
  /** Greatest body in bytes; absent = the server's default for small requests. */
  readonly bodyLimit?: number;
  /**
   * Bytes of memory that handling one request may take beyond its body (a decoded remote-write body, say). The server admits requests while the
   * sum over all running ones stays within `limits.memory`, and answers 503 with Retry-After beyond.
   */
  readonly memory?: number;
  /** Judges the headers before any byte of the body is read; a reply ends the request. */
  readonly check?: (headers: HttpRequest['headers']) => HttpReply | undefined;
  /** Headers of an answer that the server gives in the handler's place (too large, too slow, no memory, no credentials): what its protocol promises. */
  readonly refusalHeaders?: (headers: HttpRequest['headers']) => Readonly<Record<string, string>>;
  readonly handle: (request: HttpRequest) => Promise<HttpReply> | HttpReply;
}

/** Verdict on the credentials of a request. */
export type Admission =
  | { readonly kind: 'admitted'; readonly name: string }
  | { readonly kind: 'unauthorized'; readonly challenge: string }
  | { readonly kind: 'forbidden'; readonly name: string };

/**
 * Judges credentials for one listener. `authorization` is the raw header; `certificate` the subject of a verified client certificate; `peer` the
 * address they came from, for which wrong ones are counted.
 */
export type Admit = (
  credentials: {
    readonly authorization: string | undefined;
    readonly certificate: string | undefined;
    readonly peer?: string | undefined;
  },
  scope: Scope,
) => Promise<Admission> | Admission;

/** State of one part of the hub, as `/-/ready` reports it. */
export interface Readiness {
  readonly part: string;
  readonly ready: boolean;
  readonly detail?: string;
}

/**
 * The active Prometheus series of one organisation (design 2.3). Series and forms are small whole numbers; a number stays what it is while its series
 * was seen within the last hour, and nothing changes while a message is decoded (decoding is synchronous).
 *
 * A *form* is one exact spelling of a label set on the wire, as bytes: the label fields of a 1.0 TimeSeries as they stand in the message, or the
 * little-endian Uint32 array of interned symbol numbers (name, value, name, value ...) of a 2.0 TimeSeries. Several forms may name one series. A form
 * is recognised by comparing bytes with the form that followed its predecessor last time, else by a keyed hash and comparison.
 *
 * Bytes are named by their addresses in `memory`. `add` and `addSymbolic` may let it grow: read its views anew after them.
 */
export interface ActiveSeries {
  readonly memory: LinearMemory;
  /** 4 Uint32 a series: metric id low, high, series id low, high. Replaced when it grows: read it anew after `add`. */
  readonly ids: Uint32Array;
  /** Begins a message: sets the clock for `touch`. A chain of forms begins with `previous` = the FormKind. */
  begin(): void;
  /**
   * Takes familiar TimeSeries of the stage's message, from `stage.at` on, as rows of the stage, and marks them as seen: those whose form is the guess,
   * with one sample in the usual form at an accepted time, without metadata or with that for which `hasMetadata`, of series for which no announcement is due. Ends before the first other one, at the
   * message's end, or when the stage is full. `stage.previous` is the chain's last form.
   */
  takeFamiliar(kind: FormKind, stage: SampleStage): void;
  /**
   * The remembered successor of `previous`, if the memory from `start` begins with its bytes and they end at `limit` or before; else -1. The caller
   * checks that the spelling does not go on behind `formLength`.
   */
  follow(previous: number, start: number, limit: number): number;
  /** The form whose bytes are exactly those of [start, end), or -1. It becomes the successor of `previous`. */
  find(kind: FormKind, previous: number, start: number, end: number): number;
  /** Remembers a form that was just added as the successor of `previous`. */
  link(previous: number, form: number): void;
  /** Bytes of a form. */
  formLength(form: number): number;
  /** The series that a form names. */
  seriesOf(form: number): number;
  /** Marks a series as seen now; tells whether a row in prometheus.series is due for it (first sight, or the last one is over 24 h old). */
  touch(series: number): boolean;
  /**
   * Adds the 1.0 form [start, end), and its series when the label set is new. `labels` are canonical (sorted by name bytes, no empty values, valid
   * UTF-8, unique names, with `__name__`), as the label fields of a 1.0 TimeSeries message; they may lie in the memory.
   */
  add(start: number, end: number, labels: Uint8Array): SeriesAdded;
  /** The same for a 2.0 form: the first `count` of `refs` number symbols of `symbols`, which are interned if the series is accepted. */
  addSymbolic(symbols: MessageSymbols, refs: Uint32Array, count: number, labels: Uint8Array): SeriesAdded;
  /** Canonical label fields of a series, as given to `add`. */
  labels(series: number): Uint8Array;
  /** When the current label-and-tag version of a series began, in epoch milliseconds. */
  validFrom(series: number): number;
  /** Begins a new version of a series, at this time or right after the last one began; it is due to be announced. */
  renew(series: number, nowMs: number): void;
  /** Number of series that there have been at a time, and one more; see `isActive`. */
  readonly end: number;
  /** True while the number stands for a series. */
  isActive(series: number): boolean;
  readonly tags: SeriesTagState;
  /** The journal has the announcements of these series (rows in prometheus.series): not due again for 24 h. */
  announced(series: Iterable<number>): void;
  /** Number of the interned 2.0 symbol whose bytes equal [start, end), or 0 when it is not interned. */
  symbol(start: number, end: number): number;
  /** Metric name of a 2.0 form. */
  metricName(form: number): string;
  /** Whether a 2.0 form came with this metadata (a type, and interned symbols) last time, and that is good for now: nothing is to be written. */
  hasMetadata(form: number, type: number, help: number, unit: number): boolean;
  /**
   * Remembers metadata with a 2.0 form; the references are below the message's number of symbols, which are interned. Returns the number of what is
   * said about the metric, shared by all forms that say it, or 0 when there is no room to remember it.
   */
  setMetadata(form: number, symbols: MessageSymbols, metadata: SymbolicMetadata): number;
  /** Metadata of this number is good until then, in epoch seconds; 0 = it is to be looked at. Numbers are void when the generation has changed. */
  setMetadataGood(number: number, untilSeconds: number): void;
  readonly metadataGeneration: number;
}

/** 0: label fields of a 1.0 message; 1: symbol numbers of a 2.0 message. */
export type FormKind = 0 | 1;

/** The symbol table of a 2.0 message. */
export interface MessageSymbols {
  /** 2 Uint32 a symbol: where it begins and ends in the memory. Replaced when the memory grows. */
  readonly ranges: Uint32Array;
  /** Interned number of each; 0 or 0xffffffff = not known. What is interned gets its number here. Replaced when the memory grows. */
  readonly numbers?: Uint32Array;
}

/** Metadata of a 2.0 TimeSeries: the type's number on the wire and references of symbols. */
export interface SymbolicMetadata {
  readonly type: number;
  readonly helpRef: number;
  readonly unitRef: number;
}

export type SeriesAdded =
  | { readonly kind: 'known' | 'new'; readonly form: number; readonly series: number }
  | { readonly kind: 'refused'; readonly reason: 'limit' | 'collision' };

/** Numbers under which the data of an agent is kept. */
export interface AgentTenant {
  readonly org: number;
  readonly team: number;
}

/** Organisation and team of an agent by its id; undefined when no such agent ever registered here. */
export type ResolveAgent = (agentId: number) => AgentTenant | undefined;

/** Told by the receiver of agents' data what came from whom. */
export interface AgentTraffic {
  /** One call a frame. `org` and `agent` as resolved, `rows` records in it, `bytes` as on the wire, `address` the peer's. */
  noteData(org: number, agent: number, rows: number, bytes: number, address: string): void;
}

/**
 * What agents report about their hosts and clusters, for the inventory. Kept in memory as it came; a restarted hub asks for all of it again. Each call
 * decodes: ask when `onChange` says that something is new, not for every row.
 */
export interface AgentReports {
  /** Agents that reported something about their host. */
  hosts(): readonly number[];
  host(agentId: number): HostReport | undefined;
  clusters(): readonly { readonly org: number; readonly clusterId: string }[];
  cluster(org: number, clusterId: string): ClusterReport | undefined;
  /** Calls `listener` after every new report, until the returned function is called. */
  onChange(listener: (change: ReportChange) => void): () => void;
}

/** The agents that asked for their configuration since the hub's start. */
export interface KnownAgents {
  list(): readonly KnownAgentFacts[];
}

export interface KnownAgentFacts {
  readonly agentId: number;
  readonly org: number;
  /** The VPC that it is told it is in. */
  readonly vpcId: number;
  /** Of its host; its address where it says none. */
  readonly name: string;
  /** Its own address, by which it is known. */
  readonly address: string;
  readonly kubernetesClusterId: string;
  readonly kubernetesClusterName: string;
  /** When it was heard from last, epoch milliseconds. */
  readonly seenMs: number;
}

export type ReportChange =
  | { readonly kind: 'host'; readonly agentId: number }
  | { readonly kind: 'cluster'; readonly org: number; readonly clusterId: string };

export interface HostReport {
  readonly agentId: number;
  readonly org: number;
  /** The VPC that the agent was told it is in. */
  readonly vpcId: number;
  readonly atMs: number;
  readonly hostname: string;
  readonly kubernetesClusterId: string;
  /** Interfaces in other network namespaces than the host's own (containers, mostly). */
  readonly interfaces: readonly ReportedInterface[];
  /** Network namespaces, and for each the output of `ip address`: the only place where the host's own interfaces stand. */
  readonly namespaces: readonly string[];
  readonly addressTexts: readonly string[];
  readonly processes: readonly ReportedProcess[];
}

export interface ReportedInterface {
  /** 48 bits. */
  readonly mac: number;
  /** `address/prefix length`. */
  readonly addresses: readonly string[];
  readonly name: string;
  readonly deviceId: string;
  readonly deviceName: string;
  readonly tapIndex: number;
  readonly namespace: string;
  /** Inode number of the network namespace. */
  readonly namespaceId: number;
}

export interface ReportedProcess {
  readonly pid: number;
  /** The global process id that stands in rows, once the agent asked for it; else 0. */
  readonly gpid: number;
  readonly name: string;
  readonly processName: string;
  readonly commandLine: string;
  readonly user: string;
  /** Unix seconds. */
  readonly startS: number;
  readonly namespaceId: number;
  readonly containerId: string;
}

export interface ClusterReport {
  readonly org: number;
  readonly clusterId: string;
  /** The agent that reported. */
  readonly agentId: number;
  readonly atMs: number;
  readonly objects: readonly ReportedObject[];
}

export interface ReportedObject {
  /** Go type name: `*v1.Pod`. */
  readonly type: string;
  /** JSON of the trimmed object. */
  readonly json: Uint8Array;
  /** Whether `json` is zlib-compressed. */
  readonly isCompressed: boolean;
}

/** What became of one batch of items that an exporter sent (design 2.2). Errors are told in these, not thrown. */
export type SendOutcome =
  | { readonly kind: 'sent' }
  /** Nothing is wrong with the items: the same batch again, at the next endpoint, after a back-off of its own length or `afterMs`. */
  | { readonly kind: 'retry'; readonly why: string; readonly afterMs?: number }
  /** Password, certificate, right, address or topic: the same batch again, slowly, until somebody mends it. */
  | { readonly kind: 'misconfigured'; readonly why: string }
  /** The receiver will never take these items (indexes in the batch); the others were taken. */
  | { readonly kind: 'rejected'; readonly items: readonly number[]; readonly why: string }
  /** The receiver will never take the batch as it is and does not say which items it means: none was taken. */
  | { readonly kind: 'refused'; readonly why: string };

/**
 * Names of what ids in rows stand for, per organisation (design 2.4). `''` = there is no such id. Answers may be kept until `version` changes.
 */
export interface Names {
  /** Grows with every change; 0 = nothing was loaded yet: ids are exported in place of names. */
  readonly version: number;
  /** Name by kind (`region`, `az`, `host`, `l3_epc`, `subnet`, `pod_cluster`, `pod_ns`, `pod_node`, `pod_group`, `pod`, `service`, `gprocess`, `agent`) and id. */
  name(org: number, kind: string, id: number): string;
  /** Name of a resource by its kind's number (`l3_device_type`, `auto_instance_type`: 1 chost ... 255) and id. */
  device(org: number, type: number, id: number): string;
  /** Kind of a workload (130 deployment ...), 0 = unknown. */
  podGroupType(org: number, podGroupId: number): number;
  /** Kubernetes labels of a pod, in a stable order. */
  podLabels(org: number, podId: number): readonly (readonly [name: string, value: string])[];
}

/** Custom tags of resources: labels, annotations and environment of Kubernetes, tags of clouds and processes. */
export interface CustomTags {
  /**
   * Those of what a row is about, by their full names (`k8s.label.app`), each once. A service's labels and annotations count before the pod's. Answers
   * may be kept until `Names.version` changes.
   */
  of(org: number, about: TaggedResources): readonly (readonly [name: string, value: string])[];
}

/** Ids of a row; 0 = none. */
export interface TaggedResources {
  readonly pod: number;
  readonly service: number;
  readonly namespace: number;
  readonly chost: number;
  readonly process: number;
}

/** Label sets of Prometheus series by id, for readers of `prometheus.samples`. */
export interface SeriesLabels {
  /**
   * Canonical label fields of a series as they stand in a 1.0 TimeSeries (sorted, with `__name__`), or undefined when it is not in memory. The bytes
   * are good until the caller lets the event loop turn.
   */
  find(
    org: number,
    metricLow: number,
    metricHigh: number,
    seriesLow: number,
    seriesHigh: number,
  ): Uint8Array | undefined;
  /** The same for series that are not in memory any more, from the database: 4 Uint32 a series as above; undefined where nobody knows it. */
  load(org: number, ids: Uint32Array): Promise<readonly (Uint8Array | undefined)[]>;
}
