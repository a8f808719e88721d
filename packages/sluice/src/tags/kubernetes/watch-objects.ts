import { asObject, hasMoreValues, objectAt, textAt, type JsonObject } from '../json-fields.ts';
import { ApiError, type ApiRequest, type KubernetesApi } from './api.ts';
import { Lines } from './lines.ts';
import { MOST_VALUES, parseJson } from './list-objects.ts';

export interface WatchOptions {
  readonly api: KubernetesApi;
  readonly request: Omit<ApiRequest, 'idleMs'>;
  /** Where to go on from. */
  readonly version: string;
  /** Called when the API has begun to answer, and with everything that comes. */
  readonly onAlive: () => void;
  readonly onEvent: (event: WatchEvent) => void;
  /** A line was too long, or has too many values, to be looked at. */
  readonly onTooLarge: () => void;
}

export type WatchEvent =
  | { readonly kind: 'put' | 'gone'; readonly object: JsonObject; readonly version: string }
  /** Everything until `version` has been told. */
  | { readonly kind: 'bookmark'; readonly version: string };

/** The API ends a watch after a time that we choose; a connection that died unnoticed is given up a little later. */
const LEAST_S = 120;
const MORE_S = 60;
const GRACE_MS = 15_000;
const MOST_LINE_BYTES = 8 * 1024 * 1024;

/**
 * Follows changes until the API ends the answer. Throws ApiError (410: changes since `version` are not known any more), what is wrong with the answer, and
 * what the network throws. An answer that ends within a line is one that ended: the rest comes again, since the version is that of the last whole event.
 */
export async function watchObjects(options: WatchOptions): Promise<void> {
  const { api, request, version, onAlive, onEvent, onTooLarge } = options;
  const seconds = LEAST_S + Math.floor(Math.random() * MORE_S);
  const body = await api.get({
    ...request,
    query: {
      ...request.query,
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      timeoutSeconds: String(seconds),
    },
    idleMs: seconds * 1000 + GRACE_MS,
  });
  onAlive();
  const lines = new Lines(MOST_LINE_BYTES);
  for await (const chunk of body) {
    onAlive();
    for (const line of lines.push(chunk)) {
      if (line === undefined || hasMoreValues(line, MOST_VALUES)) onTooLarge();
      else onEvent(eventOf(line));
    }
  }
}

function eventOf(line: Buffer): WatchEvent {
  const event = asObject(parseJson(line)) ?? {};
  const object = objectAt(event, 'object');
  const version = textAt(objectAt(object, 'metadata'), 'resourceVersion');
  const type = textAt(event, 'type');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'put', object, version };
    case 'DELETED':
      return { kind: 'gone', object, version };
    case 'BOOKMARK':
      return { kind: 'bookmark', version };
    case 'ERROR': {
      const code = object['code'];
      const status = typeof code === 'number' ? code : 0;
      throw new ApiError(status, `${status}: ${textAt(object, 'message').slice(0, 500)}`);
    }
    default:
      throw new Error('expected an event of a watch; got something else');
  }
}
