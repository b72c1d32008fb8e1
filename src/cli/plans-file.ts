/** What `plan --json` printed, kept in a file: read for the plans of its front. */
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import type { Search } from '../report/index.js';

const SCHEMA = 'meshwright/plans@2';

const figures = { stepTimeSeconds: z.number(), peakMemoryBytesPerChip: z.number(), mfu: z.number() };
const form = z.looseObject({
  model: z.string(),
  hardware: z.string(),
  candidates: z.number(),
  simulated: z.number(),
  doNotFit: z.number(),
  isComplete: z.boolean(),
  plans: z
    .array(
      z.looseObject({ plan: z.string(), chips: z.number(), batch: z.number(), simulation: z.looseObject(figures) }),
    )
    .min(1),
  front: z.array(z.looseObject({ plan: z.string(), chips: z.number(), ...figures })),
  explanation: z.array(z.object({ part: z.string(), text: z.string() })),
});

/** @throws MeshwrightError USAGE of a file that is something else */
export function readPlans(document: unknown, path: string): Search {
  const invalid = (got: string): MeshwrightError =>
    new MeshwrightError('USAGE', {
      place: path,
      expected: `a job file, the folder of a run, or what plan --json prints (${SCHEMA})`,
      got,
    });
  const schema = (document as { schema?: unknown } | null)?.schema;
  if (schema !== SCHEMA) throw invalid(`JSON with schema ${JSON.stringify(schema)}`);
  const { data, error } = form.safeParse(document);
  if (error !== undefined) {
    const [issue] = error.issues;
    throw invalid(`one whose ${issue!.path.join('.')} is wrong (${issue!.message})`);
  }
  const { model, hardware, plans, front, explanation, isComplete, candidates, simulated, doNotFit } = data;
  const [{ chips, batch }] = plans as [(typeof plans)[number]];
  return {
    title: `Plans of ${model} on ${chips} × ${hardware}, batch ${batch} (${path})`,
    best: plans.map(({ plan, chips: own, simulation }) => ({
      plan,
      chips: own,
      stepTimeSeconds: simulation.stepTimeSeconds,
      peakMemoryBytesPerChip: simulation.peakMemoryBytesPerChip,
      mfu: simulation.mfu,
    })),
    front,
    counts: { candidates, simulated, doNotFit },
    isComplete,
    words: explanation,
  };
}
