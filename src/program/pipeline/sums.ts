/** Loss and gradients that a stage adds up over microbatches, from slot to slot. */
import { Builder } from '../builder.js';
import { addUp } from '../passes/accumulate-microbatches.js';
import type { Program, ProgramInput, ProgramOutput } from '../types.js';

const isSummed = ({ name }: ProgramOutput): boolean => name === 'loss' || name.startsWith('gradient:');

/**
 * Adds a microbatch's loss and gradients to inputs `sum`, a layer's where it is made.
 *
 * @param program one microbatch's forward and backward pass
 * @param late see `AccumulateOptions`
 */
export function addToSums(program: Program, late: (name: string) => boolean): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const summed = program.outputs.filter(isSummed);
  const sums = summed.map(({ name, value }) => builder.value(builder.type(value), builder.role(value), name));
  const { ops, totals } = addUp(builder, program.ops, summed, sums, late);
  const inputs = summed.map(({ name }, index): ProgramInput => ({ kind: 'sum', name, value: sums[index]! }));
  const outputs = program.outputs.map((output) => {
    const index = summed.indexOf(output);
    return index < 0 ? output : { ...output, value: totals[index]! };
  });
  return { ...builder.finish([...program.inputs, ...inputs], outputs), ops };
}

/** Outputs that are sums, under the names of the inputs that they replace. */
export const asSums = (program: Program): Program => ({
  ...program,
  outputs: program.outputs.map((output) => (isSummed(output) ? { ...output, name: `sum:${output.name}` } : output)),
});
