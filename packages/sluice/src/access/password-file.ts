import { readFile } from 'node:fs/promises';
import { SluiceError, errorText } from '../base/errors.ts';
import { parsePasswordHash, type PasswordHash } from './password-hash.ts';

/**
 * Reads a password file: UTF-8 lines `user:hash` (formats: password-hash.ts); empty lines and lines that begin with `#` mean nothing.
 * Throws SluiceError `config_invalid` with file and line, and nothing of the line itself.
 */
export async function readPasswordFile(path: string): Promise<ReadonlyMap<string, PasswordHash>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SluiceError('config_invalid', `cannot read the password file: ${errorText(cause)}`, { cause });
  }
  const users = new Map<string, PasswordHash>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `${path}:${index + 1}`;
    const colon = line.indexOf(':');
    if (colon < 1) throw new SluiceError('config_invalid', `${where}: expected user:hash`);
    const name = line.slice(0, colon);
    if (users.has(name)) throw new SluiceError('config_invalid', `${where}: expected each user once`);
    try {
      users.set(name, parsePasswordHash(line.slice(colon + 1)));
    } catch (cause) {
      throw new SluiceError('config_invalid', `${where}: ${errorText(cause)}`, { cause });
    }
  }
  return users;
}
