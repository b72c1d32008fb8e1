/**
 * What the backward pass of a repeated region sees of the forward one: values that the forward region stacks for it,
 * and those that cost no arithmetic to make again from something smaller.
 */
import type { Builder } from '../builder.js';
import { attributesOf } from '../builder.js';
import type { OpName } from '../ops/index.js';
import { invalid } from '../ops/index.js';
import type { Op, Region, ValueId, ValueType } from '../types.js';

/** A gather keeps its shard, so that each chip keeps 1/k of the activations; a cast parameter is cast again. */
const MADE_AGAIN: ReadonlySet<OpName> = new Set(['all_gather', 'cast']);

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
  readonly #stacked: { readonly inner: ValueId; readonly stack: ValueId }[] = [];

  constructor(pass: ResidualHost, op: Op, outer: Visible, enter: (type: ValueType, stack: ValueId) => ValueId) {
    this.#pass = pass;
    this.#op = op;
    this.#outer = outer;
    this.#enter = enter;
    const region = op.region!;
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
    if (definition !== undefined && MADE_AGAIN.has(definition.name)) {
      const operands = definition.operands.map((operand) => this.resolve(operand));
      const options = { id: `${definition.id}#again`, phase: 'backward' as const };
      return builder.emit(definition.name as 'all_gather', operands, definition.attributes as never, options);
    }
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

  /** The forward repeat, with the residuals among its stacked results. */
  extended(): Op {
    const region = this.#op.region!;
    const extra: Region = { ...region, results: [...region.results, ...this.#stacked.map(({ inner }) => inner)] };
    return { ...this.#op, results: [...this.#op.results, ...this.#stacked.map(({ stack }) => stack)], region: extra };
  }
}
