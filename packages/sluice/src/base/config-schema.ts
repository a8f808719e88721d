import { z } from 'zod';
import { Secret, type SecretSource } from './secret.ts';
import { parseBytes, parseDuration } from './units.ts';

/**
 * Building blocks for the rooms' `config.ts`. A key with a default is written
 * `durationSchema.prefault('1s').meta({ description: '...' })`: the default in the form a person would write, so that the printed reference
 * shows it. Output types: durations are milliseconds, sizes are bytes, addresses are host and port, secrets are `Secret`.
 */

/** A duration with units (`500ms`, `1h30m`, `15d`, or 0); output: milliseconds. */
export const durationSchema = z
  .union([z.string(), z.literal(0)], { error: (issue) => `expected a duration such as 30s; got ${shown(issue.input)}` })
  .transform((text, context) => tried(() => parseDuration(String(text)), context))
  .meta({ format: 'duration' });

/** A size with units (`64MiB`, `1GB`, or a plain number of bytes); output: bytes. */
export const bytesSchema = z
  .union([z.string(), z.int().nonnegative()], {
    error: (issue) => `expected a size such as 64MiB; got ${shown(issue.input)}`,
  })
  .transform((text, context) => tried(() => parseBytes(String(text)), context))
  .meta({ format: 'size' });

export interface HostPort {
  /** A name or address, an IPv6 address without brackets. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
}

/** `127.0.0.1:80`, `[::1]:80`. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `host:port`, `[::1]:port`, or `:port` for every address of the machine; output: HostPort. */
export const hostPort = z
  .string({ error: (issue) => `expected an address such as 127.0.0.1:20416; got ${shown(issue.input)}` })
  .transform((text, context) => tried(() => parseHostPort(text), context))
  .meta({ format: 'host:port' });

/** A file or folder. The loader makes it absolute: relative to the configuration file that names it, else to the working directory. */
export const filePath = z
  .string()
  .min(1, { error: 'expected a path; got an empty text' })
  .refine((text) => !text.includes('\0'), { error: 'expected a path; got a text with a NUL character' })
  .meta({ format: 'path' });

/** A secret that the loader has read already. */
const readSecret = z.custom<Secret>((value) => value instanceof Secret);

/** A path to a file whose only content is a secret (one trailing line break is left out); output: Secret. The loader reads it. */
export const secretFile = z
  .union([readSecret, filePath], { error: (issue) => `expected a path; got ${shown(issue.input)}` })
  .transform((path) => (path instanceof Secret ? path : Secret.from({ kind: 'file', path })))
  .meta({ format: 'secret path' });

const SECRET_WANTED = 'expected ${NAME} or {file: PATH}; secrets are not written into the configuration';

/** A secret by reference: `${NAME}` (environment variable) or `{file: PATH}`; output: Secret. The loader reads it. */
export const secretRef = z
  .union([readSecret, z.string(), z.strictObject({ file: filePath })], { error: SECRET_WANTED })
  .transform((reference, context) => {
    if (reference instanceof Secret) return reference;
    const source = secretSource(reference);
    if (source !== undefined) return Secret.from(source);
    // The text may be the secret itself: it is not repeated.
    context.addIssue(SECRET_WANTED);
    return z.NEVER;
  })
  .meta({ format: 'secret reference' });

/** What YAML 1.1, which DeepFlow reads, takes for true and false is understood as well. */
function oldBoolean(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (/^(?:yes|on|y)$/i.test(value)) return true;
  return /^(?:no|off|n)$/i.test(value) ? false : value;
}

/** A boolean as DeepFlow reads it. */
export const flag = z.preprocess(oldBoolean, z.boolean());

/** Any single value, as the text that was written (the loader hands it on so). */
export const scalarText = z.string().meta({ format: 'scalar text' });

/** A secret that DeepFlow has in the file itself: the text, `${NAME}` or `{file: PATH}`. Never repeated in a message; output: Secret. */
export const inlineSecret = z
  .union([z.custom<Secret>((value) => value instanceof Secret), z.string()], {
    error: 'expected a text in quotes, ${NAME} or {file: PATH}',
  })
  .transform((value) => (value instanceof Secret ? value : Secret.of(value)))
  .meta({ format: 'secret' });

/** Path of a file with a secret that is looked at now and read again later; output: the path. */
export const secretPath = filePath.meta({ format: 'secret file' });

/** For mappings that hold secrets: the value that stands in their place is not repeated. */
export function mappingWanted(issue: { readonly code?: string | undefined }): string | undefined {
  return issue.code === 'invalid_type' ? 'expected a mapping' : undefined;
}

/** Where a secret reference points; undefined for any other text. */
export function secretSource(reference: string | { readonly file: string }): SecretSource | undefined {
  if (typeof reference === 'object') return { kind: 'file', path: reference.file };
  const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(reference)?.[1];
  return name === undefined ? undefined : { kind: 'environment', name };
}

/** Reads `host:port`. Throws Error with what was expected. */
function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]/]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    const wanted = 'expected host:port with a port of 0 to 65535, such as 127.0.0.1:20416 or [::1]:20416';
    throw new Error(`${wanted}; got ${shown(text)}`);
  }
  return { host: match[1] ?? (match[2] === '' || match[2] === undefined ? '::' : match[2]), port };
}

/** Runs a parser that throws; its error becomes the issue. */
function tried<T>(parse: () => T, context: { addIssue: (message: string) => void }): T {
  try {
    return parse();
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : String(error));
    return z.NEVER;
  }
}

/** A value as messages show it: short, and the kind of thing when it is not one value. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const isPlain = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
  const text = isPlain ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
