/**
 * What is known of a plan before it is lowered: lower bounds of its step time and memory, from what its shape class takes.
 * First at the peak of the chip, from the model as one chip would compute it; then from the class's own kernels, lowered
 * once; then with the collectives that a chip waits for, on the machine of the plan.
 */
import type { Chip, Stack } from '../hardware/index.js';
import type { Job, MicrobatchForm, Plan } from '../job/index.js';
import {
  LEAST_FORM,
  chunkCount,
  isPipeline,
  layoutOf,
  layersOfStages,
  localExamples,
  lowerShapeClass,
  microbatchForm,
  scheduleShape,
  shapeClassKey,
  stageCount,
  stagePlacement,
  withExamples,
} from '../job/index.js';
import { axisSize, batchParts, createMesh, formatMesh, gradientParts } from '../mesh/index.js';
import { DTYPE_BYTES } from '../program/index.js';
import type { Program } from '../program/index.js';
import { heldAtLeast, splitsBackward } from '../program/schedules/index.js';
import { bytes } from '../units.js';
import type {
  ClassWork,
  CollectiveChoice,
  KnownOrder,
  LayerTraffic,
  Machine,
  Network,
  PassWork,
  StagesShape,
  StateBytes,
  StepBound,
  StepShape,
  WaitedCollective,
} from '../../sim/index.js';
import {
  NO_TRAFFIC,
  NO_WAIT,
  Transfers,
  classWork,
  createNetwork,
  hasWorkBeside,
  kernelSeconds,
  leastSeconds,
  scheduledBound,
  stepBound,
  timeAlone,
  toSeconds,
  withActivations,
  withFoldedLayers,
} from '../../sim/index.js';
import { stepOptions } from './assess.js';
import { Recent } from './recent.js';

/** What bounds ask of an assessor. */
export interface Surroundings {
  readonly stack: (job: Job) => Stack;
  readonly machine: (job: Job) => Machine;
  readonly collectives: CollectiveChoice;
}

/** A value for each key, made when it is first asked for. */
class Memo<T> {
  readonly #known = new Map<string, T>();

  get(key: string, make: () => T): T {
    let found = this.#known.get(key);
    if (found === undefined) this.#known.set(key, (found = make()));
    return found;
  }
}

interface ClassPrograms {
  readonly one: Program;
  readonly two: Program;
}

/** A schedule of more slots takes longer to follow than a simulation is worth. */
const MOST_SLOTS = 30_000;
const slotCount = (plan: Plan): number => 2 * stageCount(plan) * chunkCount(plan) * plan.microbatches;

/** A class with the least that a job does in a microbatch, which others do too, or with all of it. */
type Form = 'least' | 'own';
const FORMS: Readonly<Record<Form, (job: Job) => MicrobatchForm>> = { least: () => LEAST_FORM, own: microbatchForm };

/** Programs that are kept for further looks: they are soon made again, and there are thousands. */
const RECENT = 32;

export class PlanBounds {
  readonly #surroundings: Surroundings;
  readonly #peaks = new Memo<ClassWork>();
  readonly #programs = new Memo<ClassPrograms>();
  readonly #works = new Memo<ClassWork>();
  readonly #recent = new Recent<Program>(RECENT);
  readonly #folded = new WeakMap<Machine, Memo<ClassWork>>();
  readonly #activations = new Memo<ClassWork>();
  readonly #layers = new Memo<readonly number[]>();
  readonly #placements = new Memo<readonly (readonly number[])[]>();
  readonly #held = new Memo<readonly number[]>();
  readonly #waited = new WeakMap<Machine, Memo<number>>();
  readonly #keys: Readonly<Record<Form, WeakMap<Job, string>>> = { least: new WeakMap(), own: new WeakMap() };
  readonly #transfers = new WeakMap<Machine, Memo<Transfers>>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** Never more than what the simulator says of the job, wherever it lies. */
  anywhere(job: Job): StepBound {
    return stepBound(this.#work(job), this.#shape(job), NO_WAIT);
  }

  /** With what chips wait for. Never more than what the simulator says of the job. */
  of(job: Job): StepBound {
    return this.#bound(job, this.#work(job));
  }

  /** Jobs that `of` knows nearly as soon as one of them. */
  meshClass = (job: Job): string => `${this.#workKey(job)} ${formatMesh(job.plan.mesh)}`;

  /**
   * As `of`, closer in time: with what chips do in every microbatch besides, collectives that run beside kernels, and a
   * pipeline's schedule.
   */
  timed(job: Job): StepBound {
    const work = this.#foldedWork(job);
    const wait = this.#waits(job);
    const shape = this.#shape(job);
    const sent = traffic(job, work, wait, this.#surroundings.stack(job));
    const bound = stepBound(work, shape, wait, sent);
    const { stages } = shape;
    if (stages === undefined || stages.splitBackward || slotCount(job.plan) > MOST_SLOTS) return bound;
    const scheduled = scheduledBound(work, shape, stages, wait, sent, this.#orderOf(job, work));
    return { ...bound, seconds: Math.max(bound.seconds, scheduled) };
  }

  /** Jobs for which `timed` takes as long for all as for one; absent where it says no more than `of`. */
  timedClass(job: Job): string | undefined {
    const { summed, casting } = microbatchForm(job);
    if (!summed && !casting && !isPipeline(job.plan) && !hasWorkBeside(this.#work(job))) return undefined;
    return `timed ${this.#workKey(job, 'own')} ${this.#machineKey(job)}`;
  }

  #machineKey = ({ plan }: Job): string => `${formatMesh(plan.mesh)} ${JSON.stringify(layoutOf(plan))}`;

  #orderOf(job: Job, { stream }: ClassWork): KnownOrder {
    const { plan } = job;
    const [machine, stack] = [this.#surroundings.machine(job), this.#surroundings.stack(job)];
    const shape = scheduleShape(plan);
    let known = this.#transfers.get(machine);
    if (known === undefined) this.#transfers.set(machine, (known = new Memo()));
    const key = `${shape.placement} ${shape.chunks} ${stream.bytes} ${stream.isWhole}`;
    const transfers = known.get(
      key,
      () => new Transfers(this.#network(job), machine, () => stream, shape, stack.stageTransfers === 'scattered'),
    );
    const isBlocking = !plan.overlapTransfers || !stack.asynchronous.includes('permute');
    return {
      name: plan.schedule,
      chunks: shape.chunks,
      transfer: (from, to) => transfers.between(from, to).duration,
      ...(isBlocking ? { blocked: stack.exchanges === 'one-by-one' ? 'both' : 'sender' } : {}),
    };
  }

  /** As `of`, with all that a microbatch needs at once: closer in memory. */
  activations(job: Job): StepBound {
    const work = this.#activations.get(this.#workKey(job), () =>
      withActivations(this.#work(job), this.#program(job), this.#surroundings.stack(job)),
    );
    return this.#bound(job, work);
  }

  /** Jobs for which `activations` takes as long for all as for one; absent where it says no more than `of`. */
  activationClass = (job: Job): string | undefined =>
    isPipeline(job.plan) ? undefined : `activations ${this.#workKey(job)}`;

  #bound(job: Job, work: ClassWork): StepBound {
    const wait = this.#waits(job);
    return stepBound(work, this.#shape(job), wait, traffic(job, work, wait, this.#surroundings.stack(job)));
  }

  #foldedWork(job: Job): ClassWork {
    const work = this.#work(job, 'own');
    if (!hasWorkBeside(work)) return work;
    const { collectives, machine, stack } = this.#surroundings;
    const onto = machine(job);
    let known = this.#folded.get(onto);
    if (known === undefined) this.#folded.set(onto, (known = new Memo()));
    return known.get(this.#workKey(job, 'own'), () =>
      withFoldedLayers(work, this.#program(job, 'own'), onto, stack(job), collectives),
    );
  }

  /** At the best rates of the chip, of jobs that differ in the count of microbatches; nothing is lowered for it but once. */
  peaks(job: Job): (microbatches: number) => StepBound {
    const { mesh } = job.plan;
    const whole = this.#whole(job);
    const model = axisSize(mesh, 'model');
    const shared = axisSize(mesh, 'sequence') * model * batchParts(mesh);
    return (microbatches) => {
      const plan = { ...job.plan, microbatches };
      return stepBound(dealt(whole, job.batch / microbatches / shared, model), this.#shape({ ...job, plan }), NO_WAIT);
    };
  }

  #shape(job: Job): StepShape {
    const { chip } = job.hardware;
    return {
      microbatches: job.plan.microbatches,
      ...(isPipeline(job.plan) ? { stages: this.#stages(job) } : {}),
      state: stateBytes(job),
      memoryRate: rateOf(chip),
      hostSeconds: this.#surroundings.stack(job).hostOverheadPerStep,
    };
  }

  #stages({ model, plan }: Job): StagesShape {
    const { stageLayers, schedule, microbatches } = plan;
    const shape = scheduleShape(plan);
    const [stages, chunks] = [stageCount(plan), chunkCount(plan)];
    const held = this.#held.get(`${schedule} ${stages} ${chunks} ${microbatches}`, () =>
      heldAtLeast(schedule, { stages, chunks, microbatches }),
    );
    return {
      layers: this.#layers.get(`${stages * chunks} ${String(stageLayers)}`, () => layersOfStages(model, plan)),
      placement: this.#placements.get(`${shape.placement} ${stages} ${chunks}`, () => stagePlacement(shape)),
      splitBackward: splitsBackward(schedule),
      held: (stage) => held[stage]!,
    };
  }

  /** The class as if all that one chip would compute were dealt evenly, at the peak of the type. */
  #whole(job: Job): ClassWork {
    const { plan, precision } = job;
    const { rematerialize, rematerializeLayers, keepProducts } = plan;
    const key = [rematerialize, rematerializeLayers, keepProducts, precision];
    return this.#peaks.get(JSON.stringify(key), () => {
      const stack = this.#surroundings.stack(job);
      const alone: Job = {
        ...job,
        plan: { ...plan, mesh: createMesh({}), activations: 'width', linears: 'synchronous' },
      };
      const program = lowerShapeClass(alone, 1, stepOptions(stack));
      return classWork(program, stack, precision.parameters, leastSeconds(program, this.#surroundings.machine(job)));
    });
  }

  #workKey(job: Job, form: Form = 'least'): string {
    const known = this.#keys[form];
    let key = known.get(job);
    if (key === undefined) known.set(job, (key = `${shapeClassKey(job, FORMS[form](job))} ${localExamples(job)}`));
    return key;
  }

  #work(job: Job, form: Form = 'least'): ClassWork {
    return this.#works.get(this.#workKey(job, form), () => {
      const stack = this.#surroundings.stack(job);
      const program = this.#program(job, form);
      const seconds = kernelSeconds(program, this.#surroundings.machine(job), stack);
      const work = classWork(program, stack, job.precision.parameters, seconds);
      if (!FORMS[form](job).casting) return work;
      // What is cast around the layers is kept here for the backward pass, and made again where slots part them.
      const { embedding, head } = this.#work(job);
      return { ...work, embedding, head };
    });
  }

  #program(job: Job, form: Form = 'least'): Program {
    return this.#recent.get(this.#workKey(job, form), () => {
      const examples = localExamples(job);
      const options = stepOptions(this.#surroundings.stack(job));
      const lower = (count: number): Program => lowerShapeClass(job, count, options, FORMS[form](job));
      const known = this.#programs.get(shapeClassKey(job, FORMS[form](job)), () => ({ one: lower(1), two: lower(2) }));
      return examples === 1 ? known.one : (withExamples(known.one, known.two, examples) ?? lower(examples));
    });
  }

  #network(job: Job): Network {
    const stack = this.#surroundings.stack(job);
    return createNetwork(this.#surroundings.machine(job), {
      ...this.#surroundings.collectives,
      ...(stack.collectives === undefined ? {} : { offered: stack.collectives }),
    });
  }

  #waits(job: Job): (collective: WaitedCollective) => number {
    const machine = this.#surroundings.machine(job);
    const network = this.#network(job);
    let known = this.#waited.get(machine);
    if (known === undefined) this.#waited.set(machine, (known = new Memo()));
    return ({ name, axis, heldBytes, shifts }) => {
      const moves = shifts?.map(({ by, bytes: moved }) => ({ by, bytes: bytes(moved) }));
      const key = `${name} ${axis} ${heldBytes} ${moves === undefined ? '' : JSON.stringify(moves)}`;
      return known.get(key, () => {
        const request = { name, axis, heldBytes: bytes(heldBytes), ...(moves === undefined ? {} : { shifts: moves }) };
        return toSeconds(timeAlone(network.collective(request), network.sharing));
      });
    };
  }
}

/**
 * Of a layer, on `data` alone: where gradients are summed over other axes too, what is left to send hangs on their order.
 */
function traffic(
  { plan, precision }: Job,
  work: ClassWork,
  wait: (one: WaitedCollective) => number,
  { asynchronous }: Stack,
): LayerTraffic {
  const { mesh, shard, shardAxes, overlapGradients } = plan;
  const data = axisSize(mesh, 'data');
  const alone = gradientParts(mesh) === data && (shard === 'none' || shardAxes.join() === 'data');
  if (data === 1 || !alone || plan.shardTensors !== 'all' || plan.shardMinimum > 0) return NO_TRAFFIC;
  const take = (name: 'all_gather' | 'all_reduce' | 'reduce_scatter', heldBytes: number): number =>
    heldBytes === 0 ? 0 : wait({ name, axis: 'data', heldBytes, count: 1 });
  const cut = work.cutElements(data);
  const isAsynchronous = asynchronous.includes(shard === 'none' ? 'all_reduce' : 'reduce_scatter');
  const when = overlapGradients ? (isAsynchronous ? 'meanwhile' : 'inside') : 'after';
  const compute = (cut * DTYPE_BYTES[precision.compute]) / data;
  if (shard === 'none' || shard === 'optimizer') {
    const layers = work.layers.reduce((sum, { count }) => sum + count, 0);
    const elements = shard === 'none' ? work.layerElements.all / layers : cut;
    const summed = elements * DTYPE_BYTES[precision.gradientReduction ?? precision.gradients];
    const reduce = take(shard === 'none' ? 'all_reduce' : 'reduce_scatter', summed);
    return {
      reduce,
      how: 'once',
      when,
      gather: 0,
      gatherWait: 0,
      copy: shard === 'none' ? 0 : take('all_gather', compute),
    };
  }
  const reduce = take('reduce_scatter', cut * DTYPE_BYTES[precision.gradients]);
  const gathered = take('all_gather', compute);
  return shard === 'gradients'
    ? { reduce, how: 'each', when, gather: 0, gatherWait: 0, copy: gathered }
    : {
        reduce,
        how: 'each',
        when,
        gather: 2 * gathered,
        gatherWait: plan.prefetch === 0 || !asynchronous.includes('all_gather') ? 2 * gathered : 0,
        copy: 0,
      };
}

/** Work of a whole model, of which a chip has a part: of arithmetic and activations, and of parameters. */
function dealt(
  { stream, layers, embedding, head, layerElements, endElements, firstElements, lastElements }: ClassWork,
  part: number,
  over: number,
): ClassWork {
  const pass = ({ seconds }: PassWork): PassWork => ({ seconds: seconds * part, collectives: [], beside: [] });
  const both = ({ forward, backward }: ClassWork['head']) => ({ forward: pass(forward), backward: pass(backward) });
  const fewer = ({ all, cast }: ClassWork['layerElements']) => ({ all: all / over, cast: cast / over });
  return {
    stream,
    layers: layers.map((one) => ({ ...both(one), count: one.count, keptBytes: one.keptBytes * part })),
    embedding: both(embedding),
    head: both(head),
    layerElements: fewer(layerElements),
    endElements: fewer(endElements),
    firstElements: fewer(firstElements),
    lastElements: fewer(lastElements),
    cutElements: () => 0,
  };
}

const rateOf = ({ memoryBandwidth: { achievable, peak } }: Chip): number => Math.max(achievable, peak);

function stateBytes(job: Job): StateBytes {
  const { hardware, plan, precision, optimizer } = job;
  const { mesh, shard, shardAxes, microbatches } = plan;
  const slots = optimizer.kind === 'adamw' ? 2 : 1;
  const [parameter, state] = [DTYPE_BYTES[precision.parameters], DTYPE_BYTES[precision.optimizer]];
  const gradient = DTYPE_BYTES[precision.gradients];
  const parts = shard === 'none' ? 1 : shardAxes.reduce((product, axis) => product * axisSize(mesh, axis), 1);
  // One microbatch's gradients may be dealt out as they are made.
  const summedWhole = shard === 'none' || (shard === 'optimizer' && (microbatches > 1 || isPipeline(plan)));
  const inMemory = 2 * parameter + 2 * slots * state + gradient;
  // What of an element has to cross the link to the host one way, in bytes of the chip's memory that take as long.
  const { host, chip } = hardware;
  const link = host === undefined ? 1 : rateOf(chip) / host.linkPerDirection.achievable;
  const moved = {
    none: inMemory,
    streamed: Math.max(inMemory, slots * state * link),
    'host-update': Math.max(parameter, gradient) * link,
  }[plan.optimizerOffload];
  return {
    summed: microbatchForm(job).summed ? 3 * gradient : 0,
    kept: (parameter + (plan.optimizerOffload === 'none' ? slots * state : 0)) / parts,
    copies:
      shard === 'parameters' || (shard === 'none' && plan.castParameters === 'where-used')
        ? 0
        : DTYPE_BYTES[precision.compute],
    gradients: gradient / (summedWhole ? 1 : parts),
    moved: moved / parts,
  };
}
