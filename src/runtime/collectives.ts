/**
 * The collectives as ring algorithms. Each is a generator that yields the exchanges it takes, one after the other, and
 * goes on when one is done: who runs it decides whether to wait for them or to compute meanwhile. A sum is formed in one
 * place, in the order of the ring, and then handed around, so that every rank of the group ends up with the same bits.
 * What each rank sends is what `collectiveBytes` says, where parts divide evenly.
 */
import type { Attributes, CollectiveName, DType, Op } from '../program/index.js';
import { DTYPE_BYTES } from '../program/index.js';
import type { Cut } from './blocks.js';
import { cut, isContiguous, packPart, partLength, unpackPart, viewPart } from './blocks.js';
import type { HostTensor } from './kernels/tensors.js';
import { dtypeOf } from './kernels/tensors.js';
import type { Memory } from './memory.js';
import type { Exchange, Receiving, Sending } from './transport/index.js';

/** The ranks that take part, in the axis' order, as one of them sees them. */
export interface Group {
  readonly ranks: readonly number[];
  /** This rank's place in `ranks`. */
  readonly index: number;
  /** Where results and what is needed on the way lie. */
  readonly memory: Memory;
}

/** A tensor that a collective moves. */
export interface Operand {
  readonly data: HostTensor;
  readonly shape: readonly number[];
  /** Whether nothing else reads it, so that a result may lie in its place. */
  readonly isSpent?: boolean;
}

/** Gives the results, in memory of their own or where a spent operand was; others are only read. */
export type Algorithm = Generator<Exchange, HostTensor[], void>;

const place = ({ ranks }: Group, index: number): number => ((index % ranks.length) + ranks.length) % ranks.length;
const rankAt = (group: Group, index: number): number => group.ranks[place(group, index)]!;

/** To the next rank of the ring and from the one before, whose tensors are added to `plus` where that is given. */
const shiftAround = (
  group: Group,
  sent: readonly HostTensor[],
  pieces: readonly HostTensor[],
  plus?: readonly HostTensor[],
): Exchange => ({
  sending: [{ to: rankAt(group, group.index + 1), pieces: sent }],
  receiving: [{ from: rankAt(group, group.index - 1), pieces, ...(plus === undefined ? {} : { plus }) }],
});

/** Runs an algorithm once for each kind of array among the operands: a message has one. */
function* byType<T extends Operand>(
  operands: readonly T[],
  run: (dtype: DType, operands: readonly T[]) => Algorithm,
): Algorithm {
  const results = new Map<T, HostTensor>();
  for (const dtype of new Set(operands.map(({ data }) => dtypeOf(data)))) {
    const alike = operands.filter(({ data }) => dtypeOf(data) === dtype);
    const made = yield* run(dtype, alike);
    alike.forEach((operand, index) => results.set(operand, made[index]!));
  }
  return operands.map((operand) => results.get(operand)!);
}

interface Divided extends Operand {
  /** The whole tensor's parts, one a rank. */
  readonly parts: Cut;
}

const divided = (
  operands: readonly Operand[],
  dimensions: readonly number[],
  wholeShape: (operand: Operand, dimension: number) => readonly number[],
  count: number,
): Divided[] =>
  operands.map((operand, index) => {
    const dimension = dimensions[index]!;
    return { ...operand, parts: cut(wholeShape(operand, dimension), dimension, count) };
  });

/** Joins the ranks' tensors, each along its dimension. */
function* allGather(group: Group, operands: readonly Operand[], dimensions: readonly number[]): Algorithm {
  const { memory, ranks, index } = group;
  const count = ranks.length;
  const whole = ({ shape }: Operand, dimension: number) => shape.with(dimension, shape[dimension]! * count);
  return yield* byType(divided(operands, dimensions, whole, count), function* (dtype, alike) {
    const wholes = alike.map(({ data, parts }) => {
      const joined = memory.allocate(dtype, data.length * count);
      unpackPart(joined, parts, index, data);
      return joined;
    });
    let held = alike.map(({ data }) => data);
    const letGo = (step: number): void => {
      // What was only held to be packed and sent on; the first to be sent are the operands.
      if (step > 1) alike.forEach(({ parts }, at) => !isContiguous(parts) && memory.free(held[at]!));
    };
    for (let step = 1; step < count; step++) {
      const part = place(group, index - step);
      const next = alike.map(({ data, parts }, at) =>
        isContiguous(parts) ? viewPart(wholes[at]!, parts, part) : memory.allocate(dtype, data.length),
      );
      yield shiftAround(group, held, next);
      alike.forEach(({ parts }, at) => !isContiguous(parts) && unpackPart(wholes[at]!, parts, part, next[at]!));
      letGo(step);
      held = next;
    }
    letGo(count);
    return wholes;
  });
}

/** Sums the ranks' tensors and gives this rank's part of each along its dimension, which divides by the ranks. */
function* reduceScatter(group: Group, operands: readonly Operand[], dimensions: readonly number[]): Algorithm {
  const { memory, ranks, index } = group;
  const count = ranks.length;
  return yield* byType(
    divided(operands, dimensions, ({ shape }) => shape, count),
    function* (dtype, alike) {
      // What is not one run is packed, and its sum formed where that lies.
      const term = ({ data, parts }: Divided, part: number): HostTensor => {
        if (isContiguous(parts)) return viewPart(data, parts, part);
        const packed = memory.allocate(dtype, partLength(parts));
        packPart(data, parts, part, packed);
        return packed;
      };
      const first = place(group, index - 1);
      let held = alike.map((operand) => term(operand, first));
      for (let step = 2; step <= count; step++) {
        const terms = alike.map((operand) => term(operand, place(group, index - step)));
        const sums = alike.map(({ parts }, at) =>
          isContiguous(parts) ? memory.allocate(dtype, partLength(parts)) : terms[at]!,
        );
        yield shiftAround(group, held, sums, terms);
        alike.forEach(({ parts }, at) => {
          if (step > 2 || !isContiguous(parts)) memory.free(held[at]!);
        });
        held = sums;
      }
      return held;
    },
  );
}

/** Tensors that count as one run of elements. */
class Joined {
  readonly length: number;
  readonly #tensors: readonly HostTensor[];
  readonly #ends: readonly number[];

  constructor(tensors: readonly HostTensor[]) {
    this.#tensors = tensors;
    let end = 0;
    this.#ends = tensors.map(({ length }) => (end += length));
    this.length = end;
  }

  /** The elements from `start` to before `end`. */
  slice(start: number, end: number): HostTensor[] {
    const pieces: HostTensor[] = [];
    let [low, high] = [0, this.#tensors.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle]! <= start) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < this.#tensors.length; index++) {
      const tensor = this.#tensors[index]!;
      const offset = this.#ends[index]! - tensor.length;
      if (offset >= end) break;
      pieces.push(tensor.subarray(Math.max(start - offset, 0), Math.min(end - offset, tensor.length)));
    }
    return pieces;
  }
}

/** Of each rank's part of a block: what is under way of a few of them fits into a core's second cache. */
const PART_BYTES = 2 ** 18;

/**
 * Sums each of the tensors over the ranks, block by block: of each block every rank sums up one part, which goes around
 * the ring once to be summed and once more, whole. A rank sends on what it has just received, while that is in its
 * cache, and meanwhile what it has of other blocks.
 */
function* allReduce(group: Group, operands: readonly Operand[]): Algorithm {
  const { memory, ranks, index } = group;
  const count = ranks.length;
  return yield* byType(operands, function* (dtype, alike) {
    const tensors = alike.map(({ data, isSpent }) => (isSpent === true ? data : memory.allocate(dtype, data.length)));
    const [terms, results] = [new Joined(alike.map(({ data }) => data)), new Joined(tensors)];
    const { length } = terms;
    const blockLength = (count * PART_BYTES) / DTYPE_BYTES[dtype];
    const blocks = Math.ceil(length / blockLength);
    const part = (of: Joined, block: number, at: number): HostTensor[] => {
      const start = block * blockLength;
      const size = Math.min(blockLength, length - start);
      const owner = place(group, at);
      return of.slice(start + Math.floor((size * owner) / count), start + Math.floor((size * (owner + 1)) / count));
    };
    const hops = 2 * (count - 1);
    const sending: Sending[] = [];
    const receiving: Receiving[] = [];
    // Of each block's latest hop, the place among messages. All ranks send in the same order.
    const places = new Array<number>(blocks);
    for (let turn = 0; turn < blocks + hops - 1; turn++) {
      for (let hop = 0; hop < hops; hop++) {
        const block = turn - hop;
        if (block < 0 || block >= blocks) continue;
        const sent = part(hop === 0 ? terms : results, block, index - hop - 1);
        sending.push({ to: rankAt(group, index + 1), pieces: sent, after: hop === 0 ? 0 : places[block]! + 1 });
        places[block] = receiving.length;
        const from = rankAt(group, index - 1);
        const pieces = part(results, block, index - hop - 2);
        receiving.push(
          hop < count - 1 ? { from, pieces, plus: part(terms, block, index - hop - 2) } : { from, pieces },
        );
      }
    }
    yield { sending, receiving };
    return tensors;
  });
}

/** From tensors sharded over `from` to tensors sharded over another dimension, `to`, one after the other. */
function* allToAll(group: Group, operands: readonly Operand[], from: number, to: number): Algorithm {
  const { memory, ranks, index } = group;
  const count = ranks.length;
  const results: HostTensor[] = [];
  for (const { data, shape } of operands) {
    const dtype = dtypeOf(data);
    const outgoing = cut(shape, to, count);
    const incoming = cut(shape.with(to, shape[to]! / count).with(from, shape[from]! * count), from, count);
    const result = memory.allocate(dtype, data.length);
    const packed = memory.allocate(dtype, partLength(outgoing));
    const received = memory.allocate(dtype, partLength(incoming));
    packPart(data, outgoing, index, packed);
    unpackPart(result, incoming, index, packed);
    for (let step = 1; step < count; step++) {
      const source = place(group, index - step);
      packPart(data, outgoing, place(group, index + step), packed);
      yield {
        sending: [{ to: rankAt(group, index + step), pieces: [packed] }],
        receiving: [{ from: ranks[source]!, pieces: [received] }],
      };
      unpackPart(result, incoming, source, received);
    }
    memory.free(packed);
    memory.free(received);
    results.push(result);
  }
  return results;
}

/** Each rank's tensor i moves `shifts[i]` places along the axis, around the ring; all at once. */
function* permute(group: Group, operands: readonly Operand[], shifts: readonly number[]): Algorithm {
  const moved = operands.map((operand, index) => ({ ...operand, shift: place(group, shifts[index]!) }));
  return yield* byType(moved, function* (dtype, alike) {
    const results = alike.map(({ data, shift }) => {
      const result = group.memory.allocate(dtype, data.length);
      if (shift === 0) result.set(data);
      return result;
    });
    // What goes the same way is one message.
    const ways = [...new Set(alike.map(({ shift }) => shift))].filter((shift) => shift !== 0);
    const going = <T>(list: readonly T[], way: number): T[] => list.filter((_, at) => alike[at]!.shift === way);
    const sent = alike.map(({ data }) => data);
    yield {
      sending: ways.map((way) => ({ to: rankAt(group, group.index + way), pieces: going(sent, way) })),
      receiving: ways.map((way) => ({
        from: rankAt(group, group.index - way),
        pieces: going(results, way),
      })),
    };
    return results;
  });
}

type Runners = {
  readonly [N in CollectiveName]: (
    group: Group,
    operands: readonly Operand[],
    /** Of which operand of the op each one is an element. */
    owners: readonly number[],
    attributes: Attributes[N],
  ) => Algorithm;
};

const each = <T>(list: readonly T[], owners: readonly number[]): T[] => owners.map((owner) => list[owner]!);

const RUNNERS: Runners = {
  all_gather: (group, operands, owners, { dimensions }) => allGather(group, operands, each(dimensions, owners)),
  reduce_scatter: (group, operands, owners, { dimensions }) => reduceScatter(group, operands, each(dimensions, owners)),
  all_reduce: (group, operands) => allReduce(group, operands),
  all_to_all: (group, operands, _, { from, to }) => allToAll(group, operands, from, to),
  permute: (group, operands, owners, { shifts }) => permute(group, operands, each(shifts, owners)),
};

/**
 * A collective op on this rank.
 *
 * @param operands the op's; each element of a stack is one
 * @param owners for each of them, which operand of the op it belongs to
 */
export function collective<N extends CollectiveName>(
  group: Group,
  op: Op<N>,
  operands: readonly Operand[],
  owners: readonly number[],
): Algorithm {
  const run = RUNNERS[op.name] as Runners[N];
  return run(group, operands, owners, op.attributes);
}
