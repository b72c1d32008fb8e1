/** Runs a program on one rank with the reference kernels, op by op: the plainest executor there is, for tests. */
import { attributesOf, isCollective, isMove, regionOps } from '../../src/program/index.js';
import type { Op, Program, ValueId } from '../../src/program/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { evaluate } from '../../src/runtime/kernels/reference/index.js';

export type Tensor = HostTensor;
export type Bound = Tensor | readonly Tensor[];

/** @param inputs values of inputs; counters have their initial value unless given */
export function interpret(program: Program, inputs: ReadonlyMap<ValueId, Bound>): Map<string, Bound> {
  const counters = program.inputs.flatMap((input): [ValueId, Bound][] =>
    input.kind === 'counter' ? [[input.value, Float32Array.of(input.initial)]] : [],
  );
  const env = new Map<ValueId, Bound>([...counters, ...inputs]);
  const type = (id: ValueId) => program.values[id]!.type;

  const repeat = (op: Op, operands: readonly Bound[]): void => {
    const { count, carried, reverse, first = 0 } = attributesOf(op, 'repeat');
    const region = op.region!;
    let current = operands.slice(0, carried);
    const sources = operands.slice(carried).map((bound) => {
      const stack = bound as readonly Tensor[];
      return stack.length === count ? stack : stack.slice(first, first + count);
    });
    const stacks: Tensor[][] = op.results.slice(carried).map(() => []);
    for (let step = 0; step < count; step++) {
      const element = reverse ? count - 1 - step : step;
      region.args.forEach((arg, index) => {
        env.set(arg, index < carried ? current[index]! : sources[index - carried]![element]!);
      });
      // Issued early or not, they read the same.
      regionOps(region).forEach(run);
      const results = region.results.map((id) => env.get(id)!);
      current = results.slice(0, carried);
      results.slice(carried).forEach((value, index) => (stacks[index]![element] = value as Tensor));
    }
    op.results.forEach((id, index) => env.set(id, index < carried ? current[index]! : stacks[index - carried]!));
  };

  const run = (op: Op): void => {
    const operands = op.operands.map((id) => env.get(id)!);
    if (isCollective(op.name) || isMove(op.name) || op.name === 'manual') throw new Error(`one rank has no ${op.name}`);
    if (op.name === 'kernel') op.region!.ops.forEach(run);
    else if (op.name === 'repeat') repeat(op, operands);
    else if (op.name === 'join_stacks') env.set(op.results[0]!, operands.flat() as Tensor[]);
    else {
      const results = evaluate(op, op.operands.map(type), op.results.map(type), operands as Tensor[]);
      op.results.forEach((id, index) => env.set(id, results[index]!));
    }
  };
  program.ops.forEach(run);
  return new Map(program.outputs.map(({ name, value }) => [name, env.get(value)!]));
}

/** Numbers in [-1, 1) that only depend on the seed. */
export function pseudoRandom(length: number, seed: number): Float64Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  });
}

/** ‖a − b‖ / ‖b‖ */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let index = 0; index < b.length; index++) {
    difference += (a[index]! - b[index]!) ** 2;
    norm += b[index]! ** 2;
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}
