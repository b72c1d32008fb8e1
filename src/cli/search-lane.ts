/**
 * What a search asks for, done: bounds of plans by their class, and simulations of those that fit. In this thread, or as
 * what a worker does.
 */
import { MeshwrightError } from '../errors.js';
import type { Job, Task } from '../job/index.js';
import { formatPlan, isPipeline, shapeClassKey, withoutLayout } from '../job/index.js';
import { batchParts } from '../mesh/index.js';
import { candidateOf } from '../planner/index.js';
import type {
  Candidate,
  CandidateFamily,
  CandidateGroup,
  Lane,
  LaneReply,
  LaneRequest,
  Look,
  Measure,
} from '../planner/index.js';
import type { Bytes } from '../units.js';
import { bytes, seconds } from '../units.js';
import type { CollectiveChoice, Faults, StepBound } from '../../sim/index.js';
import { reservedMemory } from '../../sim/index.js';
import type { JobSimulation } from './assess.js';
import { Assessor } from './assess.js';
import type { TakenCollective } from './collective-flag.js';
import { PlanBounds } from './search-bounds.js';

export interface LaneSettings {
  readonly task: Task;
  readonly faults?: Faults;
  readonly collectives?: CollectiveChoice;
  /** The share of a chip's memory that plans are to leave free. */
  readonly headroom: number;
}

export const jobOf = ({ task, plan, precision }: Candidate): Job => ({ ...task, plan, precision });

const isRefusal = (error: unknown): error is MeshwrightError =>
  error instanceof MeshwrightError && error.code === 'MESH_DOES_NOT_MULTIPLY';

const measureOf = (bound: StepBound): Measure => ({ seconds: seconds(bound.seconds), bytes: bytes(bound.bytes) });

/** Microbatches from which on a program is the same for all counts but for how often it repeats what a microbatch does. */
const MANY = 4;

/**
 * The plan with one example a microbatch, which needs no more memory than this one: all that grows with the examples is
 * less, and the ops are the same. Of plans that gather parameters, whose layers need much that their class doesn't tell.
 */
export function smallestAlike(job: Job): Job | undefined {
  const { plan, batch } = job;
  const microbatches = batch / batchParts(plan.mesh);
  if (isPipeline(plan) || plan.shard !== 'parameters' || plan.microbatches < MANY) return undefined;
  return { ...job, plan: { ...plan, microbatches } };
}

function* take<T>(from: Iterable<T>, most: number): Generator<T> {
  let count = 0;
  for (const one of from) {
    yield one;
    if (++count === most) return;
  }
}

/** Where a plan lies doesn't matter to its memory. */
const memoryClass = ({ plan, batch, chips }: Job): string => `${chips} ${batch} ${formatPlan(withoutLayout(plan))}`;

export class LocalLane implements Lane<Candidate, JobSimulation> {
  readonly listsAtOnce = 1;
  readonly #assessor: Assessor;
  readonly #bounds: PlanBounds;
  readonly #headroom: number;
  readonly #memories = new Map<string, Bytes>();

  constructor({ faults, collectives, headroom }: LaneSettings) {
    this.#assessor = new Assessor({ faults, collectives, unverified: true });
    this.#bounds = new PlanBounds({
      stack: (job) => this.#assessor.stack(job),
      machine: (job) => this.#assessor.machine(job),
      collectives: this.#assessor.collectives,
    });
    this.#headroom = headroom;
  }

  get taken(): readonly TakenCollective[] {
    return this.#assessor.taken;
  }

  /** What is known at once of plans that differ in the count of microbatches and in where they lie. */
  family = (group: CandidateGroup): CandidateFamily<Candidate> => {
    const { microbatches, layouts } = group;
    const job = jobOf(group);
    const { chip } = job.hardware;
    const reserved = reservedMemory(chip, this.#assessor.stack(job), job.plan.mesh, { byRole: {} });
    const capacity = bytes(chip.memoryCapacity * (1 - this.#headroom) - reserved);
    const peaks = this.#bounds.peaks(job);
    const look = (count: number): Measure => measureOf(peaks(count));
    // More microbatches take no longer at the peak and keep less, but for the sums of gradients, which one does without.
    const best = look(microbatches.at(-1)!);
    const least = microbatches[0] === 1 ? Math.min(best.bytes, look(1).bytes) : best.bytes;
    return {
      size: microbatches.length * layouts.length,
      capacity,
      seconds: best.seconds,
      bytes: bytes(least),
      smallest: () => candidateOf(group, microbatches.at(-1)!, layouts[0]!),
      members: () => {
        const key = shapeClassKey(job);
        return microbatches.map((count) => ({
          ...look(count),
          candidates: layouts.map((layout) => candidateOf(group, count, layout)),
          capacity,
          lookClass: `${key} ${job.batch / count / batchParts(job.plan.mesh)}`,
          kin: key,
        }));
      },
    };
  };

  /** Of a mesh that doesn't lie on the machine, without what its chips wait for: simulating it says what is wrong. */
  #look(job: Job, depth: number): Look {
    try {
      const [own, next] = [...take(this.#looks(job), depth + 1)].slice(depth - 1);
      return {
        ...own!.look(),
        ...(next === undefined ? {} : { lookClass: `${depth} ${next.lookClass}` }),
      };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return measureOf(this.#bounds.peaks(job)(job.plan.microbatches));
    }
  }

  /**
   * Work of the class, wherever it lies; with what it waits for there; a walk over it; its time on the plan's machine and in
   * its schedule; memory of its like.
   */
  *#looks(job: Job): Generator<{ readonly lookClass: string; readonly look: () => Measure }> {
    const bounds = this.#bounds;
    yield { lookClass: '', look: () => measureOf(bounds.anywhere(job)) };
    yield { lookClass: bounds.meshClass(job), look: () => measureOf(bounds.of(job)) };
    const walked = bounds.activationClass(job);
    if (walked !== undefined) yield { lookClass: walked, look: () => measureOf(bounds.activations(job)) };
    const timed = bounds.timedClass(job);
    if (timed !== undefined) yield { lookClass: timed, look: () => measureOf(bounds.timed(job)) };
    const alike = smallestAlike(job);
    if (alike !== undefined)
      yield { lookClass: memoryClass(alike), look: () => ({ seconds: seconds(0), bytes: this.#memoryOf(alike) }) };
  }

  #memoryOf(job: Job): Bytes {
    const key = memoryClass(job);
    let found = this.#memories.get(key);
    if (found === undefined) this.#memories.set(key, (found = this.#assessor.memory(job).bytes));
    return found;
  }

  answer(request: LaneRequest<Candidate>): LaneReply<JobSimulation> {
    if (request.kind === 'look')
      return { kind: 'looks', looks: request.candidates.map((one) => this.#look(jobOf(one), request.depth)) };
    try {
      return this.#simulate(jobOf(request.candidate));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const { place, expected, got } = error.detail;
      return { kind: 'refused', detail: `${place} is to be ${expected}, but is ${got}` };
    }
  }

  #simulate(job: Job): LaneReply<JobSimulation> {
    const memory = this.#assessor.memory(job);
    const capacity = bytes(memory.capacity - this.#headroom * job.hardware.chip.memoryCapacity);
    if (memory.bytes > capacity) return { kind: 'does-not-fit', bytes: memory.bytes, capacity };
    const figures = this.#assessor.simulate(job);
    const measure = { seconds: seconds(figures.stepTimeSeconds), bytes: bytes(figures.peakMemoryBytesPerChip) };
    return { kind: 'simulated', measure, figures };
  }

  /** Comes up for air between requests, so that an interrupt is heard. */
  async run(requests: readonly LaneRequest<Candidate>[]): Promise<readonly LaneReply<JobSimulation>[]> {
    const replies: LaneReply<JobSimulation>[] = [];
    for (const request of requests) {
      replies.push(this.answer(request));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    return replies;
  }
}
