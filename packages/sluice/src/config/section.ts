import type { z } from 'zod';
import { keyPlace, locate, pathText, type Path } from './locate.ts';
import { materialize, type Surroundings } from './materialize.ts';
import { findings, issueText, type Finding } from './messages.ts';
import { nearestHint } from './nearest.ts';
import { childSchema, knownKeys, type Schema } from './schema-tree.ts';
import type { Located, Place, Problem } from './source.ts';

/** A part of the configuration and the schema that it must fit. */
export interface Section<Output> {
  readonly schema: z.ZodType<Output>;
  /** What messages call it. */
  readonly path: Path;
  /** undefined = it is not written. */
  readonly node: Located | undefined;
  /** Where its key stands, for what has no place of its own. */
  readonly place: Place | undefined;
  /** Better words for a key that the schema does not take, where there are some. */
  readonly unknownKey?: ((path: Path, key: string) => string | undefined) | undefined;
}

/** Validates a section: its value, or undefined and what is wrong with it among the problems. */
export function parseSection<Output>(section: Section<Output>, around: Surroundings): { value: Output } | undefined {
  const { node, schema } = section;
  const isNull = node?.kind === 'scalar' && node.value === null;
  const input = node === undefined || isNull ? undefined : materialize(node, schema, around);
  const outcome = schema.safeParse(input, { error: issueText });
  if (outcome.success) return { value: outcome.data };
  for (const [index, finding] of findings(outcome.error.issues, input).entries()) {
    // Looking for the nearest key takes time: a file of garbage has more of them than anybody reads.
    around.problems.push(toProblem(finding, section, index < MOST_HINTS));
  }
  return undefined;
}

const MOST_HINTS = 200;

function toProblem(finding: Finding, section: Section<unknown>, withHint: boolean): Problem {
  const name = pathText([...section.path, ...finding.path]);
  const found = locate(section.node, finding.path);
  const place = found?.place ?? section.place ?? { text: name, order: 0, inFile: false };
  if (finding.unknownKey === undefined) {
    // Where the place is the option's name, it has said which key it is.
    return { place, message: place.text === `--set ${name}` ? finding.message : `${name}: ${finding.message}` };
  }
  const at = keyPlace(section.node, [...finding.path, finding.unknownKey]) ?? place;
  if (!withHint) return { place: at, message: `${finding.message} in ${name}` };
  const words = section.unknownKey?.(finding.path, finding.unknownKey);
  if (words !== undefined) return { place: at, message: `${words} in ${name}` };
  const known = knownKeys(schemaAt(section.schema, finding.path));
  const hint = nearestHint(finding.unknownKey, known) || `; known keys: ${known.join(', ')}`;
  return { place: at, message: `${finding.message} in ${name}${hint}` };
}

function schemaAt(schema: Schema, path: Path): Schema | undefined {
  let current: Schema | undefined = schema;
  for (const step of path) current = childSchema(current, step);
  return current;
}
