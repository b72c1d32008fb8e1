/** What a checkpoint says of itself beside its tensors: strings, as safetensors has them, some of them JSON. */
import { z } from 'zod';
import { isDeepStrictEqual } from 'node:util';
import { refused } from './safetensors-header.js';

const SCHEMA = 'meshwright/checkpoint@1';

const count = z.number().int().min(0);

/** Where a run is in its data, and what data they are. */
const dataForm = z.object({
  /** Batches that were taken, which is where the next one begins. */
  batches: count,
  /** Examples of each. */
  batch: count,
  /** Of the batch that is next, from 0. */
  epoch: count,
  /** Of the initial parameters, of the order of the data and of what is drawn to augment them, each by its place. */
  seed: count,
  /** Tells other data apart. */
  digest: z.string(),
  about: z.string(),
});

const optimizerForm = z.looseObject({
  kind: z.string(),
  /** Updates that were made; less than the steps where some were left out since their scaled gradients overflowed. */
  appliedSteps: count,
  /** Where the loss is scaled: what the scale was before the first step. */
  initialLossScale: z.number().optional(),
});

const form = z.object({
  step: count,
  /** The run that wrote it: what of a folder is its own to delete. */
  run: z.string().regex(/^[0-9a-f]{16}$/),
  model: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  plan: z.string(),
  optimizer: optimizerForm,
  data: dataForm,
  /** Of the whole run, as planned; the learning rate's schedule ends with the last. */
  steps: count,
});

export type CheckpointMetadata = z.infer<typeof form>;
export type DataPosition = CheckpointMetadata['data'];

/** The entries that are not JSON. */
const PLAIN = ['run', 'plan'] as const satisfies readonly (keyof CheckpointMetadata)[];
const isPlain = (name: string): boolean => (PLAIN as readonly string[]).includes(name);

export const formatMetadata = (metadata: CheckpointMetadata): Record<string, string> => ({
  schema: SCHEMA,
  ...Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, isPlain(name) ? String(value) : JSON.stringify(value)]),
  ),
});

/** @throws MeshwrightError CHECKPOINT_INVALID of a file that is somebody else's, or of another version */
export function parseMetadata(strings: Readonly<Record<string, string>>, place: string): CheckpointMetadata {
  const at = `${place}, __metadata__`;
  const { schema, ...entries } = strings;
  if (schema !== SCHEMA) throw refused(at, `schema ${SCHEMA}`, schema === undefined ? 'none' : JSON.stringify(schema));
  const values = Object.entries(entries).map(([name, text]): [string, unknown] => {
    if (isPlain(name)) return [name, text];
    try {
      return [name, JSON.parse(text)];
    } catch {
      throw refused(at, `${name} as JSON`, text.slice(0, 80));
    }
  });
  const { data, error } = form.safeParse(Object.fromEntries(values));
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw refused(at, issue!.message, issue!.path.join('.'));
}

/** Fields in which two records differ, `field expected, got` of each. */
export const differences = (
  expected: Readonly<Record<string, unknown>>,
  got: Readonly<Record<string, unknown>>,
): { readonly field: string; readonly expected: string; readonly got: string }[] =>
  [...new Set([...Object.keys(expected), ...Object.keys(got)])]
    .filter((field) => !isDeepStrictEqual(expected[field], got[field]))
    .map((field) => ({
      field,
      expected: JSON.stringify(expected[field]) ?? 'none',
      got: JSON.stringify(got[field]) ?? 'none',
    }));
