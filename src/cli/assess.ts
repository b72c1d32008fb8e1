/** A job through the whole prediction: lowered, its memory counted, its step simulated. */
import { dirname, join } from 'node:path';
import type { Hardware, Stack } from '../hardware/index.js';
import { loadStack } from '../hardware/index.js';
import type { Job, JobInput, Task } from '../job/index.js';
import { formatPlan, formulaFlops, lowerJob, modelFlops, resolveJob } from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import { formatMesh } from '../mesh/index.js';
import type { PlanSearch, Scorer, SearchSpace } from '../planner/index.js';
import { findPlans } from '../planner/index.js';
import type { MemoryUse, Program } from '../program/index.js';
import { memoryUse } from '../program/index.js';
import type { Bytes } from '../units.js';
import { bytes, flops } from '../units.js';
import type { CollectiveChoice, Execution, Faults, Machine, SimulationResult, UnfoldRequest } from '../../sim/index.js';
import { createMachine, simulateExecution, withFaults } from '../../sim/index.js';
import type { TakenCollective } from './collective-flag.js';
import { NO_FAULTS, faultTexts } from './faults.js';

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
}

export interface Assessment {
  readonly job: Job;
  readonly program: Program;
  readonly machine: Machine;
  readonly simulation: JobSimulation;
  readonly execution: Execution;
}

/** A stack named `./…` lies beside the profile that names it. */
export function stackOf({ hardware, hardwareName }: Pick<Task, 'hardware' | 'hardwareName'>): Stack {
  const name = hardware.defaultStack;
  return loadStack(name.startsWith('./') ? join(dirname(hardwareName), name) : name);
}

/** The step as a stack runs it. */
export const lowerFor = (job: Job, { attention }: Stack): Program =>
  lowerJob(job, { fusedAttention: attention === 'fused' });

const memoryLimit = ({ hardware }: Task, stack: Stack): Bytes =>
  bytes(hardware.chip.memoryCapacity * (1 - stack.reservedMemoryFraction));

export interface AssessorOptions {
  readonly faults?: Faults | undefined;
  /** Algorithms that were asked for, instead of the fastest. */
  readonly collectives?: CollectiveChoice | undefined;
}

/** What jobs of one task share, so that ranking many plans costs little more than their simulation. */
export class Assessor {
  readonly #faults: Faults;
  readonly #lowered = new Map<string, { program: Program; memory: MemoryUse }>();
  readonly #machines = new Map<string, Machine>();
  readonly #stacks = new Map<Hardware, Stack>();
  readonly #modelFlops = new Map<string, { exact: number; formula: number; parameters: number }>();
  readonly #collectives: CollectiveChoice;
  readonly #taken = new Map<string, TakenCollective>();

  constructor({ faults = NO_FAULTS, collectives = {} }: AssessorOptions = {}) {
    this.#faults = faults;
    this.#collectives = collectives;
  }

  /** Algorithms that collectives take in plans that were assessed. */
  get taken(): readonly TakenCollective[] {
    return [...this.#taken.values()];
  }

  #lower(job: Job, stack: Stack): { program: Program; memory: MemoryUse } {
    const of = [job.model, job.batch, job.precision, job.optimizer, stack.attention];
    const key = `${JSON.stringify(of)} ${formatPlan(job.plan)}`;
    let found = this.#lowered.get(key);
    if (found === undefined) {
      const program = lowerFor(job, stack);
      this.#lowered.clear();
      this.#lowered.set(key, (found = { program, memory: memoryUse(program) }));
    }
    return found;
  }

  #machine(job: Job): Machine {
    const { mesh, slice, slices, twist, placement } = job.plan;
    const key = JSON.stringify([job.hardwareName, formatMesh(mesh), slice, slices, twist, placement]);
    let machine = this.#machines.get(key);
    if (machine === undefined) {
      const whole = createMachine({
        hardware: job.hardware,
        mesh,
        twist,
        ...(slice === undefined ? {} : { slice }),
        ...(slices === undefined ? {} : { slices }),
        ...(placement === undefined ? {} : { placement }),
      });
      machine = withFaults(whole, this.#faults);
      this.#machines.set(key, machine);
    }
    return machine;
  }

  #stack(job: Job): Stack {
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

  memory(job: Job): { bytes: Bytes; capacity: Bytes } {
    const stack = this.#stack(job);
    return { bytes: this.#lower(job, stack).memory.peakBytes, capacity: memoryLimit(job, stack) };
  }

  assess(job: Job, stack: Stack = this.#stack(job), unfold?: UnfoldRequest): Assessment {
    const { program, memory } = this.#lower(job, stack);
    const { exact, formula, parameters } = this.#flops(job);
    const machine = this.#machine(job);
    const { result, execution } = simulateExecution({
      program,
      machine,
      stack,
      modelFlops: flops(exact),
      tokensPerStep: job.batch * tokensPerExample(job.model),
      memory,
      collectives: this.#collectives,
      ...(unfold === undefined ? {} : { unfold }),
    });
    for (const { name, schedule } of execution.plan.collectives)
      this.#taken.set(`${name} ${schedule.algorithm}`, { name, schedule });
    const simulation = {
      ...result,
      model: job.model.name,
      batch: job.batch,
      microbatches: job.plan.microbatches,
      plan: formatPlan(job.plan),
      faults: faultTexts(this.#faults),
      formulaParameters: parameters,
      mfuByFormula: (result.mfu * formula) / exact,
    };
    return { job, program, machine, simulation, execution };
  }

  /** A whole job; without a count of microbatches the fewest that fit are taken. */
  resolve(input: JobInput): Job {
    return resolveJob(input, (job) => {
      const { bytes: needed, capacity } = this.memory(job);
      return needed <= capacity;
    });
  }

  rank(
    task: Task,
    space: SearchSpace,
    onScored?: (job: Job, figures: JobSimulation) => void,
  ): PlanSearch<JobSimulation> {
    const scorer: Scorer<JobSimulation> = {
      memory: (job) => this.memory(job),
      simulate: (job) => this.assess(job).simulation,
    };
    return findPlans(task, scorer, space, onScored);
  }
}
