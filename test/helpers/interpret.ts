/**
 * Runs a program on all ranks of its mesh in lockstep, op by op, with the reference kernels and collectives written
 * down as what they mean. No threads, no rings, no order but the program's: the plainest executor there is, for tests.
 */
import { axisSize, coordinate, group, rankCount } from '../../src/mesh/index.js';
import type { AxisName } from '../../src/mesh/index.js';
import { attributesOf, elementCount, isCollective, isCompute, regionOps } from '../../src/program/index.js';
import type { Attributes, CollectiveName, Op, Program, ValueId } from '../../src/program/index.js';
import { allocateLike, cut, packPart, partLength, unpackPart } from '../../src/runtime/blocks.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { addPlain } from '../../src/runtime/sums/index.js';
import { evaluate } from '../../src/runtime/kernels/reference/index.js';

export type Tensor = HostTensor;
export type Bound = Tensor | readonly Tensor[];
type Environment = Map<ValueId, Bound>;

/** Is told of every op that computes, on every rank. */
export type Look = (op: Op, operands: readonly Tensor[]) => void;

/** @param inputs of each rank */
export function interpretMesh(
  program: Program,
  inputs: readonly ReadonlyMap<ValueId, Bound>[],
  look?: Look,
): Map<string, Bound>[] {
  const { mesh } = program;
  const ranks = Array.from({ length: rankCount(mesh) }, (_, rank) => rank);
  const env = ranks.map((rank): Environment => new Map(inputs[rank]));
  const type = (id: ValueId) => program.values[id]!.type;
  const read = (rank: number, id: ValueId): Bound => {
    const found = env[rank]!.get(id);
    if (found === undefined) throw new Error(`%${id} is not defined`);
    return found;
  };
  const each = (visit: (rank: number) => void): void => ranks.forEach(visit);
  const partOf = (tensor: Tensor, shape: readonly number[], dimension: number, parts: number, part: number): Tensor => {
    const how = cut(shape, dimension, parts);
    const packed = allocateLike(tensor, partLength(how));
    packPart(tensor, how, part, packed);
    return packed;
  };
  const join = (tensors: readonly Tensor[], shape: readonly number[], dimension: number): Tensor => {
    const whole = shape.with(dimension, shape[dimension]! * tensors.length);
    const result = allocateLike(tensors[0]!, elementCount(whole));
    tensors.forEach((one, part) => unpackPart(result, cut(whole, dimension, tensors.length), part, one));
    return result;
  };
  const total = (tensors: readonly Tensor[]): Tensor => {
    const sum = tensors[0]!.slice();
    tensors.slice(1).forEach((one) => addPlain(sum, sum, one));
    return sum;
  };

  /** What a rank gets of operand `index`, given all members' tensors in the axis' order. */
  const collect = (
    op: Op<CollectiveName>,
    index: number,
    members: readonly Tensor[],
    me: number,
    shape: readonly number[],
  ): Tensor => {
    const count = members.length;
    switch (op.name) {
      case 'all_gather':
        return join(members, shape, (op.attributes as Attributes['all_gather']).dimensions[index]!);
      case 'reduce_scatter':
        return partOf(
          total(members),
          shape,
          (op.attributes as Attributes['reduce_scatter']).dimensions[index]!,
          count,
          me,
        );
      case 'all_reduce':
        return total(members);
      case 'all_to_all': {
        const { from, to } = op.attributes as Attributes['all_to_all'];
        const parts = members.map((one) => partOf(one, shape, to, count, me));
        return join(parts, shape.with(to, shape[to]! / count), from);
      }
      case 'permute': {
        const shift = (op.attributes as Attributes['permute']).shifts[index]!;
        return members[(((me - shift) % count) + count) % count]!;
      }
    }
  };
  const runCollective = (op: Op<CollectiveName>): void => {
    const { axis } = op.attributes as { axis: AxisName };
    const results = ranks.map((rank) =>
      op.operands.map((id, index): Bound => {
        const members = group(mesh, rank, axis).map((member) => read(member, id));
        const me = coordinate(mesh, rank, axis);
        const { shape, stack } = type(id);
        if (stack === undefined) return collect(op, index, members as Tensor[], me, shape);
        return Array.from({ length: stack }, (_, element) =>
          collect(
            op,
            index,
            members.map((list) => (list as Tensor[])[element]!),
            me,
            shape,
          ),
        );
      }),
    );
    each((rank) => op.results.forEach((id, index) => env[rank]!.set(id, results[rank]![index]!)));
  };

  const runMove = (op: Op, rank: number, iteration: number): Tensor => {
    const { axis, dimension, offset, stride } = op.attributes as Attributes['take'];
    const parts = axisSize(mesh, axis);
    const place = coordinate(mesh, rank, axis) + offset + stride * iteration;
    const part = ((place % parts) + parts) % parts;
    const operands = op.operands.map((id) => read(rank, id) as Tensor);
    if (op.name === 'take') return partOf(operands[0]!, type(op.operands[0]!).shape, dimension, parts, part);
    const { shape } = type(op.results[0]!);
    const whole = operands[1]?.slice() ?? allocateLike(operands[0]!, elementCount(shape));
    unpackPart(whole, cut(shape, dimension, parts), part, operands[0]!);
    return whole;
  };

  const runRepeat = (op: Op): void => {
    const { count, carried, reverse, first = 0 } = attributesOf(op, 'repeat');
    const region = op.region!;
    let current = ranks.map((rank) => op.operands.slice(0, carried).map((id) => read(rank, id)));
    const stacks = ranks.map(() => op.results.slice(carried).map(() => new Array<Tensor>(count)));
    for (let step = 0; step < count; step++) {
      const element = reverse ? count - 1 - step : step;
      each((rank) =>
        region.args.forEach((arg, index) => {
          if (index < carried) return env[rank]!.set(arg, current[rank]![index]!);
          const stack = read(rank, op.operands[index]!) as readonly Tensor[];
          return env[rank]!.set(arg, stack[stack.length === count ? element : first + element]!);
        }),
      );
      runBlock(regionOps(region), first + element);
      const results = ranks.map((rank) => region.results.map((id) => read(rank, id)));
      current = results.map((one) => one.slice(0, carried));
      each((rank) =>
        results[rank]!.slice(carried).forEach((value, index) => (stacks[rank]![index]![element] = value as Tensor)),
      );
    }
    each((rank) =>
      op.results.forEach((id, index) =>
        env[rank]!.set(id, index < carried ? current[rank]![index]! : stacks[rank]![index - carried]!),
      ),
    );
  };

  const runBlock = (ops: readonly Op[], iteration: number): void => {
    for (const op of ops) {
      if (op.name === 'repeat') runRepeat(op);
      else if (op.name === 'kernel') runBlock(op.region!.ops, iteration);
      else if (op.name === 'manual') {
        const region = op.region!;
        const copy = (from: readonly ValueId[], to: readonly ValueId[]) =>
          each((rank) => to.forEach((id, index) => env[rank]!.set(id, read(rank, from[index]!))));
        copy(op.operands, region.args);
        runBlock(region.ops, 0);
        copy(region.results, op.results);
      } else if (op.name === 'join_stacks') {
        each((rank) =>
          env[rank]!.set(
            op.results[0]!,
            op.operands.flatMap((id) => read(rank, id) as Tensor[]),
          ),
        );
      } else if (op.name === 'element') {
        const { index } = attributesOf(op, 'element');
        each((rank) => env[rank]!.set(op.results[0]!, (read(rank, op.operands[0]!) as Tensor[])[index]!));
      } else if (isCollective(op.name)) runCollective(op as Op<CollectiveName>);
      else if (isCompute(op.name)) {
        each((rank) => {
          const operands = op.operands.map((id) => read(rank, id) as Tensor);
          look?.(op, operands);
          const results = evaluate(op, op.operands.map(type), op.results.map(type), operands, (axis) =>
            coordinate(mesh, rank, axis),
          );
          op.results.forEach((id, index) => env[rank]!.set(id, results[index]!));
        });
      } else each((rank) => env[rank]!.set(op.results[0]!, runMove(op, rank, iteration)));
    }
  };

  runBlock(program.ops, 0);
  return ranks.map((rank) => new Map(program.outputs.map(({ name, value }) => [name, read(rank, value)])));
}

/** As `interpretMesh`, for a program of one rank. */
export const interpret = (program: Program, inputs: ReadonlyMap<ValueId, Bound>): Map<string, Bound> =>
  interpretMesh(program, [inputs])[0]!;

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
