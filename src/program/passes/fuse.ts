/**
 * Groups the compute ops between collectives into kernels: what one launch executes, and what is timed, costed and
 * joined. What happens inside a kernel is the software stack's business (its profile says what it fuses further).
 */
import { Builder } from '../builder.js';
import { isCompute } from '../ops/index.js';
import type { Op, Program, ValueId } from '../types.js';

/** Values that an op reads from around it, those of its region included. */
export function reads(op: Op): ValueId[] {
  if (op.region === undefined) return [...op.operands];
  const inside = new Set([...op.region.args, ...op.region.ops.flatMap((inner) => inner.results)]);
  return [...op.operands, ...op.region.ops.flatMap(reads), ...op.region.results].filter((id) => !inside.has(id));
}

function kernelOf(ops: readonly Op[], needed: ReadonlySet<ValueId>): Op {
  const made = new Set(ops.flatMap((op) => op.results));
  const operands = [...new Set(ops.flatMap((op) => op.operands))].filter((id) => !made.has(id));
  const results = [...made].filter((id) => needed.has(id));
  return {
    name: 'kernel',
    id: ops.length === 1 ? `${ops[0]!.id}!` : `${ops[0]!.id}+${ops.length - 1}`,
    phase: ops[0]!.phase,
    operands,
    results,
    attributes: {},
    region: { args: [], ops, results: [] },
  };
}

/** @param live values that are needed after the block */
function fuseBlock(ops: readonly Op[], live: readonly ValueId[]): Op[] {
  const fused: Op[] = [];
  // From the last op to the first, so that what later ops need is known: outside the open group, and inside it.
  const needed = new Set(live);
  let group: Op[] = [];
  let neededInside = new Set<ValueId>();
  const close = (): void => {
    if (group.length === 0) return;
    const kernel = kernelOf(group, needed);
    kernel.operands.forEach((id) => needed.add(id));
    fused.push(kernel);
    group = [];
    neededInside = new Set();
  };
  for (const op of ops.toReversed()) {
    if (isCompute(op.name)) {
      // An op of which nothing is needed is not launched.
      if (!op.results.some((id) => needed.has(id) || neededInside.has(id))) continue;
      if (group.length > 0 && group[0]!.phase !== op.phase) close();
      group.unshift(op);
      op.operands.forEach((id) => neededInside.add(id));
      continue;
    }
    close();
    reads(op).forEach((id) => needed.add(id));
    fused.push(op.region ? { ...op, region: { ...op.region, ops: fuseBlock(op.region.ops, op.region.results) } } : op);
  }
  close();
  return fused.reverse();
}

export function fuse(program: Program): Program {
  const builder = new Builder(program.mesh, program.values);
  builder.append(
    fuseBlock(
      program.ops,
      program.outputs.map(({ value }) => value),
    ),
  );
  return builder.finish(program.inputs, program.outputs);
}
