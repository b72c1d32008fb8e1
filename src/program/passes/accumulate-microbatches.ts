/**
 * Runs a microbatch's forward and backward pass several times and adds up loss and gradients. A layer's gradient is
 * added to the running sum inside the layer's backward iteration, so that one layer's is the most that exists twice.
 */
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { Op, Program, ProgramInput, ProgramOutput, ValueId } from '../types.js';
import { isBatch } from '../types.js';
import { changeStacks, cloneOps } from './regions.js';

/** The repeat over microbatches, and what the ids of the last one's ops begin with where it comes after the repeat. */
export const MICROBATCHES = 'microbatches';
export const LAST_MICROBATCH = 'last/';

export interface AccumulateOptions {
  readonly count: number;
  /**
   * The last microbatch is no iteration of the others' repeat but comes after it, so that what follows a layer's last
   * gradient can be put beside the layers before it.
   */
  readonly lastApart?: boolean;
  /**
   * Outputs whose layers are added when the backward pass has ended: those that collectives bring, so that no layer
   * waits for its own.
   */
  readonly late?: (name: string) => boolean;
}

/**
 * @param program one microbatch's forward and backward pass, with outputs `loss` and `gradient:NAME`
 * @returns a program whose batch inputs are stacks of `count` microbatches; the same program when `count` is 1
 */
export function accumulateMicrobatches(
  program: Program,
  { count, lastApart = false, late = () => false }: AccumulateOptions,
): Program {
  if (count === 1) return program;
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const summed = program.outputs.filter(({ name }) => name === 'loss' || name.startsWith('gradient:'));
  if (summed.length !== program.outputs.length)
    throw invalid('accumulate', 'outputs that are sums', program.outputs.map(({ name }) => name).join(' '));

  const zeros = startSums(builder, summed);
  const sums = summed.map(({ value }) => builder.value(builder.type(value), builder.role(value)));
  const { ops, totals } = addUp(builder, program.ops, summed, sums, late);

  const batch = program.inputs.filter(isBatch);
  const inputs = program.inputs.map((input) =>
    isBatch(input)
      ? { ...input, value: builder.value({ ...builder.type(input.value), stack: count }, 'input', input.kind) }
      : input,
  );
  const stacks = inputs.filter(isBatch).map(({ value }) => value);
  const finals = sums.map((id) => builder.value(builder.type(id), builder.role(id)));
  builder.push({
    name: 'repeat',
    id: MICROBATCHES,
    phase: 'forward',
    operands: [...zeros, ...stacks],
    results: finals,
    attributes: { count: lastApart ? count - 1 : count, carried: sums.length, reverse: false },
    region: { args: [...sums, ...batch.map(({ value }) => value)], ops, results: totals },
  });
  const give = (values: readonly ValueId[]) => summed.map(({ name }, index) => ({ name, value: values[index]! }));
  if (!lastApart) return builder.finish(inputs, give(finals));

  const seen = new Map(sums.map((id, index) => [id, finals[index]!]));
  batch.forEach(({ value }, index) => {
    const element = builder.value(builder.type(value), 'input', program.values[value]!.name);
    const attributes = { index: count - 1 };
    const id = `${LAST_MICROBATCH}${program.values[value]!.name ?? 'batch'}`;
    builder.push({ name: 'element', id, phase: 'forward', operands: [stacks[index]!], results: [element], attributes });
    seen.set(value, element);
  });
  builder.append(cloneOps(builder, ops, seen, (id) => `${LAST_MICROBATCH}${id}`));
  return builder.finish(inputs, give(totals.map((id) => seen.get(id)!)));
}

/** Zeros to add to, one repeat for all the stacks of a length. */
export function startSums(builder: Builder, summed: readonly ProgramOutput[]): ValueId[] {
  const zero = ({ name, value }: ProgramOutput): ValueId => {
    const { shape, dtype, states } = builder.type(value);
    const options = { id: `${name}#start`, phase: 'backward' as const, role: builder.role(value) };
    return builder.emit('constant', [], { shape, dtype, states, value: 0 }, options);
  };
  const found = new Map<ValueId, ValueId>();
  for (const stack of new Set(summed.map(({ value }) => builder.type(value).stack))) {
    const members = summed.filter(({ value }) => builder.type(value).stack === stack);
    const zeros =
      stack === undefined
        ? members.map(zero)
        : builder.repeat({ id: 'start-layers', phase: 'backward', count: stack, carried: [], stacked: [] }, () => ({
            carried: [],
            stacked: members.map(zero),
          })).stacked;
    members.forEach(({ value }, index) => found.set(value, zeros[index]!));
  }
  return summed.map(({ value }) => found.get(value)!);
}

/** A microbatch's forward and backward pass whose layers' gradients are added to sums that come in. */
export function withLayerSums(program: Program): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const isLayers = ({ name, value }: ProgramOutput): boolean =>
    name.startsWith('gradient:') && builder.type(value).stack !== undefined;
  const summed = program.outputs.filter(isLayers);
  const sums = summed.map(({ name, value }) => builder.value(builder.type(value), builder.role(value), name));
  const { ops, totals } = addUp(builder, program.ops, summed, sums, () => false);
  const inputs = summed.map(({ name }, index): ProgramInput => ({ kind: 'sum', name, value: sums[index]! }));
  const totalOf = new Map(summed.map(({ value }, index) => [value, totals[index]!]));
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: totalOf.get(value) ?? value }));
  return { ...builder.finish([...program.inputs, ...inputs], outputs), ops };
}

/** Adds running sums to values, stacks element by element where they are made. */
export function addUp(
  builder: Builder,
  ops: readonly Op[],
  summed: readonly ProgramOutput[],
  sums: readonly ValueId[],
  late: (name: string) => boolean,
): { ops: Op[]; totals: ValueId[] } {
  const totals = new Map<ValueId, ValueId>();
  const add = ({ name, value }: ProgramOutput, made: ValueId, sum: ValueId): ValueId => {
    const options = { id: `${name}#accumulate`, phase: 'backward' as const, role: builder.role(value) };
    return builder.emit('add', [made, sum], {}, options);
  };
  const isStacked = ({ value }: ProgramOutput): boolean => builder.type(value).stack !== undefined;
  const pairs = summed.map((one, index) => ({ one, sum: sums[index]! }));
  const { ops: added } = builder.block(() => {
    for (const { one, sum } of pairs) if (!isStacked(one)) totals.set(one.value, add(one, one.value, sum));
    const layered = pairs.filter(({ one }) => isStacked(one) && late(one.name));
    for (const count of new Set(layered.map(({ one }) => builder.type(one.value).stack!))) {
      const members = layered.filter(({ one }) => builder.type(one.value).stack === count);
      const stacks = members.flatMap(({ one, sum }) => [one.value, sum]);
      const options = { id: 'accumulate-layers', phase: 'backward' as const, count, carried: [], stacked: stacks };
      const { stacked: results } = builder.repeat(options, (body) => ({
        carried: [],
        stacked: members.map(({ one }, index) => add(one, body.stacked[2 * index]!, body.stacked[2 * index + 1]!)),
      }));
      members.forEach(({ one }, index) => totals.set(one.value, results[index]!));
    }
  });
  const stacked = pairs.filter(({ one }) => isStacked(one) && !late(one.name));
  const changed = changeStacks(
    builder,
    ops,
    stacked.map(({ one }) => one.value),
    stacked.map(({ sum }) => sum),
    (made, elements, positions) =>
      made.map((value, index) => add(stacked[positions[index]!]!.one, value, elements[index]!)),
  );
  stacked.forEach(({ one }, index) => totals.set(one.value, changed.values[index]!));
  return { ops: [...changed.ops, ...added], totals: summed.map(({ value }) => totals.get(value)!) };
}
