import type { Resource, ResourceRef } from './description.ts';

/**
 * Somebody who knows resources of one organisation: a file, a Kubernetes cluster, the agents. It keeps the last good description while it cannot be
 * asked, and says so in `state`.
 */
export interface Source {
  /** Unique within its organisation, in metrics and in what people read: `static`, `kubernetes main`. */
  readonly name: string;
  readonly kind: SourceKind;
  readonly org: number;
  /** All it knows now; undefined until it knew anything. Asked at the start and after a change of kind `all`. */
  current(): Description | undefined;
  /** Calls `listener` after every change, until the returned function is called. May be called often: changes are gathered. */
  onChange(listener: (change: SourceChange) => void): () => void;
  state(): SourceState;
}

/** Which source wins where several describe the same resource or claim the same address, best first. */
export const PRECEDENCE = ['static', 'kubernetes', 'agents', 'prometheus'] as const;

export type SourceKind = (typeof PRECEDENCE)[number];

export interface Description {
  /** Each kind and key at most once. May be read in several turns of the event loop; a change during that is told by `onChange`. */
  readonly resources: Iterable<Resource>;
}

export type SourceChange =
  /** Anything may have changed: `current()` is read and compared. */
  | { readonly kind: 'all' }
  /** Exactly this has changed since `current()` or the last change. */
  | { readonly kind: 'some'; readonly changed: readonly Resource[]; readonly gone: readonly ResourceRef[] };

export interface SourceState {
  /** `starting`: knows nothing yet; `failing`: what it knows is old, `lastError` says why. */
  readonly kind: 'starting' | 'up' | 'failing';
  /** When it was last known that the description is true, epoch milliseconds. */
  readonly lastSuccessMs?: number;
  readonly lastError?: string;
  readonly lastErrorMs?: number;
  /** Where the description comes from: a path, a URL. Never a secret. */
  readonly from?: string;
}
