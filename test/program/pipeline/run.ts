/** Runs a pipeline's programs in lockstep with the reference kernels, in any order of slots that is possible. */
import { rankCount } from '../../../src/mesh/index.js';
import type { Pipeline, Program } from '../../../src/program/index.js';
import { isState, lowerPipeline, MONITOR, virtualStages, stateKey } from '../../../src/program/index.js';
import type { Schedule, ScheduleName, SlotKind } from '../../../src/program/schedules/index.js';
import { createSchedule, placeOf, virtualStage } from '../../../src/program/schedules/index.js';
import type { HostTensor } from '../../../src/runtime/index.js';
import { initialParameter, zeroState } from '../../../src/runtime/initialize.js';
import { numbersOf } from '../../../src/runtime/kernels/tensors.js';
import type { Batch } from '../../../src/train/index.js';
import { rankFeeds } from '../../../src/train/index.js';
import type { StepCase } from '../../agreement/case.js';
import { batchOf, forwardOfStep, lowerOptionsOfStep, monitoredTensors, wholeTensors } from '../../agreement/case.js';
import type { Bound } from '../../helpers/interpret.js';
import { interpretMesh } from '../../helpers/interpret.js';

export interface PipeCase {
  readonly layers: readonly number[];
  readonly placement: readonly (readonly number[])[];
  readonly splitBackward: boolean;
}

export interface Slot {
  readonly kind: SlotKind;
  readonly virtual: number;
  readonly microbatch: number;
}

/** Picks the next of the slots that can run; `done` are those that have. */
export type Order = (ready: readonly Slot[], done: readonly Slot[], pipeline: Pipeline) => Slot;

/** The slots of a schedule, each stage's in its order. */
export const follow =
  (schedule: Schedule): Order =>
  (ready, done) => {
    const next = schedule.slots.flatMap((slots, stage) => {
      const count = done.filter(({ virtual }) => placeOf(schedule, virtual).stage === stage).length;
      const slot = slots[count];
      return slot === undefined ? [] : [{ ...slot, virtual: virtualStage(schedule, stage, slot.chunk) }];
    });
    return ready.find((slot) => next.some((one) => keyOf(one) === keyOf(slot)))!;
  };

/** A schedule by name, and what of a pipeline follows from it. @param layers of each virtual stage */
export function scheduled(
  name: ScheduleName,
  stages: number,
  microbatches: number,
  layers: readonly number[],
): { readonly pipe: PipeCase; readonly schedule: Schedule } {
  const chunks = layers.length / stages;
  const times = { slot: () => 1, transfer: () => 0 };
  const schedule = createSchedule(name, { stages, microbatches, chunks, times });
  const splitBackward = schedule.slots[0]!.some(({ kind }) => kind === 'backward-weight');
  return { pipe: { layers, placement: virtualStages(schedule), splitBackward }, schedule };
}

export const lowerPipelineOf = (example: StepCase, pipe: PipeCase): Pipeline =>
  lowerPipeline(forwardOfStep(example), { ...lowerOptionsOfStep(example), ...pipe });

const keyOf = ({ kind, virtual, microbatch }: Slot): string => `${kind} ${virtual} ${microbatch}`;

function dependencies({ kind, virtual, microbatch }: Slot, stages: number): Slot[] {
  const backward: SlotKind = kind === 'backward' ? kind : 'backward-input';
  const of = (other: SlotKind, stage: number): Slot[] =>
    stage < 0 || stage >= stages ? [] : [{ kind: other, virtual: stage, microbatch }];
  // Slots of a kind run in the order of their microbatches.
  const before = microbatch === 0 ? [] : [{ kind, virtual, microbatch: microbatch - 1 }];
  switch (kind) {
    case 'forward':
      return [...before, ...of('forward', virtual - 1)];
    case 'backward':
    case 'backward-input':
      return [...before, ...of('forward', virtual), ...of(backward, virtual + 1)];
    case 'backward-weight':
      return [...before, ...of('backward-input', virtual)];
  }
}

/** All slots of a step in an order in which they can run. */
function slotsInOrder(pipeline: Pipeline, microbatches: number, order: Order): Slot[] {
  const { virtual } = pipeline;
  const kinds = Object.keys(virtual[0]!.slots) as SlotKind[];
  let waiting = virtual.flatMap((_, index) =>
    kinds.flatMap((kind) =>
      Array.from({ length: microbatches }, (_, microbatch): Slot => ({ kind, virtual: index, microbatch })),
    ),
  );
  const done: Slot[] = [];
  const ended = new Set<string>();
  while (waiting.length > 0) {
    const ready = waiting.filter((slot) => dependencies(slot, virtual.length).every((one) => ended.has(keyOf(one))));
    const next = order(ready, done, pipeline);
    done.push(next);
    ended.add(keyOf(next));
    waiting = waiting.filter((slot) => slot !== next);
  }
  return done;
}

/** What a stage's ranks hold: by key, a value of each rank. */
type Held = Map<string, Bound[]>;

const rowsOf = (batch: Batch, microbatch: number, count: number): Batch =>
  Object.fromEntries(
    Object.entries(batch).map(([name, values]: [string, Float32Array | Int32Array]) => {
      const length = values.length / count;
      return [name, values.subarray(microbatch * length, (microbatch + 1) * length)];
    }),
  ) as unknown as Batch;

class Run {
  readonly #example: StepCase;
  readonly #pipeline: Pipeline;
  readonly #stages: Held[];
  /** What is under way or kept, by port or residual. */
  readonly #left = new Map<string, Bound[]>();
  readonly #data: Batch;

  constructor(example: StepCase, pipeline: Pipeline, seed: number) {
    this.#example = example;
    this.#pipeline = pipeline;
    this.#data = batchOf(example.model, example.batch, 1);
    this.#stages = pipeline.stages.map(({ finish, layers }): Held => {
      const held: Held = new Map();
      const program = finish.at(-1)!;
      const ranks = Array.from({ length: rankCount(program.mesh) }, (_, rank) => rank);
      for (const input of program.inputs.filter(isState)) {
        const { type } = program.values[input.value]!;
        const first = (rank: number): Bound => {
          if (input.kind === 'counter') return Float32Array.of(input.initial);
          if (input.kind !== 'parameter') return zeroState(type);
          if (type.stack === undefined) return initialParameter(program.mesh, rank, input, type, seed);
          const all = { ...type, stack: example.model.depth };
          const whole = initialParameter(program.mesh, rank, input, all, seed) as HostTensor[];
          return layers.map((layer) => whole[layer]!);
        };
        held.set(stateKey(input), ranks.map(first));
      }
      return held;
    });
  }

  /** @param place of a slot: its virtual stage and microbatch; of a stage's own programs neither */
  #run(program: Program, stage: number, first: number, place: string, microbatch = 0): Map<string, Bound>[] {
    const held = this.#stages[stage]!;
    const { mesh, values } = program;
    const rows = rowsOf(this.#data, microbatch, this.#example.plan.microbatches);
    const inputs = Array.from({ length: rankCount(mesh) }, (_, rank) => {
      const feeds = rankFeeds(program, rank, rows, { 'learning-rate': 0.01, step: 1 });
      return new Map(
        program.inputs.map((input): [number, Bound] => {
          const { stack } = values[input.value]!.type;
          if (input.kind === 'data') return [input.value, feeds[input.name]!];
          if (input.kind === 'port' || input.kind === 'residual') {
            const key = `${input.kind} ${input.name} ${place}`;
            const found = this.#left.get(key)?.[rank];
            if (found === undefined) throw new Error(`no ${key}`);
            return [input.value, found];
          }
          const key = isState(input) ? stateKey(input) : `${input.kind}:${input.name}`;
          const found = held.get(key)?.[rank];
          if (found === undefined) throw new Error(`no ${key} on stage ${stage}`);
          return [input.value, stack === undefined ? found : (found as HostTensor[]).slice(first, first + stack)];
        }),
      );
    });
    for (const input of program.inputs) {
      if (input.kind === 'port') this.#left.delete(`port ${input.name} ${place}`);
    }
    return interpretMesh(program, inputs);
  }

  /** Puts `sum:`, `gathered:` and state where the stage has them. */
  #hold(program: Program, stage: number, first: number, name: string, byRank: Bound[]): void {
    const held = this.#stages[stage]!;
    const { stack } = program.values[program.outputs.find((output) => output.name === name)!.value]!.type;
    const before = held.get(name);
    if (stack === undefined || before === undefined) held.set(name, byRank);
    else
      held.set(
        name,
        before.map((list, rank) => (list as HostTensor[]).toSpliced(first, stack, ...(byRank[rank] as HostTensor[]))),
      );
  }

  #runSlot({ kind, virtual, microbatch }: Slot): void {
    const { stages } = this.#pipeline;
    const stage = stages.findIndex(({ chunks }) => chunks.some((chunk) => chunk.virtual === virtual));
    const { first } = stages[stage]!.chunks.find((chunk) => chunk.virtual === virtual)!;
    const { slots, last } = this.#pipeline.virtual[virtual]!;
    const program = (microbatch === this.#example.plan.microbatches - 1 ? last : slots)[kind]!;
    const outputs = this.#run(program, stage, first, `${virtual} ${microbatch}`, microbatch);
    for (const { name } of program.outputs) {
      const byRank = outputs.map((one) => one.get(name)!);
      if (name.startsWith('sum:')) this.#hold(program, stage, first, name, byRank);
      else if (name.startsWith('residual:')) this.#leave(`residual ${name.slice(9)} ${virtual} ${microbatch}`, byRank);
      else if (name === 'send:stream') this.#leave(`port stream ${virtual + 1} ${microbatch}`, byRank);
      else if (name === 'send:stream-cotangent')
        this.#leave(`port stream-cotangent ${virtual - 1} ${microbatch}`, byRank);
      else throw new Error(`an output ${name} of a slot`);
    }
  }

  #leave(key: string, byRank: Bound[]): void {
    if (this.#left.has(key)) throw new Error(`${key} twice`);
    this.#left.set(key, byRank);
  }

  #start(stage: number): void {
    const start = this.#pipeline.stages[stage]!.start!;
    const outputs = this.#run(start, stage, 0, 'start');
    for (const { name } of start.outputs)
      this.#hold(
        start,
        stage,
        0,
        name,
        outputs.map((one) => one.get(name)!),
      );
  }

  /** Stage by stage, the programs that end the step. @returns loss, gradients and parameters, whole */
  #finish(): Map<string, HostTensor> {
    const { stages, tied } = this.#pipeline;
    const found = new Map<string, HostTensor>();
    const ofRanks: Map<string, Bound>[] = [];
    const rounds = Math.max(...stages.map(({ finish }) => finish.length));
    for (let round = 0; round < rounds; round++) {
      const agreed = new Map<string, number>();
      stages.forEach(({ finish, layers }, stage) => {
        const program = finish[finish.length - rounds + round];
        if (program === undefined) return;
        const outputs = this.#run(program, stage, 0, `tied ${stage}`);
        ofRanks.push(...outputs);
        for (const { name, value } of program.outputs) {
          if (name.startsWith(MONITOR)) continue;
          const byRank = outputs.map((one) => one.get(name)!);
          const parameter = name.replace('send:tied:', '');
          if (name.startsWith('agree:'))
            agreed.set(name, (agreed.get(name) ?? 0) + numbersOf(byRank[0] as HostTensor)[0]!);
          else if (name !== parameter) {
            const pair = tied.find((one) => one.name === parameter)!.stages;
            this.#leave(`port tied:${parameter} tied ${pair.find((one) => one !== stage)!}`, byRank);
          } else if (name.startsWith('sum:')) this.#hold(program, stage, 0, name, byRank);
          else if (!name.startsWith('optimizer:'))
            for (const [tensor, whole] of wholeTensors(program, name, value, byRank)) {
              const slash = tensor.lastIndexOf('/');
              const { stack } = program.values[value]!.type;
              const key =
                stack === undefined ? tensor : `${tensor.slice(0, slash)}/${layers[+tensor.slice(slash + 1)]!}`;
              const before = found.get(key);
              if (before?.some((x, index) => !Object.is(x, whole[index])) === true)
                throw new Error(`${key} differs by stage`);
              found.set(key, whole);
            }
        }
      });
      for (const [name, total] of agreed)
        stages.forEach((_, stage) =>
          this.#leave(
            `port ${name.replace('agree:', 'agreed:')} tied ${stage}`,
            Array.from({ length: rankCount(stages[stage]!.finish[0]!.mesh) }, () => Float32Array.of(total)),
          ),
        );
    }
    return new Map([...found, ...monitoredTensors(ofRanks)]);
  }

  run(order: Order): Map<string, HostTensor> {
    this.#pipeline.stages.forEach((_, stage) => this.#start(stage));
    const slots = slotsInOrder(this.#pipeline, this.#example.plan.microbatches, order);
    slots.forEach((slot) => this.#runSlot(slot));
    return this.#finish();
  }

  /** What was sent and not received. */
  get leftPorts(): string[] {
    return [...this.#left.keys()].filter((key) => key.startsWith('port'));
  }
}

/** One step: loss, gradients and new parameters by name, as `interpretStep` gives them. */
export function interpretPipeline(
  example: StepCase,
  pipe: PipeCase,
  order: Order,
  seed = 3,
): ReadonlyMap<string, HostTensor> {
  const run = new Run(example, lowerPipelineOf(example, pipe), seed);
  const found = run.run(order);
  if (run.leftPorts.length > 0) throw new Error(`not received: ${run.leftPorts.join(', ')}`);
  return found;
}
