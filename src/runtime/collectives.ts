/**
 * The collectives as ring algorithms over the transport. A sum is formed in one place, in the order of the ring, and
 * then handed around, so that every rank of the group ends up with the same bits. What each rank sends is what
 * `collectiveBytes` says, where parts divide evenly.
 */
import type { Attributes, CollectiveName, Op, ValueType } from '../program/index.js';
import { allocateLike, cut, isContiguous, packPart, partLength, unpackPart, viewPart } from './blocks.js';
import type { HostTensor } from './kernels/family.js';
import { mapByKind } from './kernels/tensors.js';
import type { Transport } from './transport/index.js';

/** The ranks that take part, in the axis' order, as one of them sees them. */
export interface Group {
  readonly transport: Transport;
  readonly ranks: readonly number[];
  /** This rank's place in `ranks`. */
  readonly index: number;
  /** Whom to name in errors. */
  readonly opId: string;
}

const place = ({ ranks }: Group, index: number): number => ((index % ranks.length) + ranks.length) % ranks.length;
const rankAt = (group: Group, index: number): number => group.ranks[place(group, index)]!;

/** Sends to the next rank of the ring while receiving from the one before. */
function shiftAround(
  group: Group,
  sent: readonly HostTensor[],
  received: readonly HostTensor[],
  options: { readonly add: boolean },
): void {
  group.transport.exchange(
    group.opId,
    { to: rankAt(group, group.index + 1), pieces: sent },
    { from: rankAt(group, group.index - 1), pieces: received, add: options.add },
  );
}

/** Joins the ranks' tensors of `shape` along `dimension`. */
export function allGather(group: Group, tensor: HostTensor, shape: readonly number[], dimension: number): HostTensor {
  const count = group.ranks.length;
  const whole = allocateLike(tensor, tensor.length * count);
  const parts = cut(shape.with(dimension, shape[dimension]! * count), dimension, count);
  unpackPart(whole, parts, group.index, tensor);
  let held = tensor;
  for (let step = 1; step < count; step++) {
    const part = place(group, group.index - step);
    const next = isContiguous(parts) ? viewPart(whole, parts, part) : allocateLike(tensor, tensor.length);
    shiftAround(group, [held], [next], { add: false });
    if (!isContiguous(parts)) unpackPart(whole, parts, part, next);
    held = next;
  }
  return whole;
}

/** Sums the ranks' tensors of `shape` and gives this rank's part along `dimension`, which divides by the ranks. */
export function reduceScatter(
  group: Group,
  tensor: HostTensor,
  shape: readonly number[],
  dimension: number,
): HostTensor {
  const count = group.ranks.length;
  const parts = cut(shape, dimension, count);
  const term = (part: number): HostTensor => {
    const packed = allocateLike(tensor, partLength(parts));
    packPart(tensor, parts, part, packed);
    return packed;
  };
  const first = place(group, group.index - 1);
  let held = isContiguous(parts) ? viewPart(tensor, parts, first) : term(first);
  for (let step = 2; step <= count; step++) {
    const next = term(place(group, group.index - step));
    shiftAround(group, [held], [next], { add: true });
    held = next;
  }
  return held;
}

/** The elements [start, end) of tensors that count as one run. */
function slice(tensors: readonly HostTensor[], start: number, end: number): HostTensor[] {
  const pieces: HostTensor[] = [];
  let offset = 0;
  for (const tensor of tensors) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, tensor.length);
    if (from < to) pieces.push(tensor.subarray(from, to));
    offset += tensor.length;
  }
  return pieces;
}

/** Sums tensors of one kind, all in one go. */
function allReduceKind(group: Group, tensors: readonly HostTensor[]): HostTensor[] {
  const count = group.ranks.length;
  const results = tensors.map((tensor) => tensor.slice());
  const total = results.reduce((sum, tensor) => sum + tensor.length, 0);
  const chunks = Array.from({ length: count }, (_, index) =>
    slice(results, Math.floor((total * index) / count), Math.floor((total * (index + 1)) / count)),
  );
  const chunk = (index: number): HostTensor[] => chunks[place(group, index)]!;
  for (let step = 1; step < count; step++) {
    shiftAround(group, chunk(group.index - step), chunk(group.index - step - 1), { add: true });
  }
  for (let step = 0; step < count - 1; step++) {
    shiftAround(group, chunk(group.index - step), chunk(group.index - step - 1), { add: false });
  }
  return results;
}

/** Sums each of the tensors over the ranks. The results share no memory with the operands. */
export function allReduce(group: Group, tensors: readonly HostTensor[]): HostTensor[] {
  return mapByKind(tensors, (ofOneKind) => allReduceKind(group, ofOneKind));
}

/** From tensors sharded over `from` (each of `shape`) to tensors sharded over another dimension, `to`. */
export function allToAll(
  group: Group,
  tensor: HostTensor,
  shape: readonly number[],
  from: number,
  to: number,
): HostTensor {
  const count = group.ranks.length;
  const outgoing = cut(shape, to, count);
  const incoming = cut(shape.with(to, shape[to]! / count).with(from, shape[from]! * count), from, count);
  const result = allocateLike(tensor, tensor.length);
  const pack = (part: number): HostTensor => {
    const packed = allocateLike(tensor, partLength(outgoing));
    packPart(tensor, outgoing, part, packed);
    return packed;
  };
  unpackPart(result, incoming, group.index, pack(group.index));
  for (let step = 1; step < count; step++) {
    const target = place(group, group.index + step);
    const source = place(group, group.index - step);
    const received = allocateLike(tensor, partLength(incoming));
    group.transport.exchange(
      group.opId,
      { to: group.ranks[target]!, pieces: [pack(target)] },
      { from: group.ranks[source]!, pieces: [received], add: false },
    );
    unpackPart(result, incoming, source, received);
  }
  return result;
}

/** Each rank's tensor moves `shift` places along the axis, around the ring. */
export function permute(group: Group, tensor: HostTensor, shift: number): HostTensor {
  if (place(group, shift) === 0) return tensor.slice();
  const received = allocateLike(tensor, tensor.length);
  group.transport.exchange(
    group.opId,
    { to: rankAt(group, group.index + shift), pieces: [tensor] },
    { from: rankAt(group, group.index - shift), pieces: [received], add: false },
  );
  return received;
}

type Runners = {
  readonly [N in CollectiveName]: (
    group: Group,
    operands: readonly HostTensor[],
    shape: readonly number[],
    attributes: Attributes[N],
  ) => HostTensor[];
};

const RUNNERS: Runners = {
  all_gather: (group, [tensor], shape, { dimensions }) => [allGather(group, tensor!, shape, dimensions[0]!)],
  reduce_scatter: (group, [tensor], shape, { dimensions }) => [reduceScatter(group, tensor!, shape, dimensions[0]!)],
  all_reduce: (group, tensors) => allReduce(group, tensors),
  all_to_all: (group, [tensor], shape, { from, to }) => [allToAll(group, tensor!, shape, from, to)],
  permute: (group, [tensor], _shape, { shifts }) => [permute(group, tensor!, shifts[0]!)],
};

/**
 * Runs one collective op on this rank.
 *
 * @param operands single tensors; the elements of a stack are given one by one, but all of them to an `all_reduce`
 * @param type of the first operand
 * @throws RunStopped or MeshwrightError TIMED_OUT, see `Transport.exchange`
 */
export function runCollective<N extends CollectiveName>(
  group: Group,
  op: Op<N>,
  operands: readonly HostTensor[],
  type: ValueType,
): HostTensor[] {
  const run = RUNNERS[op.name] as Runners[N];
  return run(group, operands, type.shape, op.attributes);
}
