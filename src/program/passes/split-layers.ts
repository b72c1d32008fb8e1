/** Cuts the repeat of all layers into repeats of neighbours that are treated alike. */
import { Builder, attributesOf } from '../builder.js';
import type { Op, Program, ValueId } from '../types.js';
import { cloneOps } from './regions.js';

/** Neighbouring iterations with equal labels. */
function runs<T>(count: number, labelOf: (index: number) => T): { first: number; count: number; label: T }[] {
  const found: { first: number; count: number; label: T }[] = [];
  for (let index = 0; index < count; index++) {
    const label = labelOf(index);
    const last = found.at(-1);
    if (last?.label === label) last.count++;
    else found.push({ first: index, count: 1, label });
  }
  return found;
}

/**
 * @param program a forward program
 * @param labelOf of a layer; neighbours with equal labels stay together
 * @returns the program, and the label of each repeat by its op's id
 */
export function splitLayers<T>(
  program: Program,
  labelOf: (layer: number) => T,
): { program: Program; labels: ReadonlyMap<string, T> } {
  const builder = Builder.from(program);
  const labels = new Map<string, T>();
  const split = (op: Op): Op[] => {
    if (op.name !== 'repeat') return [op];
    const { count, carried, reverse } = attributesOf(op, 'repeat');
    const parts = runs(count, labelOf);
    if (parts.length === 1) {
      labels.set(op.id, parts[0]!.label);
      return [op];
    }
    let current: readonly ValueId[] = op.operands.slice(0, carried);
    return parts.map((part, index): Op => {
      const region = op.region!;
      const isLast = index === parts.length - 1;
      const seen = new Map<ValueId, ValueId>();
      const args = index === 0 ? region.args : region.args.map((id) => builder.copyOf(id));
      region.args.forEach((id, position) => seen.set(id, args[position]!));
      const ops = index === 0 ? region.ops : cloneOps(builder, region.ops, seen, (id) => id);
      const results = isLast ? op.results : op.results.map((id) => builder.copyOf(id));
      const id = index === 0 ? op.id : builder.uniqueId(op.id);
      labels.set(id, part.label);
      const piece: Op = {
        ...op,
        id,
        operands: [...current, ...op.operands.slice(carried)],
        results,
        attributes: { count: part.count, carried, reverse, first: part.first },
        region: { ...region, args, ops, results: region.results.map((value) => seen.get(value) ?? value) },
      };
      current = results;
      return piece;
    });
  };
  builder.reserve(program.ops);
  const ops = program.ops.flatMap(split);
  return { program: { ...builder.finish(program.inputs, program.outputs), ops }, labels };
}
