import type { Op, ValueId } from '../../../program/types.js';
import type { KernelSpec } from '../family.js';

/**
 * A kernel cut into parts, none of which reads what another one computes: so that an update of many parameters, say,
 * needs no more memory at once than one of them does. A part that leaves nothing is left out.
 */
export function partsOf(spec: KernelSpec): KernelSpec[] {
  const makers = new Map(spec.ops.flatMap((op) => op.results.map((id) => [id, op] as const)));
  const groups = new Map<Op, Set<Op>>(spec.ops.map((op) => [op, new Set([op])]));
  for (const op of spec.ops)
    for (const id of op.operands) {
      const [one, other] = [groups.get(op)!, groups.get(makers.get(id) ?? op)!];
      if (one === other) continue;
      for (const member of other) groups.set(member, one.add(member));
    }
  return [...new Set(groups.values())].flatMap((group): KernelSpec[] => {
    const ops = spec.ops.filter((op) => group.has(op));
    const made = new Set<ValueId>(ops.flatMap((op) => op.results));
    const results = [...new Set(spec.results)].filter((id) => made.has(id));
    const operands = [...new Set(ops.flatMap((op) => op.operands))].filter((id) => !made.has(id));
    return results.length === 0 ? [] : [{ ...spec, ops, operands, results }];
  });
}
