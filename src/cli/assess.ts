/** A job through the whole prediction: lowered, its memory counted, its step simulated. */
import { dirname, join } from 'node:path';
import type { Along } from '../calibrate/index.js';
import { profilesAlong, quantilesOf } from '../calibrate/index.js';
import type { Hardware, Stack } from '../hardware/index.js';
import { loadStack } from '../hardware/index.js';
import type { Job, JobInput, Task } from '../job/index.js';
import {
  SharedPipeline,
  chunkCount,
  formatPlan,
  formulaFlops,
  isPipeline,
  layoutOf,
  lowerJob,
  lowerJobPipeline,
  modelFlops,
  resolveJob,
  withoutLayout,
  sharedPipelineKey,
} from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import { formatMesh } from '../mesh/index.js';
import type { TrainingPipeline, Program } from '../program/index.js';
import { hostBytes } from '../program/index.js';
import type { Bytes } from '../units.js';
import { bytes, flops } from '../units.js';
import type {
  CollectiveChoice,
  Execution,
  Faults,
  Machine,
  PipelineExecution,
  PipelineSummary,
  SimulationResult,
  UnfoldRequest,
} from '../../sim/index.js';
import {
  hostShare,
  reservedMemory,
  createMachine,
  stepMemory,
  viewsOf,
  simulateExecution,
  simulatePipeline,
  withFaults,
} from '../../sim/index.js';
import type { TakenCollective } from './collective-flag.js';
import { collectivesOf } from './collective-flag.js';
import { NO_FAULTS, faultTexts } from './faults.js';
import type { PredictionIntervals } from './intervals.js';
import { intervalsOf, uncertaintyOf } from './intervals.js';
import { Recent } from './recent.js';

/** A simulation with what only the job knows. */
export interface JobSimulation extends SimulationResult {
  readonly model: string;
  readonly batch: number;
  readonly microbatches: number;
  /** The whole plan in its short form. */
  readonly plan: string;
  /** Links and chips that are slow or dead, as `--fault` has them. */
  readonly faults: readonly string[];
  /** The N of the formula below: all but the classifier of a vision transformer, all of a decoder. */
  readonly formulaParameters: number;
  /** PaLM's 6·N + 12·L·H·Q·T a token, as a cross-check of `mfu`. */
  readonly mfuByFormula: number;
  /** Where the mesh has an axis `pipe`. */
  readonly pipeline?: PipelineSummary;
}

/** A simulation, and between what it lies. */
export interface PredictedSimulation extends JobSimulation, PredictionIntervals {}

interface OfJob {
  readonly job: Job;
  /** Between what its step lies: where a profile was calibrated some more simulations, made when they are asked for. */
  intervals(): PredictionIntervals;
}

/** Of a job whose step is one program. */
export interface Assessment extends OfJob {
  readonly program: Program;
  readonly machine: Machine;
  readonly simulation: JobSimulation;
  readonly execution: Execution;
}

/** Of a pipeline's job. */
export interface PipelineAssessment extends OfJob {
  readonly machine: Machine;
  readonly simulation: JobSimulation & { readonly pipeline: PipelineSummary };
  readonly execution: PipelineExecution;
}

/** Of any job. */
export type AnyAssessment = Assessment | PipelineAssessment;

export const isOfPipeline = (assessment: AnyAssessment): assessment is PipelineAssessment =>
  assessment.simulation.pipeline !== undefined;

/** A stack named `./…` lies beside the profile that names it. */
export function stackOf({ hardware, hardwareName }: Pick<Task, 'hardware' | 'hardwareName'>): Stack {
  const name = hardware.defaultStack;
  return loadStack(name.startsWith('./') ? join(dirname(hardwareName), name) : name);
}

export const stepOptions = ({
  attention,
  elementwise,
  norms,
  logits,
  gates,
  recomputation,
  recomputedParts,
  gatheredActivations,
}: Stack) => ({
  fusedAttention: attention === 'fused',
  keeping: {
    casts: norms === 'composed',
    gathers: gatheredActivations === 'kept',
    views: viewsOf({ elementwise }),
    replays: recomputation === 'replayed',
    modules: recomputedParts === 'modules',
  },
  form: { norms, logits, gates },
});

/** The step as a stack runs it. */
export const lowerFor = (job: Job, stack: Stack): Program => lowerJob(job, stepOptions(stack));

export interface AssessorOptions {
  readonly faults?: Faults | undefined;
  /** Algorithms that were asked for, instead of the fastest. */
  readonly collectives?: CollectiveChoice | undefined;
  /** Whether programs are lowered without a check of each pass, as a search of many plans does; not unless given. */
  readonly unverified?: boolean;
}

/** Of what programs are made of beside their plan. */
function madeOf({ model, precision, optimizer }: Job, stack: Stack): string {
  const { keeping, ...options } = stepOptions(stack);
  return JSON.stringify([model, precision, optimizer, options, { ...keeping, views: [...keeping.views] }]);
}

/** Of what a program is made of: it knows nothing of where its mesh lies. */
function jobKey(job: Job, stack: Stack): string {
  return `${madeOf(job, stack)} ${job.batch} ${formatPlan(withoutLayout(job.plan))}`;
}

interface Need {
  readonly bytes: Bytes;
  readonly capacity: Bytes;
}

function tighter(onChip: Need, kept: Bytes, { hardware }: Job): Need {
  const capacity = hostShare(hardware);
  return kept > capacity && onChip.bytes <= onChip.capacity ? { bytes: kept, capacity } : onChip;
}

/** Programs that are kept: plans that differ in where they lie, or in what their stack says of time, have the same. */
const RECENT = 16;
/** What pipelines share that have come lately: in a search those come together that have much in common. */
const SHARED = 48;

/** What jobs of one task share, so that ranking many plans costs little more than their simulation. */
export class Assessor {
  readonly #faults: Faults;
  readonly #programs = new Recent<Program>(RECENT);
  readonly #pipelines = new Recent<TrainingPipeline>(RECENT);
  readonly #shared = new Recent<SharedPipeline>(SHARED);
  /** The last pipeline, on its job's own stack: of a search memory is asked for first, then the rest. */
  #lastPipeline: PipelineAssessment | undefined;
  readonly #machines = new Map<string, Machine>();
  readonly #machineOf = new WeakMap<Job, Machine>();
  readonly #stacks = new Map<Hardware, Stack>();
  readonly #along = new Map<Hardware, Map<Stack, readonly Along[]>>();
  readonly #modelFlops = new Map<string, { exact: number; formula: number; parameters: number }>();
  readonly collectives: CollectiveChoice;
  readonly #taken = new Map<string, TakenCollective>();
  readonly #unverified: boolean;

  constructor({ faults = NO_FAULTS, collectives = {}, unverified = false }: AssessorOptions = {}) {
    this.#unverified = unverified;
    this.#faults = faults;
    this.collectives = collectives;
  }

  /** Algorithms that collectives take in plans that were assessed. */
  get taken(): readonly TakenCollective[] {
    return [...this.#taken.values()];
  }

  #take(collectives: readonly TakenCollective[]): void {
    for (const { name, schedule } of collectives) this.#taken.set(`${name} ${schedule.algorithm}`, { name, schedule });
  }

  #lower(job: Job, stack: Stack): Program {
    return this.#programs.get(jobKey(job, stack), () =>
      lowerJob(job, { ...stepOptions(stack), unverified: this.#unverified }),
    );
  }

  pipeline(job: Job, stack: Stack = this.stack(job)): TrainingPipeline {
    return this.#pipelines.get(jobKey(job, stack), () => {
      const shared = this.#shared.get(`${madeOf(job, stack)} ${sharedPipelineKey(job)}`, () => new SharedPipeline());
      return lowerJobPipeline(job, { ...stepOptions(stack), unverified: this.#unverified }, shared);
    });
  }

  /** Made once for all jobs whose mesh lies alike. */
  machine(job: Job): Machine {
    let found = this.#machineOf.get(job);
    if (found === undefined) this.#machineOf.set(job, (found = this.#machine(job)));
    return found;
  }

  #machine(job: Job): Machine {
    const { mesh, optimizerOffload } = job.plan;
    const lying = layoutOf(job.plan);
    const hostLinks = optimizerOffload !== 'none';
    const key = JSON.stringify([job.hardwareName, formatMesh(mesh), lying, hostLinks]);
    let machine = this.#machines.get(key);
    if (machine === undefined) {
      const whole = createMachine({
        hardware: job.hardware,
        mesh,
        hostLinks,
        ...lying,
      });
      machine = withFaults(whole, this.#faults);
      this.#machines.set(key, machine);
    }
    return machine;
  }

  stack(job: Job): Stack {
    let found = this.#stacks.get(job.hardware);
    if (found === undefined) this.#stacks.set(job.hardware, (found = stackOf(job)));
    return found;
  }

  #flops({ model, batch }: Job): { exact: number; formula: number; parameters: number } {
    const key = JSON.stringify([model, batch]);
    let found = this.#modelFlops.get(key);
    if (found === undefined) {
      const formula = formulaFlops(model, batch);
      found = { exact: modelFlops(model, batch), formula: formula.flops, parameters: formula.parameters };
      this.#modelFlops.set(key, found);
    }
    return found;
  }

  /** Of the chip; or of its share of the host's memory, where that alone doesn't hold what the plan keeps there. */
  memory(job: Job): { bytes: Bytes; capacity: Bytes } {
    const stack = this.stack(job);
    if (isPipeline(job.plan)) {
      const { simulation } = this.assessPipeline(job, stack);
      const { memoryCapacityBytesPerChip: capacity, reservedMemoryBytesPerChip: reserved, hostMemory } = simulation;
      return tighter(
        { bytes: bytes(simulation.peakMemoryBytesPerChip), capacity: bytes(capacity - reserved) },
        bytes(hostMemory?.bytesPerChip ?? 0),
        job,
      );
    }
    const program = this.#lower(job, stack);
    const memory = stepMemory(program, stack);
    const { chip } = job.hardware;
    const reserved = reservedMemory(chip, stack, job.plan.mesh, memory);
    const onChip = { bytes: memory.peakBytes, capacity: bytes(chip.memoryCapacity - reserved) };
    return tighter(onChip, hostBytes(program), job);
  }

  /** A job's assessment, be it a pipeline or not. */
  assessAny(job: Job, stack: Stack = this.stack(job), unfold?: UnfoldRequest): AnyAssessment {
    return isPipeline(job.plan) ? this.assessPipeline(job, stack) : this.assess(job, stack, unfold);
  }

  simulate(job: Job, stack: Stack = this.stack(job), unfold?: UnfoldRequest): JobSimulation {
    return this.assessAny(job, stack, unfold).simulation;
  }

  /** Of a job whose mesh has an axis `pipe`. */
  assessPipeline(job: Job, stack: Stack = this.stack(job)): PipelineAssessment {
    const isOwn = stack === this.stack(job);
    if (isOwn && this.#lastPipeline?.job === job) return this.#lastPipeline;
    const machine = this.machine(job);
    const { schedule, scheduleMemory, overlapTransfers, microbatches } = job.plan;
    const { result, execution } = simulatePipeline({
      pipeline: this.pipeline(job, stack),
      machine,
      stack,
      schedule: {
        name: schedule,
        microbatches,
        chunks: chunkCount(job.plan),
        ...(scheduleMemory === 'usual' ? {} : { memory: scheduleMemory }),
        blocking: !overlapTransfers,
      },
      modelFlops: flops(this.#flops(job).exact),
      tokensPerStep: job.batch * tokensPerExample(job.model),
      collectives: this.collectives,
    });
    for (const { plan } of execution.runs.all) this.#take(collectivesOf(plan.collectives));
    const simulation = { ...result, ...this.#ofJob(job, result) };
    const intervals = this.#intervalsOnce(job, stack, simulation);
    const assessment = { job, machine, simulation, execution, intervals };
    if (isOwn) this.#lastPipeline = assessment;
    return assessment;
  }

  #ofJob(job: Job, result: SimulationResult): Omit<JobSimulation, keyof SimulationResult | 'pipeline'> {
    const { exact, formula, parameters } = this.#flops(job);
    return {
      model: job.model.name,
      batch: job.batch,
      microbatches: job.plan.microbatches,
      plan: formatPlan(job.plan),
      faults: faultTexts(this.#faults),
      formulaParameters: parameters,
      mfuByFormula: (result.mfu * formula) / exact,
    };
  }

  /** Of a job without an axis `pipe`. */
  assess(job: Job, stack: Stack = this.stack(job), unfold?: UnfoldRequest): Assessment {
    const program = this.#lower(job, stack);
    const machine = this.machine(job);
    const { result, execution } = simulateExecution({
      program,
      machine,
      stack,
      modelFlops: flops(this.#flops(job).exact),
      tokensPerStep: job.batch * tokensPerExample(job.model),
      memory: stepMemory(program, stack),
      collectives: this.collectives,
      ...(unfold === undefined ? {} : { unfold }),
    });
    this.#take(collectivesOf(execution.plan.collectives));
    const simulation = { ...result, ...this.#ofJob(job, result) };
    return { job, program, machine, simulation, execution, intervals: this.#intervalsOnce(job, stack, simulation) };
  }

  #intervalsOnce(job: Job, stack: Stack, simulation: JobSimulation): () => PredictionIntervals {
    let found: PredictionIntervals | undefined;
    return () => (found ??= this.#intervals(job, stack, simulation));
  }

  /**
   * Of a job on its profile as it is written.
   *
   * @param figures its step's, which may be another way of looking at it
   */
  #intervals(job: Job, stack: Stack, figures: JobSimulation): PredictionIntervals {
    const uncertainty = uncertaintyOf(stack);
    const along = this.#alongOf(job, stack);
    const stepOn = (hardware: Hardware, other: Stack, name: string): number =>
      this.simulate({ ...job, hardware, hardwareName: name }, other).stepTimeSeconds;
    const here = along.length === 0 ? 1 : this.simulate(job, stack).stepTimeSeconds;
    const moved = along.map(
      ({ profile }, index) => stepOn(profile.hardware, profile.stack, `${job.hardwareName}#along ${index}`) / here,
    );
    return intervalsOf(figures, quantilesOf(uncertainty, along, moved), uncertainty.source);
  }

  /** Profiles a little way along where a calibrated one may be wrong, made once. */
  #alongOf({ hardware }: Job, stack: Stack): readonly Along[] {
    let byStack = this.#along.get(hardware);
    if (byStack === undefined) this.#along.set(hardware, (byStack = new Map()));
    let found = byStack.get(stack);
    if (found === undefined)
      byStack.set(stack, (found = profilesAlong({ hardware: hardware.document, stack: stack.document })));
    return found;
  }

  /** What a search found of a job, with intervals. */
  predicted(job: Job, simulation: JobSimulation): PredictedSimulation {
    return { ...simulation, ...this.#intervals(job, this.stack(job), simulation) };
  }

  /** A whole job; without a count of microbatches the fewest that fit are taken. */
  resolve(input: JobInput): Job {
    return resolveJob(input, (job) => {
      const { bytes: needed, capacity } = this.memory(job);
      return needed <= capacity;
    });
  }
}
