/** Completes pending sums: loss and gradients become replicated over the axes that they are partial over. */
import { axisSize, stateOf } from '../../mesh/index.js';
import type { AxisName } from '../../mesh/index.js';
import { Builder } from '../builder.js';
import type { Program, ValueId } from '../types.js';

/** All-reduces, over `axis`, those of the values that are partial over it, in one launch; gives all values again. */
function reduceOver(builder: Builder, values: readonly ValueId[], axis: AxisName, id: string): ValueId[] {
  const partial = values.filter((value) => stateOf(builder.type(value).states, axis) === 'partial');
  if (partial.length === 0 || axisSize(builder.mesh, axis) === 1) return [...values];
  const reduced = builder.emitAll(
    'all_reduce',
    partial,
    { axis },
    { id: `${id}/${axis}`, phase: 'reduce', role: 'gradient' },
  );
  return values.map((value) => (partial.includes(value) ? reduced[partial.indexOf(value)]! : value));
}

const reduceAll = (builder: Builder, values: readonly ValueId[], id: string): ValueId[] =>
  builder.mesh.axes.reduce<ValueId[]>((current, { name }) => reduceOver(builder, current, name, id), [...values]);

/** Layers' gradients are reduced layer by layer, one collective an axis for all of a layer's tensors. */
export function reduceGradients(program: Program): Program {
  const builder = Builder.from(program);
  builder.append(program.ops);
  const reduced = new Map<ValueId, ValueId>();
  const values = program.outputs.map(({ value }) => value);
  const stackOf = (value: ValueId) => builder.type(value).stack;
  const single = values.filter((value) => stackOf(value) === undefined);
  reduceAll(builder, single, 'reduce').forEach((value, index) => reduced.set(single[index]!, value));
  for (const count of new Set(values.flatMap((value) => stackOf(value) ?? []))) {
    const stacked = values.filter((value) => stackOf(value) === count);
    const needed = stacked.some((value) => Object.values(builder.type(value).states).includes('partial'));
    if (!needed) continue;
    const options = { id: `reduce-layers`, phase: 'reduce' as const, count, carried: [], stacked };
    const { stacked: results } = builder.repeat(options, (body) => ({
      carried: [],
      stacked: reduceAll(builder, body.stacked, 'reduce/layer'),
    }));
    results.forEach((value, index) => reduced.set(stacked[index]!, value));
  }
  return builder.finish(
    program.inputs,
    program.outputs.map(({ name, value }) => ({ name, value: reduced.get(value) ?? value })),
  );
}
