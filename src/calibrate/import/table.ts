/** A table of measured runs, as `validate` reads it (docs/validation.md): of each run the time of a step alone. */
import { isDeepStrictEqual } from 'node:util';
import { MeshwrightError } from '../../errors.js';
import { loadHardware, loadStack } from '../../hardware/index.js';
import { jobToInput } from '../../job/index.js';
import { omit } from '../../omit.js';
import type { Row } from '../../validate/index.js';
import { Unsupported, parseRows, prepareRow } from '../../validate/index.js';
import type { StepEvidence } from '../evidence.js';
import { EVIDENCE_SCHEMA } from '../evidence.js';
import type { Imported, MeasurementFile } from './imported.js';
import { LeftOuts, refused } from './imported.js';

/** The profile that is calibrated, by the names of its hardware and its stack. */
export interface Target {
  readonly hardware: string;
  readonly stack: string;
}

/** Why a row says nothing of the profile, if so. */
function unfit({ hardware, stack, measured, plan }: Row, target: Target): string | undefined {
  if (hardware.chip !== target.hardware) return `it is of ${hardware.chip}, not of ${target.hardware}`;
  if (stack !== target.stack) return `it is of the stack ${stack}, not of ${target.stack}`;
  if (measured.stepTimeSeconds == null) return 'it has no measured step time';
  if (plan.profiledStageSeconds != null) return 'what its stages take is given';
  return undefined;
}

function evidenceOf(row: Row, file: MeasurementFile): StepEvidence | string {
  try {
    const { job, stack, remainder, openSlice } = prepareRow(row);
    if (!isDeepStrictEqual(job.hardware.topology, loadHardware(row.hardware.chip).topology))
      return 'its nodes or its network are not those of the profile';
    if (!isDeepStrictEqual(omit(stack, 'document'), omit(loadStack(row.stack), 'document')))
      return 'its kernels are not those that its stack usually has';
    if (remainder !== undefined) return 'its last microbatch is smaller than the others';
    if (openSlice) return 'it leaves open what shape the slice of its torus had';
    const input = jobToInput(job);
    return {
      schema: EVIDENCE_SCHEMA,
      kind: 'step',
      id: `${row.set}/${row.id}`,
      source: `${row.id} of ${row.set} (${file.name})`,
      group: `${row.model.name} ${row.id}`,
      ranks: job.chips,
      drift: 1,
      job: { ...input, hardware: row.hardware.chip },
      stepSeconds: [row.measured.stepTimeSeconds!],
    };
  } catch (error) {
    if (error instanceof Unsupported || error instanceof MeshwrightError) return error.message;
    throw error;
  }
}

/** @throws MeshwrightError RUN_INVALID of what is no table of runs, or of one without a run of the profile */
export function importTable(file: MeasurementFile, target: Target): Imported {
  const { rows, unusable } = parseRows(file.text, file.name);
  const leftOut = new LeftOuts();
  for (const { id, reason } of unusable) leftOut.add(id, reason);
  const evidence = rows.flatMap((row): StepEvidence[] => {
    const found = unfit(row, target) ?? evidenceOf(row, file);
    if (typeof found !== 'string') return [found];
    leftOut.add(row.id, found);
    return [];
  });
  if (evidence.length === 0) {
    const [first] = leftOut.all;
    throw refused(
      file.name,
      `a run on ${target.hardware} with the stack ${target.stack}`,
      `${rows.length + unusable.length} that say nothing of it`,
      first === undefined ? undefined : `${first.what}: ${first.why}`,
    );
  }
  return { format: 'a table of runs', evidence, leftOut: leftOut.all };
}
