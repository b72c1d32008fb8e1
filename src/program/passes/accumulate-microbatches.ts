/**
 * Runs a microbatch's forward and backward pass several times and adds up loss and gradients. A layer's gradient is
 * added to the running sum inside the layer's backward iteration, so that one layer's is the most that exists twice.
 */
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { Op, Program, ProgramOutput, ValueId } from '../types.js';
import { isBatch, unstacked } from '../types.js';

/**
 * @param program one microbatch's forward and backward pass, with outputs `loss` and `gradient:NAME`
 * @returns a program whose batch inputs are stacks of `count` microbatches; the same program when `count` is 1
 */
export function accumulateMicrobatches(program: Program, count: number): Program {
  if (count === 1) return program;
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const summed = program.outputs.filter(({ name }) => name === 'loss' || name.startsWith('gradient:'));
  if (summed.length !== program.outputs.length)
    throw invalid('accumulate', 'outputs that are sums', program.outputs.map(({ name }) => name).join(' '));

  const zeros = startSums(builder, summed);
  const sums = summed.map(({ value }) => builder.value(builder.type(value), builder.role(value)));

  let ops: readonly Op[] = program.ops;
  const { ops: added, result: totals } = builder.block(() =>
    summed.map(({ name, value }, index) => {
      const options = { id: `${name}#accumulate`, phase: 'backward' as const, role: builder.role(value) };
      if (builder.type(value).stack === undefined) return builder.emit('add', [value, sums[index]!], {}, options);
      ops = ops.map((op) =>
        op.results.includes(value) ? addInside(builder, op, value, sums[index]!, options.id) : op,
      );
      return value;
    }),
  );

  const batch = program.inputs.filter(isBatch);
  const inputs = program.inputs.map((input) =>
    isBatch(input)
      ? { ...input, value: builder.value({ ...builder.type(input.value), stack: count }, 'input', input.kind) }
      : input,
  );
  const finals = sums.map((id) => builder.value(builder.type(id), builder.role(id)));
  builder.push({
    name: 'repeat',
    id: 'microbatches',
    phase: 'forward',
    operands: [...zeros, ...inputs.filter(isBatch).map(({ value }) => value)],
    results: finals,
    attributes: { count, carried: sums.length, reverse: false },
    region: { args: [...sums, ...batch.map(({ value }) => value)], ops: [...ops, ...added], results: totals },
  });
  return builder.finish(
    inputs,
    summed.map(({ name }, index) => ({ name, value: finals[index]! })),
  );
}

/** Zeros to add to, one repeat for all the stacks of a length. */
function startSums(builder: Builder, summed: readonly ProgramOutput[]): ValueId[] {
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

/** Adds a stacked running sum to a stacked result of a repeat, element by element, inside its region. */
function addInside(builder: Builder, op: Op, value: ValueId, sum: ValueId, id: string): Op {
  const region = op.region;
  if (op.name !== 'repeat' || region === undefined) throw invalid(op.id, 'a repeat that stacks gradients', op.name);
  const index = op.results.indexOf(value);
  const inner = region.results[index]!;
  const element = builder.value(unstacked(builder.type(sum)), 'gradient');
  const { ops, result } = builder.block(() =>
    builder.emit('add', [inner, element], {}, { id, phase: 'backward', role: 'gradient' }),
  );
  return {
    ...op,
    operands: [...op.operands, sum],
    region: {
      args: [...region.args, element],
      ops: [...region.ops, ...ops],
      results: region.results.map((old, position) => (position === index ? result : old)),
    },
  };
}
