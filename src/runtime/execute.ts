/** Runs a compiled program once on one rank. Collectives move between its steps, and whatever needs one waits for it. */
import type { Mesh } from '../mesh/index.js';
import { axisSize, coordinate } from '../mesh/index.js';
import type { Op, Program, ValueId, ValueType } from '../program/index.js';
import { attributesOf, isHostMove } from '../program/index.js';
import type { Span } from '../trace/index.js';
import { spanId } from '../trace/index.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { Clock } from './clock.js';
import { Communicator, groupsOf } from './communicator.js';
import type { Block, CollectiveStep, CompiledProgram, StackStep, KernelStep, ManualStep, MoveStep } from './compile.js';
import type { RepeatStep, Step } from './compile.js';
import type { Binding } from './handle.js';
import { bringAll, Handle, handlesOf, holdAll, releaseAll } from './handle.js';
import type { Inspector } from './inspector.js';
import type { Memory } from './memory.js';
import { put, take } from './moves.js';
import type { Transport } from './transport/index.js';
import { PREPARING_SECONDS } from './whereabouts.js';

/** Indexed by ValueId; each binding holds its tensors. */
export type Environment = (Binding | undefined)[];

export interface Surroundings {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly transport: Transport;
  readonly memory: Memory;
  readonly clock: Clock;
  /** Says how long kernels take, for how long they are waited for: see `awakeClock`. The clock unless given. */
  readonly awake?: Clock;
  /** When the step began, on the clock that all ranks share. */
  readonly startedAt: Seconds;
  /** Of a run that is looked at. */
  readonly inspector?: Inspector | undefined;
  /** Of a stage, whose programs' collectives go on from one program to the next; of its own unless given. */
  readonly communicator?: Communicator;
}

export class Execution {
  readonly spans: Span[] = [];
  readonly #program: Program;
  readonly #block: Block;
  readonly #env: Environment;
  readonly #around: Surroundings;
  readonly #communicator: Communicator;
  /** Elements of the repeats around, outermost first. */
  readonly #iterations: number[] = [];
  /** What the last run of a collective brings, see `Op.asynchronous`. */
  readonly #latest = new Map<Op, readonly Handle[]>();
  #opId = 'inputs';

  /** @param env the inputs' values; emptied as they are used, filled with the outputs' */
  constructor({ program, block }: CompiledProgram, env: Environment, around: Surroundings) {
    this.#program = program;
    this.#block = block;
    this.#env = env;
    this.#around = around;
    const { mesh, rank, memory, transport } = around;
    this.#communicator = around.communicator ?? new Communicator(transport, groupsOf(mesh, rank, memory));
  }

  /** The op that runs, to name when something fails. */
  get opId(): string {
    return this.#communicator.opId ?? this.#opId;
  }

  /**
   * @param finish whether to wait for all its collectives
   * @throws what a kernel or the transport throws; `opId` then names the op
   */
  async run(finish = true): Promise<void> {
    await this.#runBlock(this.#block);
    if (finish) this.#communicator.finish();
  }

  /** Seconds since the step began. */
  now(): Seconds {
    return seconds(this.#around.clock() - this.#around.startedAt);
  }

  async #runBlock(block: Block): Promise<void> {
    for (const step of block.steps) {
      this.#around.transport.checkStopped();
      this.#communicator.poll();
      this.#opId = step.op.id;
      if (step.kind !== 'kernel') this.#around.transport.diary.works(this.#spanId(step.op));
      await this.#runStep(step);
      step.dying.forEach((id) => this.#drop(id));
    }
  }

  async #runStep(step: Step): Promise<void> {
    switch (step.kind) {
      case 'kernel':
        return this.#runKernel(step);
      case 'collective':
        await this.#bring(step.op);
        return this.#runCollective(step);
      case 'move':
        await this.#bring(step.op);
        return this.#runMove(step);
      case 'stack':
        return this.#runStack(step);
      case 'repeat':
        return this.#runRepeat(step);
      case 'manual':
        return this.#runManual(step);
    }
  }

  async #runKernel(step: KernelStep): Promise<void> {
    const { op, kernel, operands, results, pace } = step;
    const { rank, transport, inspector, memory, clock, awake = clock } = this.#around;
    const handles = operands.map((id) => this.#filled(id));
    const id = this.#spanId(op);
    let [start, end] = [this.now(), this.now()];
    const timed = async <T>(work: () => Promise<T>): Promise<T> => {
      transport.diary.kernel(id, pace.seconds, pace.isKnown);
      start = this.now();
      const from = awake();
      const result = await this.#communicator.during(work());
      end = this.now();
      pace.took(awake() - from);
      transport.diary.goesOn();
      return result;
    };
    const { runOnDevice } = kernel;
    let made: readonly Handle[];
    // What is looked at is in the host's memory, and run again from its operands.
    if (runOnDevice !== undefined && inspector === undefined) {
      const spent = handles.map(({ isExclusive }, index) => isExclusive && step.last[index]!);
      const tensors = handles.map(({ tensor }) => tensor);
      made = (await timed(() => runOnDevice(tensors, spent))).map((tensor) => Handle.onDevice(memory, tensor));
    } else {
      await bringAll(handles);
      made = results.map(({ dtype, length, inPlaceOf }) => {
        const before = inPlaceOf === undefined ? undefined : (this.#env[inPlaceOf] as Handle);
        return before?.isExclusive === true && inspector === undefined
          ? before
          : Handle.allocate(memory, dtype, length);
      });
      const tensors = handles.map(({ data }) => data);
      const targets = made.map(({ data }) => data);
      await timed(() => kernel.run(tensors, targets));
      if (inspector !== undefined) {
        transport.diary.works(`looking at ${id}`, PREPARING_SECONDS);
        await inspector.kernel(this.#program, step, id, tensors, targets);
      }
    }
    results.forEach(({ id: result }, index) => this.#bind(result, made[index]!));
    this.spans.push({ id, kind: 'kernel', name: 'kernel', phase: op.phase, rank, start, end });
  }

  /** Brings an op's operands from where a kernel family keeps them. */
  async #bring(op: Op): Promise<void> {
    const away = op.operands.map((id) => this.#env[id]!).filter((one) => handlesOf(one).some((h) => h.isOnDevice));
    if (away.length === 0) return;
    const start = this.now();
    await bringAll(away);
    const { rank } = this.#around;
    const id = `${this.#spanId(op)}/read`;
    this.spans.push({ id, kind: 'host', name: 'read back', phase: op.phase, rank, start, end: this.now() });
  }

  #runCollective({ op, isQueued, dying }: CollectiveStep): void {
    this.#communicator.wait(this.#latest.get(op) ?? []);
    const id = this.#spanId(op);
    const { name, phase } = op;
    const { rank, inspector } = this.#around;
    const { axis } = op.attributes;
    const issued = this.now();
    const finished = (sentBytes: number): void => {
      // It has waited for those before it on its axis.
      const before = this.#communicator.ends.get(axis) ?? issued;
      const start = before > issued ? before : issued;
      const end = this.now();
      this.#communicator.ends.set(axis, end);
      this.spans.push({ id, kind: 'collective', name, phase, rank, start, end, sentBytes, axis });
      const brought = made.flatMap((binding) => [...handlesOf(binding)]);
      inspector?.collective(
        op,
        id,
        brought.map(({ data }) => data),
      );
    };
    const bindings = op.operands.map((operand) => this.#env[operand]!);
    const made = this.#communicator.start(this.#program, op, bindings, finished);
    op.results.forEach((result, index) => this.#bind(result, made[index]!));
    // Now, so that it may have their memory.
    op.operands.filter((id) => dying.includes(id)).forEach((id) => this.#drop(id));
    const handles = made.flatMap(handlesOf);
    if (op.asynchronous !== true) this.#communicator.wait(handles);
    else if (!isQueued) this.#latest.set(op, handles);
  }

  #runMove({ op, dying }: MoveStep): void {
    const { mesh, rank, memory } = this.#around;
    const { attributes: place, operands, results } = op;
    const stand = {
      size: axisSize(mesh, place.axis),
      coordinate: coordinate(mesh, rank, place.axis),
      iteration: this.#iterations.at(-1) ?? 0,
    };
    const [first, second] = operands.map((id) => this.#filled(id));
    const isLast = (id: ValueId | undefined): boolean => id !== undefined && dying.includes(id);
    const made =
      op.name === 'take'
        ? take(first!, this.#type(operands[0]!), place, stand, isLast(operands[0]), memory)
        : put(first!, second, this.#type(results[0]!), place, stand, isLast(operands[1]), memory);
    this.#bind(results[0]!, made);
  }

  #runStack({ op }: StackStep): void {
    if (isHostMove(op.name)) return op.results.forEach((id, index) => this.#bind(id, this.#env[op.operands[index]!]!));
    const handles = op.operands.flatMap((id) => handlesOf(this.#env[id]!));
    this.#bind(op.results[0]!, op.name === 'element' ? handles[attributesOf(op, 'element').index]! : handles);
  }

  async #runManual({ op, args, results, consumed, block }: ManualStep): Promise<void> {
    args.forEach((id, index) => this.#bind(id, this.#env[op.operands[index]!]!));
    consumed.forEach((id) => this.#drop(id));
    const made = await this.#runRegion(block, results);
    op.results.forEach((id, index) => (this.#env[id] = made[index]));
  }

  async #runRepeat({ op, count, carried, reverse, first, ahead, ...step }: RepeatStep): Promise<void> {
    const env = this.#env;
    let current = op.operands.slice(0, carried).map((id) => holdAll(env[id]!));
    // Each element is let go of as it is used, so that a stack that nobody else holds is freed element by element.
    const sources = op.operands.slice(carried).map((id) => {
      const stack = handlesOf(env[id]!);
      return [...handlesOf(holdAll(stack.length === count ? stack : stack.slice(first, first + count)))];
    });
    const stacks = step.results.slice(carried).map(() => new Array<Handle>(count));
    step.consumed.forEach((id) => this.#drop(id));
    const elements = step.args.slice(carried);
    const kept: [ValueId, Binding | undefined][][] = [];
    const position = (iteration: number): number => (reverse ? count - 1 - iteration : iteration);

    const bindElements = (iteration: number): void =>
      elements.forEach((id, index) => (env[id] = sources[index]![position(iteration)]));
    const inIteration = async <T>(iteration: number, run: () => Promise<T>): Promise<T> => {
      this.#iterations.push(first + position(iteration));
      const result = await run();
      this.#iterations.pop();
      return result;
    };
    const issue = async (iteration: number, block: Block): Promise<void> => {
      bindElements(iteration);
      await inIteration(iteration, () => this.#runBlock(block));
      kept[iteration] = block.owned.map((id) => [id, env[id]]);
      for (const id of block.owned) env[id] = undefined;
    };

    for (let iteration = 0; iteration < count; iteration++) {
      if (ahead === undefined) bindElements(iteration);
      else {
        const from = iteration === 0 ? 0 : iteration + ahead.by;
        for (let early = from; early <= iteration + ahead.by && early < count; early++) await issue(early, ahead.block);
        for (const [id, binding] of kept[iteration]!) env[id] = binding;
        kept[iteration] = [];
      }
      step.args.slice(0, carried).forEach((id, index) => (env[id] = current[index]));
      const made = await inIteration(iteration, () => this.#runRegion(step.block, step.results));
      current = made.slice(0, carried);
      made.slice(carried).forEach((binding, index) => (stacks[index]![position(iteration)] = binding as Handle));
    }
    op.results.forEach((id, index) => (env[id] = index < carried ? current[index] : stacks[index - carried]));
  }

  /** Runs a region whose arguments are bound. @returns its results, held */
  async #runRegion(block: Block, results: readonly ValueId[]): Promise<Binding[]> {
    await this.#runBlock(block);
    const made = results.map((id) => holdAll(this.#env[id]!));
    block.owned.forEach((id) => this.#drop(id));
    return made;
  }

  #bind(id: ValueId, binding: Binding): void {
    this.#env[id] = holdAll(binding);
  }

  #drop(id: ValueId): void {
    const binding = this.#env[id];
    this.#env[id] = undefined;
    if (binding !== undefined) releaseAll(binding);
  }

  /** A tensor whose data are there, waited for where they are still to come. */
  #filled(id: ValueId): Handle {
    const handle = this.#env[id] as Handle;
    this.#communicator.wait([handle]);
    return handle;
  }

  #type(id: ValueId): ValueType {
    return this.#program.values[id]!.type;
  }

  #spanId(op: Op): string {
    return spanId(op, this.#iterations);
  }
}
