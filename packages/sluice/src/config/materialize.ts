import { accessSync, constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { secretSource } from '../base/config-schema.ts';
import { Secret } from '../base/secret.ts';
import { fileErrorText, readBounded } from './read-file.ts';
import { acceptsNull, childSchema, textFormats, type Schema } from './schema-tree.ts';
import type { Located, LocatedMapping, LocatedScalar, Place, Problem } from './source.ts';

/** A secret longer than this is a wrong file. */
const SECRET_BYTES = 64 * 1024;

export interface Surroundings {
  /** Absolute path of the configuration file: paths in it are relative to it. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly problems: Problem[];
}

/**
 * Located values to the plain values that a schema validates, with what only the loader can do done on the way, where the place of every value
 * is still known: null is left out (unless it means something there), paths become absolute and are looked at, secrets are read.
 */
export function materialize(node: Located, schema: Schema | undefined, around: Surroundings): unknown {
  if (node.kind === 'scalar') {
    const value = asWritten(node, schema);
    return typeof value === 'string' ? text(value, node, { schema, around }) : value;
  }
  if (node.kind === 'list')
    return node.items.map((item, index) => materialize(item, childSchema(schema, index), around));
  const reference = secretReference(node, schema, around);
  if (reference !== undefined) return reference;
  // Without a prototype: the keys come from outside.
  const result: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of node.entries) {
    const child = childSchema(schema, key);
    const isNull = entry.node.kind === 'scalar' && entry.node.value === null;
    if (!isNull || acceptsNull(child)) result[key] = materialize(entry.node, child, around);
  }
  return result;
}

/** Where a text is wanted that people write without quotes even if it is a number, as DeepFlow reads it: what stands in the file. */
function asWritten(node: LocatedScalar, schema: Schema | undefined): LocatedScalar['value'] {
  const { value, source } = node;
  if (value === null || typeof value === 'string') return value;
  const isText = textFormats(schema).some((format) => format === 'scalar text' || format === 'secret');
  return isText ? (source ?? String(value)) : value;
}

interface Target {
  readonly schema: Schema | undefined;
  readonly around: Surroundings;
}

function text(value: string, node: LocatedScalar, { schema, around }: Target): unknown {
  const formats = textFormats(schema);
  if (value === '' || value.includes('\0')) return value;
  if (formats.includes('folder')) return absolute(value, node.place, around);
  if (formats.includes('path')) {
    const path = absolute(value, node.place, around);
    try {
      accessSync(path, constants.R_OK);
    } catch (error) {
      around.problems.push({ place: node.place, message: `cannot read the file ${path}: ${fileErrorText(error)}` });
    }
    return path;
  }
  if (formats.includes('secret path')) return secretFromFile(absolute(value, node.place, around), node.place, around);
  if (formats.includes('secret file')) {
    const path = absolute(value, node.place, around);
    secretFromFile(path, node.place, around);
    return path;
  }
  if (formats.includes('secret reference') || formats.includes('secret')) {
    const source = secretSource(value);
    return source?.kind === 'environment' ? secretFromEnvironment(source.name, node.place, around) : value;
  }
  return value;
}

function secretReference(node: LocatedMapping, schema: Schema | undefined, around: Surroundings): Secret | undefined {
  const isSecret = textFormats(schema).some((format) => format === 'secret reference' || format === 'secret');
  if (node.entries.size !== 1 || !isSecret) return undefined;
  const file = node.entries.get('file')?.node;
  if (file?.kind !== 'scalar' || typeof file.value !== 'string' || file.value === '') return undefined;
  return secretFromFile(absolute(file.value, file.place, around), file.place, around);
}

function absolute(path: string, place: Place, around: Surroundings): string {
  return place.inFile && around.file !== undefined ? resolve(dirname(around.file), path) : resolve(path);
}

function secretFromFile(path: string, place: Place, around: Surroundings): Secret {
  const complain = (cause: string) =>
    around.problems.push({ place, message: `cannot read the secret in ${path}: ${cause}` });
  try {
    const bytes = readBounded(path, SECRET_BYTES);
    const value = bytes.toString('utf8').replace(/\r?\n$/, '');
    if (bytes.length > SECRET_BYTES) complain(`expected at most ${SECRET_BYTES} bytes`);
    else if (value === '') complain('the file is empty');
    else return Secret.of(value);
  } catch (error) {
    complain(fileErrorText(error));
  }
  return UNREAD;
}

function secretFromEnvironment(name: string, place: Place, around: Surroundings): Secret {
  const value = around.env[name];
  if (value !== undefined && value !== '') return Secret.of(value);
  const cause = value === undefined ? 'is not set' : 'is empty';
  around.problems.push({ place, message: `cannot read the secret in the environment: the variable ${name} ${cause}` });
  return UNREAD;
}

/** Stands for a secret that was complained about, so that the rest is still checked. */
const UNREAD = Secret.of('');
