/** The document of `simulate`: a job's simulation, looked at closely, with what only the job and the flags know. */
import type { Details, UnfoldRequest } from '../../sim/index.js';
import { detailsOf, pipelineDetails } from '../../sim/index.js';
import type { Job } from '../job/index.js';
import type { Cost } from '../planner/index.js';
import { costOf } from '../planner/index.js';
import { flops, seconds } from '../units.js';
import type { Assessment, Assessor, PipelineAssessment, PredictedSimulation } from './assess.js';
import type { Advice } from './advice.js';
import { adviceOn } from './advice.js';
import type { HardwareVersion } from './stored-hardware.js';
import { hardwareVersion } from './stored-hardware.js';

/** How long a whole training takes at this step time, evaluation, checkpoints and failures aside. */
export interface TrainingLength extends Cost {
  readonly steps: number;
  readonly tokens: number;
  /** Of 86,400 s. */
  readonly days: number;
}

export interface SimulationReport extends PredictedSimulation, Details {
  /** Of the profile; null where it is a shipped one, or a file of the user's. */
  readonly hardwareVersion: HardwareVersion | null;
  readonly links: Details['links'];
  /** Null where it isn't known how many steps there are. */
  readonly training: TrainingLength | null;
  /** Changes of the plan that were simulated and help, most first. */
  readonly advice: readonly Advice[];
}

export interface ReportFlags {
  readonly steps?: number;
  readonly tokens?: number;
  readonly links?: boolean;
}

/** @param perStep tokens of a step, over all chips */
function stepsOf({ training }: Job, { steps, tokens }: ReportFlags, perStep: number): number | undefined {
  if (tokens !== undefined) return Math.ceil(tokens / perStep);
  return steps ?? training.steps;
}

export function reportOn(
  assessor: Assessor,
  assessment: Assessment,
  flags: ReportFlags,
  unfold?: UnfoldRequest,
): SimulationReport {
  const { program, machine, simulation, execution } = assessment;
  const modelFlops = flops(simulation.modelFlops);
  const listLinks = flags.links === true;
  const details = detailsOf({ result: simulation, execution, program, machine, modelFlops, listLinks });
  return report(assessor, assessment, details, flags, unfold);
}

export function reportOnPipeline(
  assessor: Assessor,
  assessment: PipelineAssessment,
  flags: ReportFlags,
): SimulationReport {
  const { machine, simulation, execution } = assessment;
  const modelFlops = flops(simulation.modelFlops);
  const listLinks = flags.links === true;
  const details = pipelineDetails({ result: simulation, execution, machine, modelFlops, listLinks });
  return report(assessor, assessment, details, flags);
}

function report(
  assessor: Assessor,
  { job, simulation, intervals }: Pick<Assessment, 'job' | 'simulation' | 'intervals'>,
  details: Details,
  flags: ReportFlags,
  unfold?: UnfoldRequest,
): SimulationReport {
  const { stepTimeSeconds, tokensPerSecond, chips } = simulation;
  const tokensPerStep = Math.round(tokensPerSecond * stepTimeSeconds);
  const steps = stepsOf(job, flags, tokensPerStep);
  const length = seconds((steps ?? 0) * stepTimeSeconds);
  return {
    ...simulation,
    ...intervals(),
    ...details,
    hardwareVersion: hardwareVersion(job),
    training:
      steps === undefined
        ? null
        : {
            steps,
            tokens: steps * tokensPerStep,
            days: length / 86400,
            ...costOf(job.hardware, chips, length),
          },
    advice: adviceOn(assessor, { job, simulation }, details.runs, unfold),
  };
}
