/**
 * Completes pending sums: the loss becomes replicated over the axes that it is partial over, and each gradient gets the
 * states that its parameter has where it is updated, replicated (an all-reduce) or sharded (a reduce-scatter).
 */
import type { AxisName } from '../../mesh/index.js';
import { stateOf, sumOrder } from '../../mesh/index.js';
import { Builder } from '../builder.js';
import { forEachOp } from '../count.js';
import { isCollective } from '../ops/index.js';
import type { FloatType, Op, Program, ProgramOutput, ValueId } from '../types.js';
import { typeBytes } from '../types.js';
import { changeStacks } from './regions.js';
import type { ShardChoice } from './shard-choice.js';
import { buckets } from './gathers.js';

export interface ReduceOptions {
  /** Gradients of these parameters are dealt out. */
  readonly choice: ShardChoice;
  /** Only the sums that deal out, each over the axes that it is dealt out over; the others are left pending. */
  readonly onlyDealt?: boolean;
  /** Most bytes that one launch sums up; at least a tensor. */
  readonly bucketBytes: number;
  /** The type that chips sum in; the gradients', to which they return, unless given. */
  readonly type?: FloatType;
  /** Whether a layer's reduction, in the backward pass, waits for none of those before it; not unless given. */
  readonly queued?: boolean;
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

  #isPending = (value: ValueId, axis: AxisName): boolean =>
    stateOf(this.#builder.type(value).states, axis) === 'partial';

  /** What a value is to be summed over, in the order that it is. */
  axesOf = (one: Pending): AxisName[] =>
    sumOrder(this.#builder.mesh).filter(
      (axis) =>
        this.#isPending(one.value, axis) &&
        (this.#options.onlyDealt !== true || this.#dimension(one, axis) !== undefined),
    );

  wanted = (outputs: readonly ProgramOutput[]): ProgramOutput[] =>
    outputs.filter((output) => this.axesOf(output).length > 0);

  #dimension({ name }: Pending, axis: AxisName): number | undefined {
    const cuts = this.#options.choice.get(name.replace('gradient:', ''));
    return cuts?.find((cut) => cut.axis === axis)?.dimension;
  }

  /** Sums values over `axis`, those that are partial over it: dealt out or whole. */
  #over(axis: AxisName, pending: readonly Pending[], id: string, asynchronous: boolean): Pending[] {
    const builder = this.#builder;
    const done = new Map<Pending, ValueId>();
    const { queued = false } = this.#options;
    const options = { id: `${id}/${axis}`, phase: 'reduce' as const, role: 'gradient' as const, asynchronous, queued };
    const members = pending.filter(({ value }) => this.#isPending(value, axis));
    const dealt = members.filter((one) => this.#dimension(one, axis) !== undefined);
    const summed = members.filter((one) => this.#dimension(one, axis) === undefined);
    const give = (list: readonly Pending[], results: readonly ValueId[]) =>
      list.forEach((one, index) => done.set(one, results[index]!));
    const values = (list: readonly Pending[]) => list.map(({ value }) => value);
    if (dealt.length > 0) {
      const dimensions = dealt.map((one) => this.#dimension(one, axis)!);
      give(dealt, builder.emitAll('reduce_scatter', values(dealt), { axis, dimensions }, options));
    }
    if (summed.length > 0) give(summed, builder.emitAll('all_reduce', values(summed), { axis }, options));
    return pending.map((one) => ({ ...one, value: done.get(one) ?? one.value }));
  }

  /** @param axesOf what each is summed over, of what it is to be */
  reduce(
    pending: readonly Pending[],
    id: string,
    asynchronous: boolean,
    axesOf: (one: Pending) => readonly AxisName[] = this.axesOf,
  ): ValueId[] {
    const bytesOf = ({ value }: Pending): number => typeBytes(this.#builder.type(value));
    const axes = new Map(pending.map((one) => [one.name, axesOf(one)]));
    const { type } = this.#options;
    const cast = (one: Pending, dtype: FloatType | undefined, suffix: string): Pending => {
      const needless = axes.get(one.name)!.length === 0 || dtype === undefined;
      if (needless || this.#builder.type(one.value).dtype === dtype) return one;
      const options = { id: `${id}#${suffix}`, phase: 'reduce' as const, role: 'gradient' as const };
      return { ...one, value: this.#builder.emit('cast', [one.value], { dtype }, options) };
    };
    return buckets(pending, bytesOf, this.#options.bucketBytes)
      .flatMap((given) => {
        const bucket = given.map((one) => cast(one, type, 'cast'));
        const own = new Map(given.map(({ name, value }) => [name, this.#builder.type(value).dtype as FloatType]));
        return this.#inTurn(bucket, axes, id, asynchronous).map((one) => cast(one, own.get(one.name), 'cast-back'));
      })
      .map(({ value }) => value);
  }

  /** Sums a bucket over one axis after the other. */
  #inTurn(
    bucket: readonly Pending[],
    axes: ReadonlyMap<string, readonly AxisName[]>,
    id: string,
    asynchronous: boolean,
  ): readonly Pending[] {
    return sumOrder(this.#builder.mesh).reduce<readonly Pending[]>((current, axis) => {
      const over = current.filter((one) => axes.get(one.name)!.includes(axis));
      const members = this.#over(axis, over, id, asynchronous);
      return current.map((one) => members.find((member) => member.name === one.name) ?? one);
    }, bucket);
  }
}

const isStacked = ({ values }: Program, { value }: ProgramOutput): boolean => values[value]!.type.stack !== undefined;

/** What collectives bring, in regions too, and the axes that they are over. */
function collectivesIn(ops: readonly Op[]): { brought: ReadonlySet<ValueId>; axes: ReadonlySet<AxisName> } {
  const brought = new Set<ValueId>();
  const axes = new Set<AxisName>();
  forEachOp(ops, (op) => {
    if (!isCollective(op.name)) return;
    op.results.forEach((id) => brought.add(id));
    axes.add((op.attributes as { readonly axis: AxisName }).axis);
  });
  return { brought, axes };
}

/**
 * Starts the reduction of layers' gradients at the end of the layer's backward iteration, so that it runs beside the
 * next one. A reduction that would have to wait for another collective is left for later where its axis has others that
 * would have to wait with it.
 */
export function reduceInLayers(program: Program, options: ReduceOptions): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const reduction = new Reduction(builder, options);
  const { brought, axes: busy } = collectivesIn(program.ops);
  const stacked = reduction.wanted(program.outputs).filter((output) => isStacked(program, output));
  if (stacked.length === 0) return program;
  const changed = changeStacks(
    builder,
    program.ops,
    stacked.map(({ value }) => value),
    [],
    (made, _elements, positions) =>
      reduction.reduce(
        made.map((value, index) => ({ name: stacked[positions[index]!]!.name, value })),
        'reduce/layer',
        true,
        (one) => {
          const axes = reduction.axesOf(one);
          const waits = axes.findIndex((axis, index) => (index > 0 || brought.has(one.value)) && busy.has(axis));
          return waits < 0 ? axes : axes.slice(0, waits);
        },
      ),
  );
  const reduced = new Map(stacked.map(({ name }, index) => [name, changed.values[index]!]));
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: reduced.get(name) ?? value }));
  return { ...builder.finish(program.inputs, outputs), ops: changed.ops };
}

/** Reduces what is still pending, of layers one after the other. */
export function reduceGradients(program: Program, options: ReduceOptions): Program {
  const builder = Builder.from(program);
  builder.append(program.ops);
  const reduction = new Reduction(builder, options);
  const wanted = reduction.wanted(program.outputs);
  const reduced = new Map<string, ValueId>();
  const give = (list: readonly ProgramOutput[], values: readonly ValueId[]) =>
    list.forEach(({ name }, index) => reduced.set(name, values[index]!));
  const single = wanted.filter((output) => !isStacked(program, output));
  give(single, reduction.reduce(single, 'reduce', false));
  for (const count of new Set(wanted.flatMap(({ value }) => builder.type(value).stack ?? []))) {
    const members = wanted.filter(({ value }) => builder.type(value).stack === count);
    const repeat = { id: 'reduce-layers', phase: 'reduce' as const, count, carried: [] };
    const { stacked } = builder.repeat({ ...repeat, stacked: members.map(({ value }) => value) }, (body) => ({
      carried: [],
      stacked: reduction.reduce(
        members.map(({ name }, index) => ({ name, value: body.stacked[index]! })),
        'reduce/layers',
        false,
      ),
    }));
    give(members, stacked);
  }
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: reduced.get(name) ?? value }));
  return builder.finish(program.inputs, outputs);
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
