/** Runs go into their profile's evidence without being asked for, and a machine that is no longer like its profile shows. */
import { basename, resolve } from 'node:path';
import type { Drift } from '../calibrate/index.js';
import {
  EVIDENCE_SCHEMA,
  findDrift,
  fingerprintHere,
  isSameMachine,
  keepRun,
  keptRuns,
  machineHere,
  runId,
} from '../calibrate/index.js';
import { MeshwrightError } from '../errors.js';
import type { Task } from '../job/index.js';
import { jobToInput } from '../job/index.js';
import { omit } from '../omit.js';
import type { FamilyName } from '../runtime/index.js';
import { FAMILY_NAMES } from '../runtime/kernels/families.js';
import { predictedFigures } from './comparison.js';
import { localName } from './local-profile.js';
import type { Straggler } from '../trace/index.js';
import { openStore, passOver, versionOf } from './stored-hardware.js';
import { groupOf } from './subjects.js';
import type { Trial } from './trial.js';
import { measuredStepSeconds } from './trial.js';

/** Of fewer steps the median says too little. */
const LEAST_STEPS = 5;

const LOCAL_NAMES: ReadonlySet<string> = new Set(FAMILY_NAMES.map(localName));

/** The profile that a run is evidence of: of this machine, each family has one of its own, and a run of one says nothing of another's. */
export const profileOf = (hardware: string, family: FamilyName): string =>
  LOCAL_NAMES.has(hardware) ? localName(family) : hardware;

/**
 * Why a run is no evidence, for people; nothing where it is.
 *
 * @param steps that were timed
 * @param stragglers a rank that was slower than its peers to the end says nothing of the profile
 */
export function whyNotKept(
  family: FamilyName,
  steps: number,
  stragglers: readonly Pick<Straggler, 'toStep'>[],
): string | undefined {
  if (family === 'reference') return 'the reference family only checks numbers';
  if (steps < LEAST_STEPS) return `${steps} timed ${steps === 1 ? 'step is' : 'steps are'} too few`;
  return stragglers.some(({ toStep }) => toStep === null) ? 'a rank was slower than the others' : undefined;
}

/** What became of a run as evidence. */
export type Kept =
  { readonly profile: string; readonly id: string } | { readonly profile: string; readonly notKept: string };

/**
 * Adds a run to the evidence of the profile that it was predicted by. What keeps it from being added is no error of the
 * run.
 */
export function keepTrial(trial: Trial, runFolder: string, stragglers: readonly Straggler[]): Kept {
  const { predicted, spans, stepSeconds } = trial;
  const { job } = predicted;
  const version = versionOf(job);
  const { family } = job.training;
  const profile = profileOf(version?.name ?? job.hardware.name, family);
  const { stepTimeInterval: interval, stepTimeSeconds } = predictedFigures(predicted);
  const notKept = whyNotKept(family, stepSeconds.length, stragglers);
  if (notKept !== undefined) return { profile, notKept };
  const made = new Date().toISOString();
  const machine = fingerprintHere(family);
  // Where images or texts lie says nothing of how fast a step is.
  const { training, ...input } = jobToInput(job);
  try {
    const id = keepRun(openStore(), profile, {
      made,
      machine,
      version: profile === version?.name ? version.version : null,
      predicted: { stepTimeSeconds, p10: interval?.p10 ?? stepTimeSeconds, p90: interval?.p90 ?? stepTimeSeconds },
      measuredSeconds: measuredStepSeconds(trial),
      evidence: {
        schema: EVIDENCE_SCHEMA,
        kind: 'run',
        id: runId(made, resolve(runFolder)),
        source: `${basename(runFolder)}, ${stepSeconds.length} steps, ${made.slice(0, 10)}`,
        group: groupOf(job),
        ranks: job.chips,
        drift: 1,
        job: { ...input, hardware: profile, training: omit(training ?? {}, 'images', 'text') },
        stepSeconds: [...stepSeconds],
        spans: spans.map((span) => omit(span, 'axis')),
      },
    });
    return { profile, id };
  } catch (error) {
    if (!(error instanceof MeshwrightError)) throw error;
    return { profile, notKept: error.message };
  }
}

/** Of the version that a task is predicted by, by the runs that are kept of it; nothing of a shipped profile or a file. */
export function driftOf(task: Pick<Task, 'hardwareName'>): Drift | null {
  const version = versionOf(task);
  if (version === undefined || version.machine === null || !isSameMachine(version.machine, machineHere())) return null;
  return driftOfVersion(version.name, version.version);
}

export const driftOfVersion = (name: string, version: number): Drift | null =>
  findDrift(keptRuns(openStore(), name, machineHere(), passOver), version) ?? null;

/** @param name of the profile */
export function describeDrift({ direction, factor, runs, outside }: Drift, name: string): string {
  const side = direction === 'slower' ? 'more than' : 'less than';
  return `Drift: ${outside} of the last ${runs} runs took ${side} 8 of 10 were predicted to, ${factor.toFixed(2)} times as long as predicted: this machine is ${direction} than ${name} says; meshwright profile measures it anew, meshwright calibrate corrects it by runs`;
}
