/** Options of a client, as given and as checked. */
import { authorizationProvider, type AuthorizationOptions } from './authorization.ts';
import { LabelSet, type NameValidationScheme } from './codec/label-set.ts';
import type { Label, Labels } from './codec/time-series.ts';
import type { WriteError } from './errors.ts';
import { customHeaders, headerValue } from './request-headers.ts';
import { retryPolicy, type RetryOptions, type RetryPolicy } from './retry.ts';
import type { Endpoint } from './send.ts';
import type { FetchFunction } from './transport.ts';
import { VERSION } from './version.ts';
import { REQUEST_V2, WRITE_REQUEST, type ProtobufMessage } from './wire/headers.ts';

/** What is checked before sending; labels are sorted in any case. */
export type Validation =
  /** Data that breaks a rule of the specification throws a WriteValidationError; nothing is sent. */
  | 'strict'
  /** Names are mended, what cannot be mended is left out and counted in `WriteResult.dropped`. */
  | 'sanitize'
  /** Only what has no form on the wire is refused. */
  | 'off';

/** What a hook is told before a request is sent. */
export interface RequestEvent {
  /** Endpoint without user, password and query. */
  readonly url: string;
  readonly protobufMessage: ProtobufMessage;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Size of the compressed body in bytes. */
  readonly requestBytes: number;
}

/** What a hook is told about the end of an attempt. */
export interface ResponseEvent extends RequestEvent {
  /** HTTP status; `undefined` if there was no answer. */
  readonly status: number | undefined;
  /** Duration of the attempt in milliseconds. */
  readonly durationMs: number;
  /** Why the attempt failed; `undefined` if it did not. */
  readonly error: WriteError | undefined;
}

/** What a hook is told before waiting for another attempt. */
export interface RetryEvent {
  readonly url: string;
  /** The attempt that failed, 1 for the first. */
  readonly attempt: number;
  /** Wait in milliseconds. */
  readonly delayMs: number;
  readonly error: WriteError;
}

/** Where a client tells about what is not an error of the caller; `console` and pino fit. Never gets secrets. */
export interface Logger {
  warn(message: string): void;
}

/** Options of a client. */
export interface ClientOptions extends AuthorizationOptions {
  /** Address of the receiver, http or https, such as `http://prometheus:9090/api/v1/write`. */
  readonly url: string | URL;
  /**
   * The message to send: remote write 1.0 (default), 2.0, or `'auto'`: 2.0 until the receiver shows that it does not
   * know it (415, or a 2xx without any `X-Prometheus-Remote-Write-*-Written` header), then 1.0 from there on.
   */
  readonly protobufMessage?: ProtobufMessage | 'auto' | undefined;
  /** With `'auto'`, also take a 400 without any `*-Written` header for "does not know 2.0". Default false. */
  readonly fallbackOn400?: boolean | undefined;
  /** Milliseconds per attempt, default 30000. */
  readonly timeout?: number | undefined;
  /** Headers for every request. Reserved names (section 4.2) are refused. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Tenant, sent as `X-Scope-OrgID`. */
  readonly tenant?: string | undefined;
  /** `User-Agent`, default `promwrite/<version>`. Browsers may not allow to set it. */
  readonly userAgent?: string | undefined;
  /** The `fetch` to use, default the global one. For TLS settings or a proxy give one that has them, or a `dispatcher`. */
  readonly fetch?: FetchFunction | undefined;
  /**
   * Handed to `fetch` as `dispatcher`: an undici Agent or ProxyAgent with client certificates, a private CA, ... Give the
   * `fetch` of the same undici with it: Node's own belongs to the undici inside of Node, often another version.
   */
  readonly dispatcher?: unknown;
  /** Follow 301, 302, 307 and 308 with another POST, default true. Credentials and custom headers stay on the host. */
  readonly followRedirects?: boolean | undefined;
  /** Labels added to every series that lacks them. */
  readonly externalLabels?: Labels | undefined;
  /** Default `strict`. */
  readonly validation?: Validation | undefined;
  /** Which names are valid; default `legacy` for 1.0 and `utf8` for 2.0. */
  readonly nameValidationScheme?: NameValidationScheme | undefined;
  /** When to try again; `false` = never. */
  readonly retry?: RetryOptions | false | undefined;
  /** Bytes of an error body that are kept, default 1024. */
  readonly maxErrorBodyBytes?: number | undefined;
  /** Called before each wait for another attempt. What hooks throw is logged and ignored. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
  /** Called before each attempt. */
  readonly onRequest?: ((event: RequestEvent) => void) | undefined;
  /** Called after each attempt. */
  readonly onResponse?: ((event: ResponseEvent) => void) | undefined;
  readonly logger?: Logger | undefined;
}

/** Options that have been checked, with all defaults. */
export interface CheckedOptions {
  readonly endpoint: Endpoint;
  readonly protobufMessage: ProtobufMessage | 'auto';
  readonly fallbackOn400: boolean;
  readonly timeout: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly externalLabels: readonly Label[] | undefined;
  readonly validation: Validation;
  readonly nameValidationScheme: NameValidationScheme | undefined;
  readonly retry: RetryPolicy;
  readonly onRetry: ClientOptions['onRetry'];
  readonly onRequest: ClientOptions['onRequest'];
  readonly onResponse: ClientOptions['onResponse'];
  readonly logger: Logger | undefined;
}

const KNOWN_OPTIONS: ReadonlySet<string> = new Set<keyof ClientOptions>([
  'url',
  'protobufMessage',
  'fallbackOn400',
  'timeout',
  'headers',
  'tenant',
  'userAgent',
  'fetch',
  'dispatcher',
  'followRedirects',
  'externalLabels',
  'validation',
  'nameValidationScheme',
  'retry',
  'maxErrorBodyBytes',
  'onRetry',
  'onRequest',
  'onResponse',
  'logger',
  'basicAuth',
  'bearerToken',
  'authorization',
]);

/**
 * Checks options.
 *
 * @throws TypeError or RangeError that names the option, never a secret.
 */
export function checkOptions(options: ClientOptions): CheckedOptions {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw new TypeError(
      'cannot create client: expected an address or options with a url; got neither (is the variable that it comes from set?)',
    );
  }
  for (const key of Object.keys(options)) {
    if (!KNOWN_OPTIONS.has(key)) {
      throw new TypeError(`cannot create client: ${JSON.stringify(key)} is not an option; check its spelling`);
    }
  }
  const { url, embedded } = checkUrl(options.url);
  const fetchFunction: unknown = options.fetch ?? (globalThis as { fetch?: unknown }).fetch;
  if (typeof fetchFunction !== 'function') {
    throw new TypeError('cannot create client: expected a fetch function; got none; give one as option fetch');
  }
  const explicit = authorizationProvider(options);
  if (explicit !== undefined && embedded !== undefined) {
    throw new TypeError('cannot create client: expected credentials once; got them in the url and as an option');
  }
  return {
    endpoint: {
      url,
      fetch: fetchFunction as FetchFunction,
      dispatcher: options.dispatcher,
      authorization: explicit ?? (embedded && authorizationProvider({ basicAuth: embedded })),
      userAgent: headerValue('userAgent', options.userAgent ?? `promwrite/${VERSION}`),
      followRedirects: options.followRedirects ?? true,
      maxErrorBodyBytes: checkNumber('maxErrorBodyBytes', options.maxErrorBodyBytes ?? 1024, 0),
    },
    protobufMessage: oneOf('protobufMessage', options.protobufMessage ?? WRITE_REQUEST, [
      WRITE_REQUEST,
      REQUEST_V2,
      'auto',
    ]),
    fallbackOn400: options.fallbackOn400 ?? false,
    timeout: checkNumber('timeout', options.timeout ?? 30_000, 1),
    headers: customHeaders(options.headers, options.tenant),
    externalLabels: options.externalLabels && checkLabels(options.externalLabels),
    validation: oneOf('validation', options.validation ?? 'strict', ['strict', 'sanitize', 'off']),
    nameValidationScheme:
      options.nameValidationScheme &&
      oneOf<NameValidationScheme>('nameValidationScheme', options.nameValidationScheme, ['legacy', 'utf8']),
    retry: retryPolicy(options.retry),
    onRetry: options.onRetry,
    onRequest: options.onRequest,
    onResponse: options.onResponse,
    logger: options.logger,
  };
}

function checkUrl(given: string | URL): { url: URL; embedded: { username: string; password: string } | undefined } {
  // The text itself is not repeated: it may hold a password.
  const text = String(given);
  if (!URL.canParse(text)) {
    throw new TypeError(
      'cannot create client: expected url to be an absolute address such as http://host:9090/api/v1/write',
    );
  }
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(`cannot create client: expected url to begin with http:// or https://; got ${url.protocol}`);
  }
  if (url.username === '' && url.password === '') return { url, embedded: undefined };
  // fetch refuses addresses with credentials; they mean basic authentication.
  const embedded = { username: decode(url.username), password: decode(url.password) };
  url.username = '';
  url.password = '';
  return { url, embedded };
}

function decode(component: string): string {
  try {
    return decodeURIComponent(component);
  } catch {
    return component;
  }
}

function checkLabels(labels: Labels): readonly Label[] {
  const set = new LabelSet();
  set.collect(labels, undefined, () => 'externalLabels');
  return set.toLabels();
}

/** Checks a numeric option. */
export function checkNumber(option: string, value: number, least: number): number {
  if (typeof value === 'number' && value >= least) return value;
  throw new RangeError(`cannot use option ${option}: expected a number of at least ${least}; got ${String(value)}`);
}

/** Checks an option with a few possible values. */
export function oneOf<Value extends string>(option: string, value: Value, allowed: readonly Value[]): Value {
  if (allowed.includes(value)) return value;
  throw new TypeError(`cannot use option ${option}: expected ${allowed.join(' or ')}; got ${value}`);
}
