/** What is known of a program's values before it is walked: where each is used for the last time. */
import { attributesOf } from '../builder.js';
import { lastUses } from '../last-uses.js';
import { reads } from '../passes/fuse.js';
import type { Op, Program, Region, ValueId } from '../types.js';
import { regionOps } from '../types.js';

export interface Step {
  readonly op: Op;
  /** Values of the block that are needed no more after the op. */
  readonly drops: readonly ValueId[];
  /** The region's ops. */
  readonly inner?: Block;
  /** Operands that end when the region takes them over: not what it also reads from around it. */
  readonly ending?: readonly ValueId[];
  readonly repeat?: RepeatBlock;
}

export interface Block {
  readonly steps: readonly Step[];
  /** Values of the block that outlive its last op. */
  readonly rest: readonly ValueId[];
}

export interface RepeatBlock {
  readonly count: number;
  readonly carried: number;
  readonly reverse: boolean;
  /** Of each stacked operand: which of its elements is the repeat's first. */
  readonly firsts: readonly number[];
  /** Of each stacked operand: whether it ends here, so that its elements are freed one by one. */
  readonly consumed: readonly boolean[];
  /** Of each stacked operand: whether its elements are read by nothing but what is issued ahead. */
  readonly readAhead: readonly boolean[];
  /** `results` are those that the region's other ops need. */
  readonly ahead?: { readonly by: number; readonly block: Block; readonly results: readonly ValueId[] };
}

const resultsOf = (ops: readonly Op[]): ValueId[] => ops.flatMap(({ results }) => results);

class Compiler {
  readonly #stackOf: (id: ValueId) => number;

  constructor(program: Program) {
    this.#stackOf = (id) => program.values[id]!.type.stack!;
  }

  /**
   * @param live values that are needed after the block
   * @param owned values that end in the block unless they are live
   */
  block(ops: readonly Op[], live: readonly ValueId[], owned: ReadonlySet<ValueId>): Block {
    const uses = lastUses(ops, owned, live);
    const rest = new Set(owned);
    uses.flat().forEach((id) => rest.delete(id));
    const steps = ops.map((op, index): Step => {
      const drops = uses[index]!;
      return { op, drops, ...this.#inner(op, new Set(drops)) };
    });
    return { steps, rest: [...rest] };
  }

  /** @param dying operands that nothing after the op uses */
  #inner(op: Op, dying: ReadonlySet<ValueId>): Omit<Step, 'op' | 'drops'> {
    const { region } = op;
    if (region === undefined) return {};
    const made = resultsOf(region.ops);
    if (op.name === 'kernel') return { inner: this.block(region.ops, op.results, new Set([...made, ...dying])) };
    const early = resultsOf(region.ahead?.ops ?? []);
    const inner = this.block(region.ops, region.results, new Set([...region.args, ...early, ...made]));
    const captured = new Set([...regionOps(region).flatMap(reads), ...region.results]);
    const ending = op.operands.filter((id) => dying.has(id) && !captured.has(id));
    if (op.name === 'manual') return { inner, ending };
    const { carried } = attributesOf(op, 'repeat');
    const stacks = new Set(ending.filter((id) => op.operands.indexOf(id, carried) >= 0));
    return { inner, ending: ending.filter((id) => !stacks.has(id)), repeat: this.#repeat(op, region, stacks) };
  }

  /** @param ending stacked operands that end here */
  #repeat(op: Op, region: Region, ending: ReadonlySet<ValueId>): RepeatBlock {
    const { count, carried, reverse, first = 0 } = attributesOf(op, 'repeat');
    const stacks = op.operands.slice(carried);
    const late = new Set([...region.ops.flatMap(reads), ...region.results]);
    const early = new Set(region.ahead?.ops.flatMap(reads));
    const readAhead = region.args.slice(carried).map((id) => early.has(id) && !late.has(id));
    return {
      count,
      carried,
      reverse,
      firsts: stacks.map((id) => (this.#stackOf(id) === count ? 0 : first)),
      consumed: stacks.map((id, index) => ending.has(id) && stacks.indexOf(id) === index),
      readAhead: stacks.map((id) => stacks.every((other, position) => other !== id || readAhead[position]!)),
      ...(region.ahead ? { ahead: this.#ahead(region, region.ahead, carried, late) } : {}),
    };
  }

  #ahead(region: Region, { by, ops }: NonNullable<Region['ahead']>, carried: number, late: ReadonlySet<ValueId>) {
    const made = resultsOf(ops);
    const results = made.filter((id) => late.has(id));
    return { by, results, block: this.block(ops, results, new Set([...region.args.slice(carried), ...made])) };
  }
}

export function compileBlocks(program: Program): Block {
  const owned = new Set([...program.inputs.map(({ value }) => value), ...resultsOf(program.ops)]);
  const live = program.outputs.map(({ value }) => value);
  return new Compiler(program).block(program.ops, live, owned);
}
