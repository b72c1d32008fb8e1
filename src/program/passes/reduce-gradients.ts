/**
 * Completes pending sums: the loss becomes replicated over the axes that it is partial over, and each gradient gets the
 * states that its parameter has where it is updated, replicated (an all-reduce) or sharded (a reduce-scatter).
 */
import type { AxisName } from '../../mesh/index.js';
import { stateOf } from '../../mesh/index.js';
import { Builder } from '../builder.js';
import type { FloatType, Op, Program, ProgramOutput, ValueId } from '../types.js';
import { typeBytes } from '../types.js';
import { changeStacks } from './regions.js';
import type { ShardChoice } from './shard-choice.js';
import { buckets } from './shard-parameters.js';

export interface ReduceOptions {
  /** Gradients of these parameters are dealt out. */
  readonly choice: ShardChoice;
  /**
   * Layers' gradients are reduced at the end of the layer's backward iteration, while the next one runs; otherwise one
   * layer after the other when all are there.
   */
  readonly inside: boolean;
  /** Which outputs; those that are dealt out alone come first where microbatches are summed up later. */
  readonly only?: (name: string) => boolean;
  /** Most bytes that one launch sums up; at least a tensor. */
  readonly bucketBytes: number;
}

interface Pending {
  readonly name: string;
  readonly value: ValueId;
}

class Reduction {
  readonly #builder: Builder;
  readonly #options: ReduceOptions;

  constructor(builder: Builder, options: ReduceOptions) {
    this.#builder = builder;
    this.#options = options;
  }

  #dimension({ name }: Pending, axis: AxisName): number | undefined {
    const cuts = this.#options.choice.get(name.replace('gradient:', ''));
    return cuts?.find((cut) => cut.axis === axis)?.dimension;
  }

  /** Sums values over `axis`: those that are dealt out first, since less is left of them for the other axes. */
  #over(axis: AxisName, pending: readonly Pending[], id: string, asynchronous: boolean): Pending[] {
    const builder = this.#builder;
    const done = new Map<Pending, ValueId>();
    const isPartial = ({ value }: Pending): boolean => stateOf(builder.type(value).states, axis) === 'partial';
    const options = { id: `${id}/${axis}`, phase: 'reduce' as const, role: 'gradient' as const, asynchronous };
    const dealt = pending.filter((one) => isPartial(one) && this.#dimension(one, axis) !== undefined);
    const summed = pending.filter((one) => isPartial(one) && this.#dimension(one, axis) === undefined);
    const give = (members: readonly Pending[], results: readonly ValueId[]) =>
      members.forEach((one, index) => done.set(one, results[index]!));
    const values = (members: readonly Pending[]) => members.map(({ value }) => value);
    if (dealt.length > 0) {
      const dimensions = dealt.map((one) => this.#dimension(one, axis)!);
      give(dealt, builder.emitAll('reduce_scatter', values(dealt), { axis, dimensions }, options));
    }
    if (summed.length > 0) give(summed, builder.emitAll('all_reduce', values(summed), { axis }, options));
    return pending.map((one) => ({ ...one, value: done.get(one) ?? one.value }));
  }

  /** All axes; the first collective waits for nothing but the gradients, the next for it. */
  reduce(pending: readonly Pending[], id: string, asynchronous: boolean): ValueId[] {
    const bytesOf = ({ value }: Pending): number => typeBytes(this.#builder.type(value));
    return buckets(pending, bytesOf, this.#options.bucketBytes)
      .flatMap((bucket) =>
        this.#builder.mesh.axes.reduce<Pending[]>(
          (current, { name }) => this.#over(name, current, id, asynchronous),
          bucket,
        ),
      )
      .map(({ value }) => value);
  }

  isPending = ({ value }: Pending): boolean => Object.values(this.#builder.type(value).states).includes('partial');
}

export function reduceGradients(program: Program, options: ReduceOptions): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const reduction = new Reduction(builder, options);
  const wanted = program.outputs.filter(
    (output) => reduction.isPending(output) && options.only?.(output.name) !== false,
  );
  const reduced = new Map<ValueId, ValueId>();
  const give = (outputs: readonly ProgramOutput[], values: readonly ValueId[]) =>
    outputs.forEach(({ value }, index) => reduced.set(value, values[index]!));
  const stacked = wanted.filter(({ value }) => builder.type(value).stack !== undefined);
  const single = wanted.filter(({ value }) => builder.type(value).stack === undefined);
  let ops: readonly Op[] = program.ops;
  if (options.inside && stacked.length > 0) {
    const values = stacked.map(({ value }) => value);
    const changed = changeStacks(builder, ops, values, [], (made, _elements, positions) =>
      reduction.reduce(
        made.map((value, index) => ({ name: stacked[positions[index]!]!.name, value })),
        'reduce/layer',
        true,
      ),
    );
    ops = changed.ops;
    give(stacked, changed.values);
  }
  const { ops: after } = builder.block(() => {
    give(single, reduction.reduce(single, 'reduce', false));
    if (options.inside) return;
    for (const count of new Set(stacked.map(({ value }) => builder.type(value).stack!))) {
      const members = stacked.filter(({ value }) => builder.type(value).stack === count);
      const repeat = { id: 'reduce-layers', phase: 'reduce' as const, count, carried: [] };
      const { stacked: results } = builder.repeat(
        { ...repeat, stacked: members.map(({ value }) => value) },
        (body) => ({
          carried: [],
          stacked: reduction.reduce(
            members.map(({ name }, index) => ({ name, value: body.stacked[index]! })),
            'reduce/layer',
            false,
          ),
        }),
      );
      give(members, results);
    }
  });
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: reduced.get(value) ?? value }));
  return { ...builder.finish(program.inputs, outputs), ops: [...ops, ...after] };
}

/** Gradients in the type that they are summed in, over chips and microbatches. */
export function castGradients(program: Program, gradientType: FloatType): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const gradients = program.outputs.filter(
    ({ name, value }) => name.startsWith('gradient:') && builder.type(value).dtype !== gradientType,
  );
  if (gradients.length === 0) return program;
  const cast = ({ name }: ProgramOutput, value: ValueId): ValueId => {
    const options = { id: `${name}#cast`, phase: 'backward' as const, role: 'gradient' as const };
    return builder.emit('cast', [value], { dtype: gradientType }, options);
  };
  const renamed = new Map<ValueId, ValueId>();
  const stacked = gradients.filter(({ value }) => builder.type(value).stack !== undefined);
  const changed = changeStacks(
    builder,
    program.ops,
    stacked.map(({ value }) => value),
    [],
    (made, _elements, positions) => made.map((value, index) => cast(stacked[positions[index]!]!, value)),
  );
  stacked.forEach(({ value }, index) => renamed.set(value, changed.values[index]!));
  const { ops: after } = builder.block(() => {
    for (const one of gradients) if (!renamed.has(one.value)) renamed.set(one.value, cast(one, one.value));
  });
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: renamed.get(value) ?? value }));
  return { ...builder.finish(program.inputs, outputs), ops: [...changed.ops, ...after] };
}
