import { timingSafeEqual } from 'node:crypto';
import type { Admission, Admit, Scope } from '../base/ports.ts';
import { SluiceError, errorText } from '../base/errors.ts';
import type { Secret } from '../base/secret.ts';
import type { Log } from '../telemetry/log.ts';
import { Attempts, type AttemptLimits } from './attempts.ts';
import { BcryptWorker } from './bcrypt-worker.ts';
import { BoundedCache } from './bounded-cache.ts';
import type { AuthOptions, UserOptions } from './config.ts';
import { parseAuthorization } from './credentials.ts';
import { readPasswordFile } from './password-file.ts';
import { decoyHash, verifyPassword, type PasswordHash } from './password-hash.ts';
import { secretDigest, secretKey } from './secret-compare.ts';

export interface AccessOptions {
  readonly auth: AuthOptions;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly attemptLimits?: AttemptLimits;
}

/** The judge of one `auth` section. */
export interface Access {
  /** Rejects with SluiceError `too_many_requests` when too many wrong passwords were tried. */
  readonly admit: Admit;
  /** Reads the password files again. With a broken one everything stays as it was, the log says so, and the answer is false. */
  readonly reload: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

interface Identity {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

type Password =
  | { readonly kind: 'hash'; readonly hash: PasswordHash }
  | { readonly kind: 'digest'; readonly digest: Buffer };

interface Users {
  readonly known: ReadonlyMap<string, { readonly identity: Identity; readonly password: Password }>;
  /** What a user who does not exist is compared with, so that the answer takes as long as for one who does. */
  readonly decoy: PasswordHash | undefined;
}

const CACHE_CAPACITY = 1024;
const VERIFIED_MS = 10 * 60_000;
const REJECTED_MS = 10_000;

/**
 * Reads the password files and returns the judge. Verified credentials are remembered by a keyed digest for 10 minutes of not being used, rejected
 * ones for 10 seconds, so that a sender's password is compared once and a misconfigured one does not cost more.
 * Throws SluiceError `config_invalid` when a password file is broken or lacks a user.
 */
export async function createAdmit(options: AccessOptions): Promise<Access> {
  const { auth, log, now = () => performance.now() } = options;
  const worker = new BcryptWorker();
  const attempts = new Attempts(now, options.attemptLimits);
  const verified = new BoundedCache<Identity>(CACHE_CAPACITY, VERIFIED_MS, now);
  const rejected = new BoundedCache<true>(CACHE_CAPACITY, REJECTED_MS, now);
  // Fifty connections of one sender that start together ask for one comparison, not for fifty.
  const running = new Map<string, Promise<Identity | undefined>>();
  const tokens = auth.tokens.map((token) => ({
    identity: identityOf(token),
    digest: secretDigest(token.token.reveal()),
  }));
  const certificates = new Map(
    auth.certificates.map((entry) => [entry.subject, identityOf({ name: entry.subject, scopes: entry.scopes })]),
  );
  const unauthorized: Admission = {
    kind: 'unauthorized',
    challenge: auth.users.length > 0 ? 'Basic realm="sluice", charset="UTF-8"' : 'Bearer realm="sluice"',
  };
  let users = await loadUsers(auth.users);

  async function verifyUser(
    { user, password }: { readonly user: string; readonly password: string },
    peer: string | undefined,
  ): Promise<Identity | undefined> {
    const { known, decoy } = users;
    const entry = known.get(user);
    if (entry?.password.kind === 'digest' && timingSafeEqual(secretDigest(password), entry.password.digest)) {
      return entry.identity;
    }
    const hash = entry?.password.kind === 'hash' ? entry.password.hash : decoy;
    if (hash === undefined) return undefined;
    const equal = await attempts.run(peer, () => verifyPassword(password, hash, worker));
    return equal && entry?.password.kind === 'hash' ? entry.identity : undefined;
  }

  function verifyToken(token: string): Identity | undefined {
    const digest = secretDigest(token);
    let found: Identity | undefined;
    // All of them, so that the time does not tell which one came close.
    for (const entry of tokens) if (timingSafeEqual(entry.digest, digest)) found = entry.identity;
    return found;
  }

  async function verify(header: string, key: string, peer: string | undefined): Promise<Identity | undefined> {
    const credentials = parseAuthorization(header);
    let identity: Identity | undefined;
    const judgedBy = users;
    if (credentials.kind === 'bearer') identity = verifyToken(credentials.token);
    else if (credentials.kind === 'basic') identity = await verifyUser(credentials, peer);
    // A verdict by files that were replaced meanwhile is not remembered.
    if (judgedBy === users) {
      if (identity === undefined) rejected.set(key, true);
      else verified.set(key, identity);
    }
    return identity;
  }

  function verdict(identity: Identity | undefined, scope: Scope): Admission {
    if (identity === undefined) return unauthorized;
    const allowed = identity.scopes.has(scope) || identity.scopes.has('admin');
    return { kind: allowed ? 'admitted' : 'forbidden', name: identity.name };
  }

  const admit: Admit = ({ authorization, certificate, peer }, scope) => {
    if (authorization === undefined) {
      return verdict(certificate === undefined ? undefined : certificates.get(certificate), scope);
    }
    const key = secretKey(authorization);
    const identity = verified.get(key);
    if (identity !== undefined) return verdict(identity, scope);
    if (rejected.get(key) === true) return unauthorized;
    let answer = running.get(key);
    if (answer === undefined) {
      answer = verify(authorization, key, peer).finally(() => running.delete(key));
      running.set(key, answer);
    }
    return answer.then((found) => verdict(found, scope));
  };

  async function reload(): Promise<boolean> {
    try {
      users = await loadUsers(auth.users);
    } catch (error) {
      log.error({ error: errorText(error) }, 'password files not reloaded, the old ones stay in force');
      return false;
    }
    verified.clear();
    rejected.clear();
    running.clear();
    return true;
  }

  return { admit, reload, close: () => worker.close() };
}

async function loadUsers(options: readonly UserOptions[]): Promise<Users> {
  const files = new Map<string, ReadonlyMap<string, PasswordHash>>();
  const known = new Map<string, { identity: Identity; password: Password }>();
  const hashes: PasswordHash[] = [];
  for (const user of options) {
    const identity = identityOf(user);
    const { source } = user;
    if (source.kind === 'password') {
      known.set(user.name, {
        identity,
        password: { kind: 'digest', digest: digestOf(source.password, `the password of ${user.name}`) },
      });
      continue;
    }
    let file = files.get(source.path);
    if (file === undefined) files.set(source.path, (file = await readPasswordFile(source.path)));
    const hash = file.get(user.name);
    if (hash === undefined) {
      throw new SluiceError('config_invalid', `${source.path}: expected a line for the user ${user.name}; got none`);
    }
    hashes.push(hash);
    known.set(user.name, { identity, password: { kind: 'hash', hash } });
  }
  return { known, decoy: decoyHash(hashes) };
}

function digestOf(secret: Secret, what: string): Buffer {
  const value = secret.reveal();
  if (value === '') throw new SluiceError('config_invalid', `cannot use ${what}: it is empty`);
  return secretDigest(value);
}

function identityOf(entry: { readonly name: string; readonly scopes: readonly Scope[] }): Identity {
  return { name: entry.name, scopes: new Set(entry.scopes) };
}
