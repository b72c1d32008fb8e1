/**
 * The rings that take the place of a collective and the products beside it. Letters: k chips in the ring, r a chip's
 * place in it, t the hops so far.
 */
import { axisSize, withState } from '../../../mesh/index.js';
import type { AxisName } from '../../../mesh/index.js';
import type { Builder } from '../../builder.js';
import type { Attributes } from '../../ops/index.js';
import type { Op, Phase, ValueId, ValueType } from '../../types.js';
import type { Product } from './labels.js';
import { productLabels } from './labels.js';

export type Direction = 1 | -1;

/** A block's place: `offset + stride · iteration` places further along the ring. */
interface Place {
  readonly offset: number;
  readonly stride: number;
}

/** One hop of a ring, outside of a loop or the body of one. */
interface Hop {
  readonly id: string;
  readonly phase: Phase;
}

/** What rings are built with, inside a manual region. */
export class RingBuilder {
  readonly builder: Builder;
  readonly axis: AxisName;
  readonly size: number;
  /** Values of the program as the region sees them. */
  readonly #inside = new Map<ValueId, ValueId>();

  constructor(builder: Builder, axis: AxisName) {
    this.builder = builder;
    this.axis = axis;
    this.size = axisSize(builder.mesh, axis);
  }

  withoutState(id: ValueId): ValueType {
    const type = this.builder.type(id);
    return { ...type, states: withState(this.builder.mesh, type.states, this.axis, 'replicated') };
  }

  /** An operand of the region. */
  enter(id: ValueId): ValueId {
    let inner = this.#inside.get(id);
    if (inner === undefined) {
      inner = this.builder.value(this.withoutState(id), this.builder.role(id));
      this.#inside.set(id, inner);
    }
    return inner;
  }

  /** The region's operands and arguments. */
  get entered(): { operands: ValueId[]; args: ValueId[] } {
    return { operands: [...this.#inside.keys()], args: [...this.#inside.values()] };
  }

  permute(values: readonly ValueId[], shifts: readonly Direction[], { id, phase }: Hop): ValueId[] {
    const options = { id: `${id}/permute`, phase, asynchronous: true };
    return this.builder.emitAll('permute', values, { axis: this.axis, shifts }, options);
  }

  take(value: ValueId, dimension: number, { offset, stride }: Place, { id, phase }: Hop): ValueId {
    const attributes = { axis: this.axis, dimension, offset, stride };
    return this.builder.emit('take', [value], attributes, { id: `${id}/take`, phase, role: this.builder.role(value) });
  }

  put(block: ValueId, whole: ValueId | undefined, dimension: number, place: Place, { id, phase }: Hop): ValueId {
    const operands = whole === undefined ? [block] : [block, whole];
    const attributes = { axis: this.axis, dimension, ...place };
    return this.builder.emit('put', operands, attributes, { id: `${id}/put`, phase });
  }

  /** A product of two factors, added to `addend` if there is one. */
  product(op: Product, factors: readonly ValueId[], addend: ValueId | undefined, phase: Phase): ValueId {
    const operands = addend === undefined ? [...factors] : [...factors, addend];
    return this.builder.emit(op.name, operands, op.attributes as Attributes['matmul'], { id: op.id, phase });
  }

  add(a: ValueId, b: ValueId, { id, phase }: Hop): ValueId {
    return this.builder.emit('add', [a, b], {}, { id: `${id}/sum`, phase });
  }

  /** The region as an op that defines `results`. */
  finish(id: string, phase: Phase, ops: readonly Op[], inner: readonly ValueId[], results: readonly ValueId[]): Op {
    const { operands, args } = this.entered;
    inner.forEach((value, index) => this.builder.assignRole(value, this.builder.role(results[index]!)));
    const region = { args, ops, results: inner };
    const attributes = { axis: this.axis };
    return { name: 'manual', id: this.builder.uniqueId(id), phase, operands, results, attributes, region };
  }
}

/** A product that reads what a gather brings: factor `travelling`, cut along its dimension `dimension`. */
export interface Consumer {
  readonly op: Product;
  readonly travelling: 0 | 1;
}

/** How a consumer is cut along the label of the travelling dimension. */
interface Cutting {
  /** The other factor's dimension, if it has the label. */
  readonly other: number | undefined;
  /** The result's dimension, or none where the label is summed over. */
  readonly result: number | undefined;
}

function cuttingOf(ring: RingBuilder, { op, travelling }: Consumer, dimension: number): Cutting {
  const { factors, result } = productLabels(op, (id) => ring.builder.type(id));
  const label = factors[travelling][dimension]!;
  const found = (labels: readonly string[]): number | undefined =>
    labels.includes(label) ? labels.indexOf(label) : undefined;
  return { other: found(factors[travelling === 0 ? 1 : 0]), result: found(result) };
}

/** Which directions' values arrive at each hop; hop 0 is the chip's own part. */
function hopsOf(size: number, both: boolean): Direction[][] {
  if (!both) return Array.from({ length: size - 1 }, () => [1]);
  const hops = Array.from({ length: Math.floor((size - 1) / 2) }, (): Direction[] => [1, -1]);
  return size % 2 === 0 ? [...hops, [1]] : hops;
}

/**
 * A gather and the products that read it: parts travel round the ring while each part that has arrived is multiplied
 * (row-sharded in the ViT-22B paper's §3). A part that came t hops forward is that of chip r − t.
 *
 * @param gather the collective; its operand is what travels
 * @param collects whether its result is needed beside the products
 * @returns the op that defines the consumers' results, and the gather's if it collects
 */
export function gatherRing(
  builder: Builder,
  gather: Op<'all_gather'>,
  consumers: readonly Consumer[],
  collects: boolean,
  both: boolean,
): Op {
  const { axis, dimensions } = gather.attributes;
  const [dimension] = dimensions as [number];
  const ring = new RingBuilder(builder, axis);
  const { phase } = consumers[0]!.op;
  const hop: Hop = { id: `${consumers[0]!.op.id}/ring`, phase };
  const cuts = consumers.map((consumer) => cuttingOf(ring, consumer, dimension));

  /** Works on one part; `sums` are the results so far, absent at first. */
  const multiply = (part: ValueId, place: Place, sums: readonly (ValueId | undefined)[]): ValueId[] => [
    ...products(part, place, sums),
    ...(collects ? [ring.put(part, sums[consumers.length], dimension, place, hop)] : []),
  ];
  const products = (part: ValueId, place: Place, sums: readonly (ValueId | undefined)[]): ValueId[] =>
    consumers.map(({ op, travelling }, index) => {
      const { other, result } = cuts[index]!;
      const [a, b, bias] = op.operands as [ValueId, ValueId, ValueId | undefined];
      const fixed = ring.enter(travelling === 0 ? b : a);
      const factor = other === undefined ? fixed : ring.take(fixed, other, place, hop);
      const factors = travelling === 0 ? [part, factor] : [factor, part];
      const sum = sums[index];
      if (result === undefined) {
        // A bias is added once, with the chip's own part.
        const first = bias === undefined ? undefined : ring.enter(bias);
        return ring.product(op, factors, sum ?? first, phase);
      }
      const partBias = bias === undefined ? undefined : biasPart(ring, op, bias, result, place, hop);
      return ring.put(ring.product(op, factors, partBias, phase), sum, result, place, hop);
    });

  const hops = hopsOf(ring.size, both);
  const { ops, result } = builder.block(() => {
    const own = ring.enter(gather.operands[0]!);
    const send = (values: readonly ValueId[], directions: readonly Direction[]): ValueId[] =>
      ring.permute(values.slice(0, directions.length), directions, hop);
    const arrive = (values: readonly ValueId[], at: number, stride: number, sums: readonly ValueId[]): ValueId[] =>
      hops[at - 1]!.reduce<readonly ValueId[]>(
        (current, direction, index) =>
          multiply(values[index]!, { offset: -direction * at, stride: -direction * stride }, current),
        sums,
      ) as ValueId[];
    let held = send([own, own], hops[0]!);
    let sums = multiply(own, { offset: 0, stride: 0 }, []);
    let at = 1;
    // Hops that are alike, each followed by one of as many directions, are iterations of one repeat.
    const alike = hops.filter((directions, index) => hops[index + 1]?.length === directions.length).length;
    if (alike > 0) {
      const carried = [...held, ...sums];
      const options = { id: hop.id, phase, count: alike, carried, stacked: [] };
      const { carried: after } = builder.repeat(options, (body) => {
        const parts = body.carried.slice(0, held.length);
        const next = send(parts, hops[1]!);
        return { carried: [...next, ...arrive(parts, 1, 1, body.carried.slice(held.length))], stacked: [] };
      });
      held = after.slice(0, held.length);
      sums = after.slice(held.length);
      at += alike;
    }
    for (; at <= hops.length; at++) {
      const following = hops[at];
      const next = following === undefined ? [] : send(held, following);
      sums = arrive(held, at, 0, sums);
      held = next;
    }
    return sums;
  });
  const results = [...consumers.map(({ op }) => op.results[0]!), ...(collects ? gather.results : [])];
  return ring.finish(hop.id.replace(/\/ring$/, '#ring'), phase, ops, result, results);
}

/** The bias of a block of the result's columns; of other dimensions' blocks it is the whole bias. */
function biasPart(ring: RingBuilder, op: Product, bias: ValueId, result: number, place: Place, hop: Hop): ValueId {
  const whole = ring.enter(bias);
  const columns = ring.builder.type(op.results[0]!).shape.length - 1;
  return result === columns ? ring.take(whole, 0, place, hop) : whole;
}

/**
 * Products whose sum a reduce-scatter deals out: for each chip of the ring their block is computed and added to the sum
 * that comes by (column-sharded in the paper's §3). The sum that has still t hops to go forward is that of chip r + t.
 *
 * @returns the op that defines the scatter's result
 */
export function scatterRing(
  builder: Builder,
  products: readonly Product[],
  scatter: Op<'reduce_scatter'>,
  both: boolean,
): Op {
  const { axis, dimensions } = scatter.attributes;
  const [dimension] = dimensions as [number];
  const ring = new RingBuilder(builder, axis);
  const { phase, id } = products[0]!;
  const hop: Hop = { id: `${id}/ring`, phase };

  const blockOf = (op: Product, place: Place, addend: ValueId | undefined): ValueId => {
    const { factors, result: labels } = productLabels(op, (value) => builder.type(value));
    const parts = op.operands.map((value, index) => {
      const at = factors[index as 0 | 1].indexOf(labels[dimension]!);
      return at < 0 ? ring.enter(value) : ring.take(ring.enter(value), at, place, hop);
    });
    return ring.product(op, parts, addend, phase);
  };
  const block = (place: Place): ValueId =>
    products.reduce<ValueId | undefined>((sum, op) => blockOf(op, place, sum), undefined)!;
  // The way forward is the longer one where the ring is even.
  const forward = both ? Math.floor(ring.size / 2) : ring.size - 1;
  const backward = both ? Math.floor((ring.size - 1) / 2) : 0;
  const directions: Direction[] = backward > 0 ? [1, -1] : [1];
  const { ops, result } = builder.block(() => {
    // The sum of direction d with `left` hops to go.
    const begin = (direction: Direction, left: number): ValueId => block({ offset: direction * left, stride: 0 });
    const step = (sums: readonly ValueId[], left: number, stride: number): ValueId[] => {
      const moved = ring.permute(sums, directions.slice(0, sums.length), hop);
      // All products before any sum: the sums that come by are waited for as late as can be.
      const products = moved.map((_, index) => {
        const direction = directions[index]!;
        return block({ offset: direction * left, stride: -direction * stride });
      });
      return products.map((product, index) => ring.add(product, moved[index]!, hop));
    };
    let left = forward;
    let sums = [begin(1, left)];
    if (backward > 0 && backward < forward) {
      left--;
      sums = [...step(sums, left, 0), begin(-1, left)];
    } else if (backward > 0) sums.push(begin(-1, left));
    if (left > 1) {
      const options = { id: hop.id, phase, count: left - 1, carried: sums, stacked: [] };
      sums = [
        ...builder.repeat(options, (body) => ({ carried: step(body.carried, left - 1, 1), stacked: [] })).carried,
      ];
    }
    const moved = ring.permute(sums, directions.slice(0, sums.length), hop);
    const own = block({ offset: 0, stride: 0 });
    return moved.reduce((total, sum) => ring.add(total, sum, hop), own);
  });
  return ring.finish(hop.id.replace(/\/ring$/, '#ring'), phase, ops, [result], scatter.results);
}
