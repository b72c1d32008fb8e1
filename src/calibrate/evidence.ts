/**
 * Measured evidence in a neutral form: what was measured, and what it is made of in units that no profile is part of, so
 * that it can be fitted again when the profile has changed. Three kinds, from the most telling to the least: a run of a
 * job with its spans, pieces of work whose size is known, and a step time alone.
 */
import { z } from 'zod';
import { ALGORITHMS, COLLECTIVES, MATMUL_DTYPES } from '../hardware/index.js';
import { MeshwrightError } from '../errors.js';
import type { JobInput } from '../job/index.js';

export const EVIDENCE_SCHEMA = 'meshwright/evidence@1';

const positive = z.number('a number above 0').positive('a number above 0');
const counted = z.number('a whole number').int('a whole number').nonnegative('0 or more');
const one = counted.min(1, 'at least 1');

/** Where evidence is from, and what ran. */
const origin = {
  schema: z.literal(EVIDENCE_SCHEMA),
  /** The same for the same run, so that it counts once: a run's id, a file's hash. */
  id: z.string().min(1, 'an id'),
  /** For people, and for the source of what is fitted: what was measured, where and when. */
  source: z.string().min(3, 'a source of at least 3 characters'),
  /** Which plan it is of, or which group of work: what is held out together. */
  group: z.string().min(1, 'a group'),
  /** Ranks (chips) at work at once. */
  ranks: one,
  /**
   * What a reference took meanwhile over what it took when the profile was made: times are divided by it. 1 where none ran.
   */
  drift: positive.default(1),
};

/** A kernel or a collective of a program, by the id that both executors give it. */
const programSpan = z.object({
  id: z.string(),
  kind: z.enum(['kernel', 'collective', 'host', 'slot']),
  name: z.string(),
  phase: z.string(),
  /** Of one run, from its start to its end: the mean over ranks, in seconds. */
  seconds: z.number().nonnegative(),
  /** What all its runs add to a step, in seconds. */
  exposedSeconds: z.number().nonnegative(),
  /** How often a rank runs it in a step; once where absent. */
  runs: positive.optional(),
  /** For a collective: bytes that a rank sends. */
  sentBytes: z.number().nonnegative().optional(),
});

/** A job that was run: it is simulated by whatever profile is fitted, and joined by span id. */
const runForm = z.object({
  ...origin,
  kind: z.literal('run'),
  /** As in a job file; whatever hardware it names, it is predicted by the profile that is fitted. */
  job: z.custom<JobInput>((value) => typeof value === 'object' && value !== null, 'a job'),
  stepSeconds: z.array(positive).min(1),
  spans: z.array(programSpan),
});

/** What a span did, where it is no kernel of ours. */
const workForm = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('matmul'),
    dtype: z.enum(MATMUL_DTYPES),
    batch: one,
    m: one,
    n: one,
    k: one,
  }),
  /** What moves bytes. */
  z.object({
    kind: z.literal('memory'),
    bytes: positive,
    /** Which class of memory-bound work, of those that the profile tells apart. */
    class: z.string().optional(),
  }),
  /** Arithmetic outside the matrix units. */
  z.object({ kind: z.literal('vector'), flops: positive }),
  /** Nothing but its launch. */
  z.object({ kind: z.literal('launch'), ops: one }),
  z.object({
    kind: z.literal('collective'),
    name: z.enum(COLLECTIVES),
    algorithm: z.enum(ALGORITHMS).optional(),
    /** In the group, and how many of them share a node or a torus; all where absent. */
    ranks: one,
    ranksPerNode: one.optional(),
    /** Of the tensor, on one rank before the collective. */
    bytes: positive,
  }),
]);

const workSpan = z.object({
  id: z.string(),
  /** Of one run, typically; and half of the width of its 10th to 90th percentile, where it was run often. */
  seconds: positive,
  spreadSeconds: z.number().nonnegative().optional(),
  /** How many runs that is of. */
  runs: positive.default(1),
  work: workForm,
});

const workEvidenceForm = z.object({ ...origin, kind: z.literal('work'), spans: z.array(workSpan).min(1) });

/** A job of which only the time of a step is known. */
const stepForm = z.object({
  ...origin,
  kind: z.literal('step'),
  job: z.custom<JobInput>((value) => typeof value === 'object' && value !== null, 'a job'),
  stepSeconds: z.array(positive).min(1),
});

export const evidenceForm = z.discriminatedUnion('kind', [runForm, workEvidenceForm, stepForm]);

export type RunEvidence = z.infer<typeof runForm>;
export type ProgramSpan = z.infer<typeof programSpan>;
export type WorkEvidence = z.infer<typeof workEvidenceForm>;
export type WorkSpan = z.infer<typeof workSpan>;
export type Work = z.infer<typeof workForm>;
export type StepEvidence = z.infer<typeof stepForm>;
/** What the fit reads. */
export type MeasuredEvidence = RunEvidence | WorkEvidence | StepEvidence;

/**
 * @param place the file, for messages
 * @throws MeshwrightError RUN_INVALID for what is no evidence of this version
 */
export function parseEvidence(document: unknown, place: string): MeasuredEvidence {
  const parsed = evidenceForm.safeParse(document);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new MeshwrightError('RUN_INVALID', {
    place: [place, ...(issue?.path ?? [])].join(', '),
    expected: `evidence of a measurement (${EVIDENCE_SCHEMA})`,
    got: issue?.message ?? 'something else',
  });
}
