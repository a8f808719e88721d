import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError, errorText } from '../base/errors.ts';
import { errorCode } from './files.ts';

/*
 * One process holds a data directory: the one that listens on the Unix socket `lock` in it. The kernel ends the listening with the process, however it
 * dies, so a socket that refuses connections is a left-over and is taken over. No process numbers: those of another container mean nothing here.
 * Who connects is told `<random token> <process id>` and the connection ends.
 */

export interface DataDirectoryLock {
  release(): Promise<void>;
}

/** Unix socket paths have 108 bytes with their end on Linux, 104 elsewhere. */
const MAX_PATH_BYTES = 100;
const ANSWER_WITHIN_MS = 2000;
const ATTEMPTS = 5;

/** Creates the directory if need be and takes it for this process. Throws SluiceError `data_dir_locked` or `data_dir_unusable`. */
export async function lockDataDirectory(dir: string): Promise<DataDirectoryLock> {
  let real: string;
  try {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    real = fs.realpathSync(dir);
  } catch (error) {
    throw unusable(dir, error);
  }
  const path = socketPath(real);
  const token = randomUUID();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    let server: Server;
    try {
      server = await listen(path, token);
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw unusable(dir, error);
      const before = identityOf(path);
      const holder = await ask(path);
      if (holder.kind === 'holds') throw locked(dir, holder.pid);
      if (holder.kind === 'stale') removeStale(path, before);
      continue;
    }
    // Another process may have found the same left-over and taken our socket for it.
    const holder = await ask(path);
    if (holder.kind === 'holds' && holder.token === token) return { release: () => closed(server) };
    // Not closed: that would remove the other's socket by its name. It ends with this process.
    if (holder.kind === 'holds') throw locked(dir, holder.pid);
  }
  throw locked(dir, undefined);
}

/** The process that holds the directory now; undefined when none does. Changes nothing. */
export async function dataDirectoryHolder(dir: string): Promise<{ readonly pid: number | undefined } | undefined> {
  if (!fs.existsSync(dir)) return undefined;
  const holder = await ask(socketPath(fs.realpathSync(dir)));
  return holder.kind === 'holds' ? { pid: holder.pid } : undefined;
}

export function locked(dir: string, pid: number | undefined): SluiceError {
  const who = pid === undefined ? 'another process' : `another process (${pid})`;
  return new SluiceError(
    'data_dir_locked',
    `cannot use data directory ${dir}: ${who} holds it; stop that one, or give this one a directory of its own with --data-dir`,
  );
}

function socketPath(real: string): string {
  const path = join(real, 'lock');
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return path;
  // Every process with this directory comes to the same name.
  return join(tmpdir(), `sluice-${createHash('sha256').update(real).digest('hex').slice(0, 24)}.lock`);
}

function listen(path: string, token: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`${token} ${process.pid}\n`);
  });
  // The lock alone keeps no process alive.
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      server.on('error', () => undefined);
      resolve(server);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

type Holder =
  | { readonly kind: 'holds'; readonly token: string; readonly pid: number | undefined }
  /** A socket, or another file, that nobody listens on. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'absent' };

function ask(path: string): Promise<Holder> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    const held = () => {
      const [token = '', pid] = text.trim().split(' ');
      resolve({ kind: 'holds', token, pid: pid === undefined ? undefined : Number(pid) });
      socket.destroy();
    };
    // Somebody accepts connections but is too busy to answer: it lives.
    socket.setTimeout(ANSWER_WITHIN_MS, held);
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => (text += part));
    socket.on('end', held);
    socket.on('error', (error) => {
      const code = errorCode(error);
      if (code === 'ENOENT') resolve({ kind: 'absent' });
      else if (code === 'ECONNREFUSED' || code === 'ENOTSOCK') resolve({ kind: 'stale' });
      else held();
    });
  });
}

/** Which file stands at the path; a new one under the same name is another. */
function identityOf(path: string): string | undefined {
  try {
    const { ino, mtimeNs } = fs.lstatSync(path, { bigint: true });
    return `${ino} ${mtimeNs}`;
  } catch {
    return undefined;
  }
}

/** Removes the left-over that was asked, and no other: moved aside first, because two processes may be here at once. */
function removeStale(path: string, identity: string | undefined): void {
  const aside = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    fs.renameSync(path, aside);
    // The socket of a process that was quicker: it gets its name back, unless a third one has it by now.
    if (identityOf(aside) !== identity) fs.linkSync(aside, path);
    fs.unlinkSync(aside);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'EEXIST') throw unusable(path, error);
  }
}

function unusable(dir: string, error: unknown): SluiceError {
  return new SluiceError('data_dir_unusable', `cannot use data directory ${dir}: ${errorText(error)}`, {
    cause: error,
  });
}
