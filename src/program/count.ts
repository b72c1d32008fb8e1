/** What a program computes and sends, counted over all iterations of its regions. Per chip. */
import { axisSize } from '../mesh/index.js';
import type { AxisName } from '../mesh/index.js';
import type { Bytes, Flops } from '../units.js';
import { bytes, flops } from '../units.js';
import { attributesOf } from './builder.js';
import { collectiveBytes, isCollective, isCompute, matmulFlops, recordOf } from './ops/index.js';
import type { Op, Phase, Program } from './types.js';
import { regionOps } from './types.js';

/** Calls `visit` for each plain op with the number of times it runs. */
export function forEachOp(ops: readonly Op[], visit: (op: Op, times: number) => void, times = 1): void {
  for (const op of ops) {
    if (op.region === undefined) visit(op, times);
    else
      forEachOp(regionOps(op.region), visit, op.name === 'repeat' ? times * attributesOf(op, 'repeat').count : times);
  }
}

/** Matmul FLOPs on one chip, by phase. */
export function countMatmulFlops(program: Program): Readonly<Record<Phase, Flops>> {
  const total = { forward: 0, backward: 0, reduce: 0, optimizer: 0 };
  const type = (id: number) => program.values[id]!.type;
  forEachOp(program.ops, (op, times) => {
    if (!isCompute(op.name)) return;
    const { matmul } = recordOf(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
    if (matmul) total[op.phase] += times * matmulFlops(matmul);
  });
  return {
    forward: flops(total.forward),
    backward: flops(total.backward),
    reduce: flops(total.reduce),
    optimizer: flops(total.optimizer),
  };
}

/** Bytes that one chip sends in collectives, by mesh axis. */
export function countCollectiveBytes(program: Program): Partial<Record<AxisName, Bytes>> {
  const total: Partial<Record<AxisName, Bytes>> = {};
  forEachOp(program.ops, (op, times) => {
    if (!isCollective(op.name)) return;
    const { axis } = op.attributes as { axis: AxisName };
    const operands = op.operands.map((id) => program.values[id]!.type);
    const sent = times * collectiveBytes(op.name, operands, axisSize(program.mesh, axis));
    total[axis] = bytes((total[axis] ?? 0) + sent);
  });
  return total;
}
