/**
 * Runs that a profile's store keeps: each as evidence for the next fit, with what was predicted of it then. From how the
 * newest of them went it shows whether the machine still is what its profile says.
 */
import { median } from 'simple-statistics';
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import type { RunEvidence } from './evidence.js';
import { evidenceForm } from './evidence.js';
import type { Machine } from './machine.js';
import { fingerprintForm, isSameMachine } from './machine.js';
import type { ProfileStore } from './store.js';

const SCHEMA = 'meshwright/kept-run@1';

const positive = z.number().positive();
const form = z.object({
  schema: z.literal(SCHEMA),
  made: z.iso.datetime(),
  machine: fingerprintForm,
  /** The version that it was predicted by; null of a shipped profile, or a file. */
  version: z.number().int().positive().nullable(),
  predicted: z.object({ stepTimeSeconds: positive, p10: positive, p90: positive }),
  measuredSeconds: positive,
  evidence: evidenceForm.refine(({ kind }) => kind === 'run', 'a run'),
});

export interface KeptRun extends Omit<z.infer<typeof form>, 'evidence'> {
  readonly evidence: RunEvidence;
}

/** A run's evidence by when and where it was made. */
export const runId = (made: string, runFolder: string): string => `${made} ${runFolder}`;

/** The path of a run's folder when it was kept; nothing of one that was kept under another kind of id. */
export const runFolderOf = ({ made, evidence }: Pick<KeptRun, 'made' | 'evidence'>): string | undefined =>
  evidence.id.startsWith(runId(made, '')) ? evidence.id.slice(runId(made, '').length) : undefined;

/** @throws MeshwrightError WRITE_FAILED */
export const keepRun = (store: ProfileStore, profile: string, run: Omit<KeptRun, 'schema'>): string =>
  store.addEvidence(profile, run.made, { schema: SCHEMA, ...run });

/**
 * The runs that are kept for a profile, on this machine, the oldest first.
 *
 * @param warn told of what is no such run, which is passed over
 */
export function keptRuns(
  store: ProfileStore,
  profile: string,
  here: Machine,
  warn: (damage: MeshwrightError) => void,
): KeptRun[] {
  return store.listEvidence(profile).flatMap(({ path, document }) => {
    const { data, error } = form.safeParse(document);
    if (data !== undefined) return isSameMachine(data.machine, here) ? [data as KeptRun] : [];
    const [issue] = error.issues;
    const got = `one whose ${issue!.path.join('.') || 'content'} is wrong (${issue!.message})`;
    warn(new MeshwrightError('RUN_INVALID', { place: path, expected: `a ${SCHEMA} document`, got }));
    return [];
  });
}

/** That runs are no longer what a profile predicts. */
export interface Drift {
  readonly direction: 'slower' | 'faster';
  /** Measured over predicted: the median of the runs that were looked at. */
  readonly factor: number;
  /** Runs that were looked at, and those of them outside of what eight of ten are between. */
  readonly runs: number;
  readonly outside: number;
}

/** What the newest say: older ones are of before a change. */
const NEWEST = 8;
/** One of ten runs is above what eight of ten are between, if the profile is right. */
const SHARE_ABOVE = 0.1;
const SIGNIFICANCE = 0.01;

/** That of so many runs so many or more are above, if each is with this probability. */
function tail(runs: number, above: number): number {
  let [probability, total] = [(1 - SHARE_ABOVE) ** runs, 0];
  for (let count = 0; count <= runs; count++) {
    if (count >= above) total += probability;
    probability *= ((runs - count) / (count + 1)) * (SHARE_ABOVE / (1 - SHARE_ABOVE));
  }
  return total;
}

/**
 * Whether the newest runs of a version lie above (or below) its intervals more often than they would by chance. Looked for
 * in the newest two, three … up to eight, so that a change shows as soon as it can.
 *
 * @param runs the oldest first
 */
export function findDrift(runs: readonly KeptRun[], version: number): Drift | undefined {
  const own = runs.filter((run) => run.version === version);
  const sides = [
    ['slower', ({ measuredSeconds, predicted }: KeptRun) => measuredSeconds > predicted.p90],
    ['faster', ({ measuredSeconds, predicted }: KeptRun) => measuredSeconds < predicted.p10],
  ] as const;
  for (const [direction, isOutside] of sides) {
    // The newest has to be so: of a machine that recovered there is nothing to say.
    if (own.length === 0 || !isOutside(own.at(-1)!)) continue;
    for (let count = Math.min(NEWEST, own.length); count >= 2; count--) {
      const newest = own.slice(-count);
      const outside = newest.filter(isOutside).length;
      if (tail(count, outside) >= SIGNIFICANCE) continue;
      const factor = median(newest.filter(isOutside).map((run) => run.measuredSeconds / run.predicted.stepTimeSeconds));
      return { direction, factor, runs: count, outside };
    }
  }
  return undefined;
}
