/**
 * What the backward pass of a repeated region sees of the forward one: values that the forward region stacks for it,
 * and those that cost no arithmetic to make again from something smaller.
 */
import { unreachable } from '../../errors.js';
import type { Builder } from '../builder.js';
import { attributesOf } from '../builder.js';
import { invalid, isCollective, isCompute } from '../ops/index.js';
import type { Keeping } from './keeping.js';
import { isMadeAgain } from './keeping.js';
import type { Op, Region, ValueId, ValueType } from '../types.js';
import { typeBytes } from '../types.js';

/**
 * Which values of a layer are made again in its backward pass rather than kept from its forward pass:
 * - `none`: only what takes no arithmetic. A gather keeps its shard, so that each chip keeps 1/k of the activations,
 *   and a cast parameter is cast again. A cast that narrows what the layer computed is kept: that is the smaller one.
 * - `selective`: the attention scores and their softmax too (Korthikanti et al. 2022, §5), which grow with the square
 *   of the tokens.
 * - `matmuls`: everything but the outputs of matmuls and what collectives reduced.
 * - `full`: everything; only the layer's input is kept (Chen et al. 2016).
 *
 * Where attention is one kernel, which makes scores again in its backward, all of them do as `selective` besides.
 */
export const REMATERIALIZATIONS = ['none', 'selective', 'matmuls', 'full'] as const;
export type Rematerialization = (typeof REMATERIALIZATIONS)[number];

export interface ResidualPolicy {
  readonly rematerialize: Rematerialization;
  /** Ids of matmuls whose products are kept whatever `rematerialize` says, summed up where they are pending sums. */
  readonly kept: ReadonlySet<string>;
  /** Whether attention's backward kernel makes scores and softmax again by itself, so that no policy keeps them. */
  readonly fusedAttention: boolean;
  readonly keeping: Keeping;
}

/** The matmuls of these ids, or what completes their sums. */
function productsOf(ops: readonly Op[], ids: ReadonlySet<string>): ReadonlySet<Op> {
  const sums = new Map(
    ops
      .filter(({ name }) => name === 'reduce_scatter' || name === 'all_reduce')
      .flatMap((op) => op.operands.map((id) => [id, op] as const)),
  );
  return new Set(ops.filter(({ id }) => ids.has(id)).map((op) => sums.get(op.results[0]!) ?? op));
}

/** Attention's scores and their softmax. */
function scoresOf(ops: readonly Op[]): readonly Op[] {
  const users = new Map<ValueId, Op[]>();
  for (const op of ops) for (const id of op.operands) users.set(id, [...(users.get(id) ?? []), op]);
  const isScore = (op: Op): boolean => {
    const readers = op.results.flatMap((id) => users.get(id) ?? []);
    return readers.length > 0 && readers.every(({ name }) => name === 'softmax');
  };
  return ops.filter((op) => op.name === 'softmax' || isScore(op));
}

/** The ops of a region whose results are made again. */
function madeAgain(
  ops: readonly Op[],
  { rematerialize, kept, fusedAttention, keeping }: ResidualPolicy,
  isParameter: (value: ValueId) => boolean,
  typeOf: (value: ValueId) => ValueType,
): ReadonlySet<Op> {
  const narrows = ({ name, operands: [from], results: [to] }: Op): boolean =>
    name === 'cast' && !isParameter(from!) && typeBytes(typeOf(to!)) < typeBytes(typeOf(from!));
  const isFree = (op: Op): boolean => isMadeAgain(op, keeping, isParameter) && !narrows(op);
  const products = productsOf(ops, kept);
  const asPlanned = (): readonly Op[] => {
    switch (rematerialize) {
      case 'none':
        return [];
      case 'selective':
        return scoresOf(ops);
      case 'matmuls':
        return ops.filter((op) => op.name !== 'matmul' && isCompute(op.name));
      case 'full':
        return ops.filter((op) => !products.has(op));
      default:
        return unreachable(rematerialize);
    }
  };
  return new Set([...ops.filter(isFree), ...asPlanned(), ...(fusedAttention ? scoresOf(ops) : [])]);
}

/** How forward values are seen from a backward block. */
export interface Visible {
  resolve(value: ValueId): ValueId;
}

interface ResidualHost {
  readonly builder: Builder;
  /** Marks a value made for the backward pass by the forward one. */
  addForward(value: ValueId): void;
}

/** What the backward region sees of the forward one. */
export class Residuals {
  readonly #pass: ResidualHost;
  readonly #op: Op;
  readonly #outer: Visible;
  readonly #enter: (type: ValueType, stack: ValueId) => ValueId;
  readonly #definitions = new Map<ValueId, Op>();
  readonly #args: ReadonlyMap<ValueId, number>;
  readonly #seen = new Map<ValueId, ValueId>();
  readonly #policy: ResidualPolicy;
  readonly #again: ReadonlySet<Op>;
  /** Where attention is one kernel, what it makes on the chip alone. */
  readonly #insideAttention: ReadonlySet<Op>;
  readonly #stacked: { readonly inner: ValueId; readonly stack: ValueId }[] = [];

  constructor(
    pass: ResidualHost,
    op: Op,
    outer: Visible,
    policy: ResidualPolicy,
    enter: (type: ValueType, stack: ValueId) => ValueId,
  ) {
    this.#pass = pass;
    this.#op = op;
    this.#outer = outer;
    this.#enter = enter;
    this.#policy = policy;
    const region = op.region!;
    const parameters = new Set(region.args.slice(attributesOf(op, 'repeat').carried));
    this.#again = madeAgain(
      region.ops,
      policy,
      (value) => parameters.has(value),
      (value) => pass.builder.type(value),
    );
    this.#insideAttention = new Set(policy.fusedAttention ? scoresOf(region.ops) : []);
    for (const inner of region.ops) inner.results.forEach((id) => this.#definitions.set(id, inner));
    this.#args = new Map(region.args.map((id, index) => [id, index]));
  }

  isInside(value: ValueId): boolean {
    return this.#definitions.has(value) || this.#args.has(value);
  }

  resolve(value: ValueId): ValueId {
    if (!this.isInside(value)) return this.#outer.resolve(value);
    const seen = this.#seen.get(value) ?? this.#bring(value);
    this.#seen.set(value, seen);
    return seen;
  }

  #bring(value: ValueId): ValueId {
    const { builder } = this.#pass;
    const definition = this.#definitions.get(value);
    if (definition !== undefined && this.#again.has(definition)) return this.#makeAgain(definition, value);
    const { carried, count } = attributesOf(this.#op, 'repeat');
    const index = this.#args.get(value);
    const type = builder.type(value);
    if (index !== undefined && index >= carried) {
      return this.#enter(type, this.#outer.resolve(this.#op.operands[index]!));
    }
    if (type.stack !== undefined) throw invalid(this.#op.id, 'residuals that are single tensors', `stack %${value}`);
    const stack = builder.value({ ...type, stack: count }, builder.role(value));
    this.#pass.addForward(stack);
    this.#stacked.push({ inner: value, stack });
    return this.#enter(type, this.#outer.resolve(stack));
  }

  #makeAgain(op: Op, value: ValueId, unread = false): ValueId {
    const operands = op.operands.map((operand) => {
      const source = this.#definitions.get(operand);
      const ofKernel = source !== undefined && this.#insideAttention.has(source) && !this.#insideAttention.has(op);
      return ofKernel ? this.#madeInside(source, operand) : this.resolve(operand);
    });
    const results = this.#emit(op, operands, 'again', unread);
    op.results.forEach((id, index) => this.#seen.set(id, results[index]!));
    return this.#seen.get(value)!;
  }

  /** Makes again what no gradient needs, where a layer is made again as a whole. */
  replay(): void {
    const { rematerialize, keeping } = this.#policy;
    if (rematerialize !== 'full' || !keeping.replays) return;
    for (const op of this.#op.region!.ops)
      if (!op.results.some((id) => this.#seen.has(id))) this.#makeAgain(op, op.results[0]!, true);
  }

  /** What the forward kernel of attention makes for itself when it runs again: the backward one does not get it. */
  #madeInside(op: Op, value: ValueId): ValueId {
    const operands = op.operands.map((operand) => {
      const source = this.#definitions.get(operand);
      return source !== undefined && this.#insideAttention.has(source)
        ? this.#madeInside(source, operand)
        : this.resolve(operand);
    });
    return this.#emit(op, operands, 'forward-again')[op.results.indexOf(value)]!;
  }

  #emit(op: Op, operands: readonly ValueId[], tag: string, unread = false): ValueId[] {
    const { name, attributes, asynchronous = false } = op;
    if (!isCompute(name) && !isCollective(name)) throw invalid(op.id, 'an op that can be made again', name);
    const { builder } = this.#pass;
    const role = builder.role(op.results[0]!);
    const options = { id: `${op.id}#${tag}`, phase: 'backward' as const, role, asynchronous, unread };
    return builder.emitAll(name, operands, attributes as never, options);
  }

  /** The forward repeat, with the residuals among its stacked results. */
  extended(): Op {
    const region = this.#op.region!;
    const extra: Region = { ...region, results: [...region.results, ...this.#stacked.map(({ inner }) => inner)] };
    return { ...this.#op, results: [...this.#op.results, ...this.#stacked.map(({ stack }) => stack)], region: extra };
  }
}
