import { readFile } from 'node:fs/promises';
import { SluiceError, errorText } from '../base/errors.ts';

/** How a command reaches a running hub. */
export interface HubAccess {
  /** `http://127.0.0.1:20416` */
  readonly url: string;
  /** Organisation asked about. */
  readonly org: string | undefined;
  /** File whose only content is a bearer token. */
  readonly tokenFile: string | undefined;
  /** User of basic authentication, with a file whose only content is the password. */
  readonly user: string | undefined;
  readonly passwordFile: string | undefined;
}

const TIMEOUT_MS = 30_000;

/** `data` of a running hub's answer to `GET path`, or another method. Throws SluiceError `hub_unreachable`, which says what to do. */
export async function askHub(access: HubAccess, path: string, method: 'GET' | 'POST' = 'GET'): Promise<unknown> {
  const { url, org } = access;
  const headers = new Headers(await credentialsOf(access));
  if (org !== undefined) headers.set('x-org-id', org);
  let status: number;
  let text: string;
  try {
    const answer = await fetch(new URL(path, url), { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    status = answer.status;
    text = await answer.text();
  } catch (cause) {
    throw unreachable(
      `cannot ask the hub at ${url}: ${causeText(cause)}; is it running there? Another address: --url`,
      cause,
    );
  }
  if (status === 401 || status === 403) {
    const scope = method === 'GET' ? 'read' : 'admin';
    const advice = `credentials with the scope ${scope}: --token-file FILE, or --user NAME --password-file FILE`;
    throw unreachable(`the hub at ${url} refuses: ${text.trim()}; ${advice}`);
  }
  if (status !== 200) throw unreachable(`the hub at ${url} answered ${status}: ${text.slice(0, 500).trim()}`);
  const answered = parse(text);
  if (answered === undefined)
    throw unreachable(`expected an answer of a hub at ${url}; got ${JSON.stringify(text.slice(0, 100))}`);
  return answered.data;
}

async function credentialsOf({ tokenFile, user, passwordFile }: HubAccess): Promise<Record<string, string>> {
  if (tokenFile !== undefined) return { authorization: `Bearer ${await secretIn(tokenFile)}` };
  if (user === undefined && passwordFile === undefined) return {};
  if (user === undefined || passwordFile === undefined) {
    throw new SluiceError('config_invalid', 'expected --user and --password-file together');
  }
  const pair = Buffer.from(`${user}:${await secretIn(passwordFile)}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

async function secretIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new SluiceError('config_invalid', `cannot read the secret: ${errorText(cause)}`, { cause });
  }
}

function parse(text: string): { readonly data: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'data' in value ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What `fetch` says is "fetch failed"; its cause says why. */
function causeText(error: unknown): string {
  return errorText(error instanceof Error && error.cause !== undefined ? error.cause : error);
}

function unreachable(message: string, cause?: unknown): SluiceError {
  return new SluiceError('hub_unreachable', message, { cause });
}
