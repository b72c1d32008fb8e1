/** The prediction of one measured run, on whichever thread. */
import { MeshwrightError } from '../errors.js';
import { formatPlan } from '../job/index.js';
import type { Job, Plan } from '../job/index.js';
import { formatPercent } from '../units.js';
import type { Mechanism, Prediction, PreparedRow, Row } from '../validate/index.js';
import { Unsupported, prepareRow } from '../validate/index.js';
import { formatSlice, sliceShapes } from '../../sim/index.js';
import { Assessor, isOfPipeline } from './assess.js';
import type { AnyAssessment, JobSimulation } from './assess.js';
import { measuredStepSeconds } from './measured-stages.js';

/** Jobs of one thread share what they can: programs, machines. */
const assessor = new Assessor();

interface Found {
  readonly assessment: AnyAssessment;
  readonly simulation: JobSimulation;
  readonly job: Job;
  readonly notes: readonly string[];
}

const optionsOf = ({ slices, twist, placement }: Plan): Parameters<typeof sliceShapes>[2] => ({
  twist,
  ...(slices === undefined ? {} : { slices }),
  ...(placement === undefined ? {} : { placement }),
});

/** Where the shape of a slice was left open it is the one that the step is fastest on. */
function predictOnBestSlice({ job, stack, openSlice }: PreparedRow): Found {
  const { topology } = job.hardware;
  const shapes =
    openSlice && topology.kind === 'torus' ? sliceShapes(topology, job.plan.mesh, optionsOf(job.plan)) : [];
  const jobs = shapes.length === 0 ? [job] : shapes.map((slice) => ({ ...job, plan: { ...job.plan, slice } }));
  const found = jobs.map((one) => {
    const assessment = assessor.assessAny(one, stack);
    return { job: one, assessment, simulation: assessment.simulation };
  });
  const best = found.reduce((a, b) => (b.simulation.stepTimeSeconds < a.simulation.stepTimeSeconds ? b : a));
  const { slice } = best.job.plan;
  if (shapes.length === 0 || slice === undefined) return { ...best, notes: [] };
  const slowest = Math.max(...found.map(({ simulation }) => simulation.stepTimeSeconds));
  const most = formatPercent(slowest / best.simulation.stepTimeSeconds - 1);
  const others =
    shapes.length === 1
      ? 'the only shape that there is'
      : `the fastest of ${shapes.length} shapes, the slowest of which takes ${most} longer`;
  return { ...best, notes: [`slice not stated: ${formatSlice(slice)}, ${others}`] };
}

/** What the second of two smaller microbatches adds to a step. */
function restSeconds({ remainder, stack }: PreparedRow): number {
  if (remainder === undefined) return 0;
  const [one, two] = [remainder.one, remainder.two].map((job) => assessor.simulate(job, stack).stepTimeSeconds);
  return two! - one!;
}

type Outcome = Pick<
  Prediction,
  'status' | 'reason' | 'predictedStepTimeSeconds' | 'predictedMemoryBytesPerChip' | 'predictedFits' | 'plan' | 'notes'
>;

function predict(row: Row, without: readonly Mechanism[]): Outcome {
  const prepared = prepareRow(row, without);
  const { assessment, simulation, job, notes } = predictOnBestSlice(prepared);
  const rest = restSeconds(prepared);
  const { profile } = prepared;
  const fromStages =
    profile !== undefined && isOfPipeline(assessment) ? measuredStepSeconds(profile, assessment) : undefined;
  return {
    status: 'predicted',
    predictedStepTimeSeconds: (fromStages ?? simulation.stepTimeSeconds) + rest,
    predictedMemoryBytesPerChip: simulation.peakMemoryBytesPerChip,
    predictedFits: simulation.fits,
    plan: formatPlan(job.plan),
    notes: [
      ...prepared.notes,
      ...notes,
      ...(fromStages === undefined
        ? []
        : ['step time from the measured times of its stages, by the schedule and the update alone']),
      ...(prepared.remainder === undefined
        ? []
        : ['the last microbatch is smaller: it takes what the second of two such steps adds to one']),
    ],
  };
}

const unsupported = (reason: string): Outcome => ({
  status: 'unsupported',
  reason,
  predictedStepTimeSeconds: null,
  predictedMemoryBytesPerChip: null,
  predictedFits: null,
  plan: null,
  notes: [],
});

/** A row that can't be predicted says why, whatever it is: no row ends the validation of the others. */
function outcomeOf(row: Row, without: readonly Mechanism[]): Outcome {
  try {
    return predict(row, without);
  } catch (error) {
    if (error instanceof Unsupported) return unsupported(error.message);
    if (error instanceof MeshwrightError) return unsupported(error.message);
    return unsupported(`a defect of meshwright: ${(error as Error).stack ?? String(error)}`);
  }
}

/** @param without mechanisms to leave out */
export function predictRow(row: Row, without: readonly Mechanism[] = []): Prediction {
  const { measured } = row;
  return {
    id: row.id,
    set: row.set,
    stack: row.stack,
    chip: row.hardware.chip,
    model: row.model.name,
    measuredStepTimeSeconds: measured.stepTimeSeconds ?? null,
    measuredMemoryBytesPerChip: measured.memoryBytesPerChip ?? null,
    measuredFits: measured.fits ?? null,
    ...outcomeOf(row, without),
  };
}

export interface RowsTask {
  readonly rows: readonly Row[];
  readonly without: readonly Mechanism[];
}

export const predictRows = ({ rows, without }: RowsTask): Prediction[] => rows.map((row) => predictRow(row, without));
