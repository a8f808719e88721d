/** Credentials for a receiver, and how they become the `Authorization` header (RFC 9110, 7617, 6750). */

/** A value, or a function that yields it, asked before every attempt (so that it can renew a token). */
export type Provider<Value> = Value | (() => Value | PromiseLike<Value>);

/** User name and password for HTTP basic authentication; sent as UTF-8. */
export interface BasicAuth {
  readonly username: string;
  readonly password: string;
}

/** Prometheus' `authorization` section: a scheme and its credentials. */
export interface Authorization {
  /** Scheme, default `Bearer`. */
  readonly type?: string | undefined;
  readonly credentials: string;
}

/** The ways to authenticate; at most one of them may be given. */
export interface AuthorizationOptions {
  /** HTTP basic authentication. */
  readonly basicAuth?: Provider<BasicAuth> | undefined;
  /** A bearer token. Whitespace around it (a newline from a file) is removed. */
  readonly bearerToken?: Provider<string> | undefined;
  /** Another scheme, or the whole value of the `Authorization` header as text. */
  readonly authorization?: Provider<Authorization | string> | undefined;
}

/** Yields the value of the `Authorization` header for one attempt. */
export type AuthorizationProvider = () => Promise<string>;

/**
 * Makes a provider of the options given; `undefined` without any. Fixed values are checked at once.
 *
 * @throws TypeError without the secret in its text.
 */
export function authorizationProvider(options: AuthorizationOptions): AuthorizationProvider | undefined {
  const given = (['basicAuth', 'bearerToken', 'authorization'] as const).filter((key) => options[key] !== undefined);
  if (given.length > 1) {
    throw new TypeError(
      `cannot create client: expected one of basicAuth, bearerToken, authorization; got ${given.join(' and ')}`,
    );
  }
  if (options.basicAuth !== undefined) return resolve(options.basicAuth, basicHeader);
  if (options.bearerToken !== undefined) {
    return resolve(options.bearerToken, (token) => schemeHeader('bearerToken', 'Bearer', token));
  }
  if (options.authorization !== undefined) {
    return resolve(options.authorization, (value) => {
      if (typeof value === 'string') return checked('authorization', value.trim());
      return schemeHeader('authorization.credentials', value?.type ?? 'Bearer', value?.credentials);
    });
  }
  return undefined;
}

function resolve<Value>(provider: Provider<Value>, format: (value: Value) => string): AuthorizationProvider {
  if (typeof provider === 'function') {
    const ask = provider as () => Value | PromiseLike<Value>;
    return async () => format(await ask());
  }
  const header = format(provider);
  return () => Promise.resolve(header);
}

function basicHeader(auth: BasicAuth): string {
  const { username, password } = auth ?? {};
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new TypeError('cannot authenticate: expected basicAuth as { username, password }, both strings');
  }
  if (username.includes(':')) {
    throw new TypeError(
      'cannot authenticate: expected a user name without a colon, which basic authentication cannot carry',
    );
  }
  let binary = '';
  for (const byte of new TextEncoder().encode(`${username}:${password}`)) binary += String.fromCharCode(byte);
  return `Basic ${btoa(binary)}`;
}

function schemeHeader(option: string, type: string, credentials: string | undefined): string {
  if (typeof credentials !== 'string') throw new TypeError(`cannot authenticate: expected ${option} to be a string`);
  return checked(option, `${type} ${credentials.trim()}`);
}

function checked(option: string, header: string): string {
  if (!/^[!-~]+ [\x20-\x7e]*[!-~]$/.test(header) && !/^[!-~]+$/.test(header)) {
    throw new TypeError(
      `cannot authenticate: expected ${option} to be non-empty text of visible ASCII characters; got something else`,
    );
  }
  return header;
}
