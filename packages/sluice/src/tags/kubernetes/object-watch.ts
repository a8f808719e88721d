import { errorText } from '../../base/errors.ts';
import { backOffMs, pause } from '../back-off.ts';
import {
  idOfDeleted,
  objectId,
  readObject,
  type ClusterObject,
  type ObjectKind,
  type ReadSettings,
} from '../object-kinds.ts';
import { Slices } from '../slices.ts';
import { ApiError, type ApiRequest, type KubernetesApi } from './api.ts';
import { listObjects } from './list-objects.ts';
import { watchObjects, type WatchEvent } from './watch-objects.ts';

export interface ObjectWatchOptions {
  readonly kind: ObjectKind;
  readonly request: Omit<ApiRequest, 'idleMs' | 'signal'>;
  readonly settings: ReadSettings;
  /** The API to ask; after a failure `isFresh` asks for one with the configuration as it is now. */
  readonly api: (isFresh: boolean) => Promise<KubernetesApi>;
  /** Takes in an object; false: there are too many. */
  readonly put: (object: ClusterObject) => boolean;
  readonly remove: (id: string) => void;
  /** Something has become known, or its state has changed. */
  readonly onChange: () => void;
  readonly count: (what: WatchOutcome | SkipReason) => void;
  readonly now: () => number;
  /** Factor for all waits, for tests. */
  readonly pace: number;
}

export type WatchOutcome = 'listed' | 'watched' | 'expired' | 'refused' | 'failed';
export type SkipReason = 'malformed' | 'too_large' | 'limit';

/** How a kind of objects stands. */
export interface WatchState {
  readonly kind: ObjectKind;
  /** All objects are known, or will not be. */
  readonly isReady: boolean;
  /** The API does not let us, or has no such kind. */
  readonly isRefused: boolean;
  readonly lastGoodMs: number | undefined;
  /** Absent while all is well. */
  readonly error: string | undefined;
  readonly errorMs: number | undefined;
}

const BACK_OFF = { firstMs: 500, longestMs: 30_000 };
/** For a kind that was never read: one that was comes back, mostly soon, as the rules of the API are changed or its server is started anew. */
const REFUSED_MS = 60_000;
/** Watches are not begun more often than this, whatever the API does. */
const LEAST_WATCH_MS = 1000;
/** After so many attempts in a row that led nowhere, each time, all objects are read again. */
const MOST_FRUITLESS = 3;
/**
 * An API says something about once a minute, if only that nothing has happened. One that says nothing for so long may be behind the version that it is asked
 * from, because its database was restored from a copy: it is silent then until it has come there. So all objects are read again.
 */
const SILENT_MS = 5 * 60_000;
/** An answer that went on for so long was one. */
const GOOD_WATCH_MS = 10_000;

/**
 * Keeps up with all objects of one kind: reads them all, then follows the changes from there, and goes on where it was after every interruption. When the
 * API has forgotten that point (410), or only nonsense comes, they are all read again; what is known stays until then.
 */
export class ObjectWatch {
  readonly #options: ObjectWatchOptions;
  #ids = new Set<string>();
  #version: string | undefined;
  #isReady = false;
  #isListed = false;
  #isRefused = false;
  #lastGoodMs: number | undefined;
  #error: string | undefined;
  #errorMs: number | undefined;
  /** Attempts in a row without anything of use. */
  #fruitless = 0;
  /** When anything was told, be it that nothing has happened. */
  #toldMs = 0;
  /** When the present watch began to be answered. */
  #aliveMs: number | undefined;

  constructor(options: ObjectWatchOptions) {
    this.#options = options;
  }

  get state(): WatchState {
    return {
      kind: this.#options.kind,
      isReady: this.#isReady,
      isRefused: this.#isRefused,
      lastGoodMs: this.#lastGoodMs,
      error: this.#error,
      errorMs: this.#errorMs,
    };
  }

  /** Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { pace } = this.#options;
    while (!signal.aborted) {
      const started = performance.now();
      let waitMs: number;
      try {
        await this.#once(signal);
        waitMs = LEAST_WATCH_MS - (performance.now() - started) / pace;
      } catch (error) {
        if (signal.aborted) return;
        waitMs = this.#failed(error);
      }
      if (waitMs > 0) await pause(waitMs * pace, signal);
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { api: openApi, request, count, pace } = this.#options;
    if (performance.now() - this.#toldMs > SILENT_MS * pace) this.#version = undefined;
    const api = await openApi(this.#fruitless > 0);
    const asked = { ...request, signal };
    if (this.#version === undefined) {
      this.#version = await this.#list(api, asked);
      this.#toldMs = performance.now();
      count('listed');
      this.#isReady = true;
      this.#isListed = true;
      this.#good();
    }
    this.#aliveMs = undefined;
    await watchObjects({
      api,
      request: asked,
      version: this.#version,
      onAlive: () => {
        this.#aliveMs ??= performance.now();
        this.#good();
      },
      onEvent: (event) => this.#take(event),
      onTooLarge: () => count('too_large'),
    });
    count('watched');
    // It ended when it should, also when nothing happened.
    this.#fruitless = 0;
  }

  async #list(api: KubernetesApi, request: Omit<ApiRequest, 'idleMs'>): Promise<string> {
    const seen = new Set<string>();
    const slices = new Slices();
    const onItems = async (items: readonly unknown[]) => {
      for (const item of items) {
        const id = this.#put(item);
        if (id !== undefined) seen.add(id);
        if (slices.isDue) await slices.pause();
      }
    };
    const version = await listObjects({ api, request, onItems });
    for (const id of this.#ids) if (!seen.has(id)) this.#options.remove(id);
    this.#ids = seen;
    this.#options.onChange();
    return version;
  }

  #take(event: WatchEvent): void {
    const { kind, count, remove } = this.#options;
    if (event.kind === 'put') this.#put(event.object);
    else if (event.kind === 'gone') {
      const id = idOfDeleted(kind, event.object);
      if (id === undefined) count('malformed');
      else if (this.#ids.delete(id)) remove(id);
    }
    if (event.version !== '') this.#version = event.version;
    this.#toldMs = performance.now();
    this.#fruitless = 0;
    this.#options.onChange();
  }

  #put(value: unknown): string | undefined {
    const { kind, settings, put, count } = this.#options;
    const object = readObject(kind, value, settings);
    if (object === undefined) {
      count('malformed');
      return undefined;
    }
    const id = objectId(object);
    if (!put(object)) {
      count('limit');
      return undefined;
    }
    this.#ids.add(id);
    return id;
  }

  #good(): void {
    const isNews = this.#error !== undefined || this.#isRefused;
    this.#lastGoodMs = this.#options.now();
    this.#error = undefined;
    this.#isRefused = false;
    if (isNews) this.#options.onChange();
  }

  /** How long to wait. */
  #failed(error: unknown): number {
    const { count, now, onChange } = this.#options;
    const status = error instanceof ApiError ? error.status : 0;
    if (this.#aliveMs !== undefined && performance.now() - this.#aliveMs > GOOD_WATCH_MS) this.#fruitless = 0;
    this.#aliveMs = undefined;
    this.#fruitless++;
    if (status === 410) {
      count('expired');
      this.#version = undefined;
      // At once for the first time: what happened since then is not known yet.
      return this.#fruitless === 1 ? 0 : backOffMs({ failures: this.#fruitless - 1, ...BACK_OFF });
    }
    if (this.#fruitless % MOST_FRUITLESS === 0) this.#version = undefined;
    // A connection that broke once is nothing to worry about.
    if (this.#fruitless > 1 || !this.#isReady || error instanceof ApiError) {
      this.#error = errorText(error);
      this.#errorMs = now();
    }
    const isRefused = status === 403 || status === 404;
    count(isRefused ? 'refused' : 'failed');
    if (isRefused) {
      this.#isRefused = true;
      this.#isReady = true;
    }
    onChange();
    if (isRefused && !this.#isListed) return REFUSED_MS;
    const retryAfterMs = error instanceof ApiError ? error.retryAfterMs : undefined;
    return retryAfterMs ?? backOffMs({ failures: this.#fruitless, ...BACK_OFF });
  }
}
