/** Runs that are over, as the UI lists them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from '../errors.js';
import { readJob } from '../job/index.js';
import type { FamilyName } from '../runtime/index.js';
import { DEFAULT_FAMILY } from '../runtime/kernels/families.js';
import type { RunList, RunRow } from '../tui/services.js';
import type { ComparisonDocument } from './comparison.js';
import { readComparison } from './comparison.js';
import { hardwareText } from './stored-hardware.js';

const COMPARISON = 'comparison.json';

/** The family that a run's job names; it is part of what runs are grouped by. */
export function familyOf(runFolder: string): FamilyName {
  return readJob(join(runFolder, 'job.yaml')).training?.family ?? DEFAULT_FAMILY;
}

export function rowOf(runFolder: string, document: ComparisonDocument): RunRow {
  const { model, chips, batch, hardware, hardwareVersion = null, plans, stepSeconds } = document;
  const [{ plan, predicted, measured }] = plans as readonly [ComparisonDocument['plans'][number]];
  const { stepTimeInterval: between } = predicted;
  return {
    runFolder,
    title: `${model} on ${chips} × ${hardwareText(hardware, hardwareVersion)}, batch ${batch}`,
    model,
    plan,
    group: `${model} ${plan} batch ${batch} ${familyOf(runFolder)}`,
    made: statSync(join(runFolder, COMPARISON)).mtime.toISOString(),
    steps: stepSeconds.length,
    predictedStepTimeSeconds: predicted.stepTimeSeconds,
    ...(between === undefined ? {} : { stepTimeInterval: { p10: between.p10, p90: between.p90 } }),
    measuredStepTimeSeconds: measured.stepTimeSeconds,
    predictedMfu: predicted.mfu,
    measuredMfu: measured.mfu,
  };
}

/** Folders in `folder` with a comparison in them; those that were cut off before have none. */
export function listRuns(folder: string): RunList {
  const rows: RunRow[] = [];
  const damaged: { runFolder: string; why: string }[] = [];
  const names = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  for (const entry of names) {
    const runFolder = join(folder, entry.name);
    if (!entry.isDirectory() || !existsSync(join(runFolder, COMPARISON))) continue;
    try {
      rows.push(rowOf(runFolder, readComparison(runFolder)));
    } catch (error) {
      if (!(error instanceof MeshwrightError)) throw error;
      damaged.push({ runFolder, why: error.detail.got });
    }
  }
  return { rows: rows.toSorted((a, b) => (a.made < b.made ? 1 : -1)), damaged };
}
