import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';

/** One question to a Kubernetes API. */
export interface ApiRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly accept: string;
  /** The connection is given up when nothing came over it for so long. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** A Kubernetes API, with the credentials for it. */
export interface KubernetesApi {
  /** Base URL. */
  readonly server: string;
  /** An answer of status 200. Throws ApiError for others, and what the network throws. */
  get(request: ApiRequest): Promise<AsyncIterable<Uint8Array>>;
}

/** The API refused or failed. */
export class ApiError extends Error {
  /** Of HTTP, or of a Status object in a stream. */
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface ApiSettings {
  /** Path; absent: the cluster that the hub runs in. */
  readonly kubeconfig: string | undefined;
  /** Absent: the kubeconfig's current one. */
  readonly context: string | undefined;
}

const CREDENTIALS_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;
const MOST_ERROR_BYTES = 4096;
const MOST_RETRY_AFTER_S = 300;

/**
 * Reads the configuration and makes an API of it. Credentials (tokens that are renewed, certificates, programs that print them, proxies) are the official
 * client's; it takes more than a second and 80 MB to load, so that it is loaded only here. Answers are read by ourselves, within limits.
 *
 * Throws what is wrong with the configuration.
 */
export async function openApi(settings: ApiSettings): Promise<KubernetesApi> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  load(config, settings);
  const { server } = config.getCurrentCluster() ?? { server: '' };
  if (!URL.canParse(server) || server.includes('//undefined')) {
    throw new Error(
      settings.kubeconfig === undefined
        ? 'cannot find the cluster that the hub runs in: it runs in none; say which `kubeconfig` to use'
        : `cannot use ${settings.kubeconfig}: expected a current context with a cluster and its server`,
    );
  }
  return { server, get: async (request) => get(config, server, request) };
}

function load(config: KubeConfig, { kubeconfig, context }: ApiSettings): void {
  if (kubeconfig === undefined) {
    config.loadFromCluster();
    return;
  }
  config.loadFromFile(kubeconfig);
  if (context === undefined) return;
  if (config.getContextObject(context) === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw new Error(`cannot use ${kubeconfig}: expected one of its contexts (${known.join(', ')}); got ${context}`);
  }
  config.setCurrentContext(context);
}

async function get(config: KubeConfig, server: string, request: ApiRequest): Promise<AsyncIterable<Uint8Array>> {
  const url = new URL(server.replace(/\/+$/, '') + request.path);
  for (const [name, value] of Object.entries(request.query)) url.searchParams.set(name, value);
  const options: RequestOptions = { headers: { accept: request.accept, 'user-agent': 'sluice' } };
  await credentials(config.applyToHTTPSOptions(options), request.signal);
  const answer = await send(url, options, request);
  if (answer.statusCode === 200) return answer;
  throw await errorOf(answer);
}

async function send(url: URL, options: RequestOptions, { idleMs, signal }: ApiRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const make = url.protocol === 'http:' ? requestHttp : requestHttps;
  let answer: IncomingMessage | undefined;
  const sent = make(url, { ...options, method: 'GET', signal, timeout: idleMs }, (came) => {
    answer = came;
    resolve(came);
  });
  sent.on('error', reject);
  sent.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
  sent.on('timeout', () => (answer ?? sent).destroy(new Error(`nothing came for ${Math.round(idleMs / 1000)} s`)));
  sent.end();
  return promise;
}

/** What an answer other than 200 says: the API sends a Status object. */
async function errorOf(answer: IncomingMessage): Promise<ApiError> {
  const status = answer.statusCode ?? 0;
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MOST_ERROR_BYTES) break;
  }
  answer.destroy();
  const said = /"message"\s*:\s*"((?:[^"\\]|\\.){1,500})"/.exec(text)?.[1];
  const seconds = Number(answer.headers['retry-after'] ?? Number.NaN);
  const retryAfterMs = seconds > 0 ? Math.min(seconds, MOST_RETRY_AFTER_S) * 1000 : undefined;
  return new ApiError(status, said === undefined ? `HTTP ${status}` : `HTTP ${status}: ${said}`, retryAfterMs);
}

/** Waits for credentials. A program that should print them may hang: it is not waited for longer than this, and not at all once nobody wants them. */
async function credentials(coming: Promise<void>, signal: AbortSignal): Promise<void> {
  const given = Promise.withResolvers<void>();
  const end = () => given.reject(signal.reason);
  const late = `the credentials took more than ${CREDENTIALS_MS / 1000} s; see what gets them in the kubeconfig`;
  const timer = setTimeout(() => given.reject(new Error(late)), CREDENTIALS_MS).unref();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  coming.then(given.resolve, given.reject);
  try {
    await given.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
