/**
 * Runs a compiled program once on one rank. Tensors are never written to after they are made, so two values may be the
 * same tensor; dropping the last reference to one is what frees it.
 */
import type { AxisName, Mesh } from '../mesh/index.js';
import { coordinate, group } from '../mesh/index.js';
import type { Program } from '../program/index.js';
import type { Span } from '../trace/index.js';
import { spanId } from '../trace/index.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { Clock } from './clock.js';
import type { Group } from './collectives.js';
import { runCollective } from './collectives.js';
import type { Block, CollectiveStep, CompiledProgram, KernelStep, RepeatStep } from './compile.js';
import type { StateValue } from './initialize.js';
import { isStack } from './initialize.js';
import type { HostTensor } from './kernels/family.js';
import type { Transport } from './transport/index.js';

/** A tensor, or the tensors of a stack. */
export type Binding = StateValue;
/** Indexed by ValueId. */
export type Environment = (Binding | undefined)[];

export interface Surroundings {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly transport: Transport;
  readonly clock: Clock;
  /** When the step began, on the clock that all ranks share. */
  readonly startedAt: Seconds;
}

export class Execution {
  /** The op that runs, to name when something fails. */
  opId = 'inputs';
  readonly spans: Span[] = [];
  readonly #program: Program;
  readonly #block: Block;
  readonly #env: Environment;
  readonly #around: Surroundings;
  readonly #iterations: number[] = [];
  readonly #groups = new Map<AxisName, Pick<Group, 'ranks' | 'index'>>();

  /** @param env the inputs' values; emptied as they are used, filled with the outputs' */
  constructor({ program, block }: CompiledProgram, env: Environment, around: Surroundings) {
    this.#program = program;
    this.#block = block;
    this.#env = env;
    this.#around = around;
    for (const { name } of around.mesh.axes) {
      const ranks = group(around.mesh, around.rank, name);
      this.#groups.set(name, { ranks, index: coordinate(around.mesh, around.rank, name) });
    }
  }

  /** @throws what a kernel or the transport throws; `opId` then names the op */
  run(): Promise<void> {
    return this.#runBlock(this.#block);
  }

  /** Seconds since the step began. */
  now(): Seconds {
    return seconds(this.#around.clock() - this.#around.startedAt);
  }

  async #runBlock(block: Block): Promise<void> {
    for (const step of block.steps) {
      this.#around.transport.checkStopped();
      this.opId = step.op.id;
      switch (step.kind) {
        case 'kernel':
          await this.#runKernel(step);
          break;
        case 'collective':
          this.#runCollective(step);
          break;
        case 'repeat':
          await this.#runRepeat(step);
          break;
      }
      for (const id of step.dying) this.#env[id] = undefined;
    }
  }

  async #runKernel({ op, kernel, operands, results }: KernelStep): Promise<void> {
    const tensors = operands.map((id) => this.#env[id] as HostTensor);
    const start = this.now();
    const made = await kernel.run(tensors);
    const end = this.now();
    results.forEach((id, index) => (this.#env[id] = made[index]!));
    this.spans.push({
      id: spanId(op, this.#iterations),
      kind: 'kernel',
      name: 'kernel',
      phase: op.phase,
      rank: this.#around.rank,
      start,
      end,
    });
  }

  #runCollective({ op }: CollectiveStep): void {
    const { transport, rank } = this.#around;
    const members: Group = { ...this.#groups.get(op.attributes.axis)!, transport, opId: op.id };
    const bindings = op.operands.map((id) => this.#env[id]!);
    const type = this.#program.values[op.operands[0]!]!.type;
    const sentBefore = transport.sentBytes;
    const start = this.now();
    // An all-reduce takes any number of tensors in one go; the others move the elements of a stack one by one.
    const flat = bindings.flat();
    const made =
      op.name === 'all_reduce'
        ? runCollective(members, op, flat, type)
        : flat.flatMap((tensor) => runCollective(members, op, [tensor], type));
    const end = this.now();
    let next = 0;
    op.results.forEach((id, index) => {
      const like = bindings[index]!;
      this.#env[id] = isStack(like) ? like.map(() => made[next++]!) : made[next++]!;
    });
    this.spans.push({
      id: spanId(op, this.#iterations),
      kind: 'collective',
      name: op.name,
      phase: op.phase,
      rank,
      start,
      end,
      sentBytes: transport.sentBytes - sentBefore,
    });
  }

  async #runRepeat({ op, count, carried, reverse, args, results, consumed, block }: RepeatStep): Promise<void> {
    const env = this.#env;
    let current = op.operands.slice(0, carried).map((id) => env[id]!);
    // Copies of the lists, not of the tensors: an element is taken out of its list as it is used, so that a stack that
    // nobody else holds is freed element by element.
    const sources = op.operands
      .slice(carried)
      .map((id): (HostTensor | undefined)[] => [...(env[id] as readonly HostTensor[])]);
    const stacks = results.slice(carried).map(() => new Array<HostTensor>(count));
    for (const id of consumed) env[id] = undefined;
    for (let step = 0; step < count; step++) {
      const element = reverse ? count - 1 - step : step;
      for (const [index, id] of args.entries()) {
        env[id] = index < carried ? current[index]! : sources[index - carried]![element]!;
      }
      current = [];
      for (const source of sources) source[element] = undefined;
      this.#iterations.push(element);
      await this.#runBlock(block);
      this.#iterations.pop();
      const made = results.map((id) => env[id]!);
      for (const id of block.owned) env[id] = undefined;
      current = made.slice(0, carried);
      stacks.forEach((stack, index) => (stack[element] = made[carried + index] as HostTensor));
    }
    op.results.forEach((id, index) => (env[id] = index < carried ? current[index]! : stacks[index - carried]!));
  }
}
