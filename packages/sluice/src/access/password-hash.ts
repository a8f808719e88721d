import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { BcryptWorker } from './bcrypt-worker.ts';

/**
 * Password hashes, as they stand after the colon of a password file's line.
 *
 *     $2y$10$<22 characters of salt><31 characters of hash>          bcrypt; also $2a$ and $2b$; cost 4 to 14
 *     $scrypt$ln=15,r=8,p=1$<salt, base64>$<32 bytes, base64>        scrypt; N = 2^ln, ln 10 to 17, r 1 to 8, p 1 to 4
 *
 * The bounds keep one comparison below some seconds and 128 MiB. Base64 is the standard alphabet, padding optional.
 */
export type PasswordHash =
  | { readonly kind: 'bcrypt'; readonly text: string; readonly cost: number }
  | {
      readonly kind: 'scrypt';
      readonly logN: number;
      readonly r: number;
      readonly p: number;
      readonly salt: Buffer;
      readonly hash: Buffer;
    };

/** Reads a hash; throws Error that says what was expected and never repeats the text. */
export function parsePasswordHash(text: string): PasswordHash {
  const bcrypt = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text);
  if (bcrypt !== null) {
    const cost = Number(bcrypt[1]);
    if (cost < 4 || cost > 14) throw new Error(`expected a bcrypt cost of 4 to 14; got ${cost}`);
    return { kind: 'bcrypt', text, cost };
  }
  const parts =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,88}={0,2})\$([A-Za-z0-9+/]{43}=?)$/.exec(text);
  if (parts !== null) {
    const [logN, r, p] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
    if (logN < 10 || logN > 17 || r < 1 || r > 8 || p < 1 || p > 4) {
      throw new Error(`expected scrypt with ln 10 to 17, r 1 to 8, p 1 to 4; got ln=${logN},r=${r},p=${p}`);
    }
    const [salt, hash] = [Buffer.from(parts[4] ?? '', 'base64'), Buffer.from(parts[5] ?? '', 'base64')];
    return { kind: 'scrypt', logN, r, p, salt, hash };
  }
  throw new Error('expected a bcrypt ($2y$) or scrypt ($scrypt$) hash; `htpasswd -nB USER` makes one');
}

/** Whether the password belongs to the hash. */
export async function verifyPassword(password: string, hash: PasswordHash, worker: BcryptWorker): Promise<boolean> {
  if (hash.kind === 'bcrypt') return worker.compare(password, hash.text);
  return timingSafeEqual(await deriveKey(password, hash), hash.hash);
}

/** A hash in the format above with a new salt. */
export async function scryptHash(password: string, logN = 15): Promise<string> {
  const salt = randomBytes(16);
  const hash = await deriveKey(password, { logN, r: 8, p: 1, salt });
  return `$scrypt$ln=${logN},r=8,p=1$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** A hash that no password is known for and that costs as much to compare as the costliest of `hashes`: what an unknown user is judged by. */
export function decoyHash(hashes: readonly PasswordHash[]): PasswordHash | undefined {
  let costliest: PasswordHash | undefined;
  for (const hash of hashes) {
    if (costliest === undefined || work(hash) > work(costliest)) costliest = hash;
  }
  if (costliest?.kind === 'scrypt') return { ...costliest, salt: randomBytes(16), hash: randomBytes(32) };
  if (costliest === undefined) return undefined;
  const random = randomBytes(39).toString('base64').replaceAll('+', '.').padEnd(53, '.').slice(0, 53);
  // The 22nd character of the salt carries 2 bits only, the last of the hash 4: '.' is valid for both.
  const text = `${costliest.text.slice(0, 7)}${random.slice(0, 21)}.${random.slice(22, 52)}.`;
  return { kind: 'bcrypt', text, cost: costliest.cost };
}

// Rough, in the unit of one bcrypt round: good enough to choose the costliest of a file.
function work(hash: PasswordHash): number {
  return hash.kind === 'bcrypt' ? 2 ** hash.cost : (2 ** hash.logN * hash.r * hash.p) / 256;
}

function deriveKey(
  password: string,
  { logN, r, p, salt }: { readonly logN: number; readonly r: number; readonly p: number; readonly salt: Buffer },
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const N = 2 ** logN;
  scrypt(password, salt, 32, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
    error === null ? resolve(key) : reject(error),
  );
  return promise;
}
