/**
 * The reference family: every op in plain TypeScript, in float64. It is what the other families and the gradients are
 * checked against, so it is written to be read, not to be fast.
 */
import { invalid, isCompute } from '../../../program/ops/index.js';
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { Op, ValueId, ValueType } from '../../../program/types.js';
import type { BuiltKernel } from '../caching.js';
import { cachingFamily } from '../caching.js';
import type { HostTensor, KernelFamily, KernelSpec } from '../family.js';
import { numbersOf, stored } from '../tensors.js';
import * as activation from './activation.js';
import * as elementwise from './elementwise.js';
import type { ReferenceKernel } from './kernel.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import * as monitor from './monitor.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import * as shape from './shape.js';
import * as tokens from './tokens.js';

export const REFERENCE = {
  ...elementwise,
  ...shape,
  ...matmuls,
  ...activation,
  ...norm,
  ...loss,
  ...optimizer,
  ...monitor,
  ...tokens,
} satisfies { [N in ComputeName]: ReferenceKernel<N> };

function kernelOf<N extends ComputeName>(name: N): ReferenceKernel<N> {
  return (REFERENCE as unknown as { [K in N]: ReferenceKernel<K> })[name];
}

/**
 * Runs one op. Operands may be of any kind; what comes out is stored in the array of its result's type, computed in
 * float64 and rounded once.
 *
 * @param coordinate the rank's place along an axis; that of a single rank unless given
 */
export function evaluate(
  op: Op,
  operandTypes: readonly ValueType[],
  resultTypes: readonly ValueType[],
  operands: readonly HostTensor[],
  coordinate: KernelSpec['coordinate'] = () => 0,
): HostTensor[] {
  const { name, attributes } = op;
  if (!isCompute(name)) throw invalid(op.id, 'an op that computes', name);
  const results = kernelOf(name)({
    operands: operands.map(numbersOf),
    types: operandTypes,
    resultTypes,
    attributes: attributes as Attributes[ComputeName],
    coordinate,
  });
  return results.map((result, index) => stored(resultTypes[index]!.dtype, result));
}

function build(spec: KernelSpec): BuiltKernel {
  const types = (ids: readonly ValueId[]): ValueType[] => ids.map((id) => spec.type(id));
  const steps = spec.ops.map((op) => ({ op, operandTypes: types(op.operands), resultTypes: types(op.results) }));
  return {
    async run(operands, results) {
      const values = new Map(spec.operands.map((id, index) => [id, operands[index]!]));
      for (const { op, operandTypes, resultTypes } of steps) {
        const made = evaluate(
          op,
          operandTypes,
          resultTypes,
          op.operands.map((id) => values.get(id)!),
          (axis) => spec.coordinate(axis),
        );
        op.results.forEach((id, index) => values.set(id, made[index]!));
      }
      // Only now: a result may lie where an operand does.
      spec.results.forEach((id, index) => results[index]!.set(values.get(id)!));
    },
    dispose: () => Promise.resolve(),
  };
}

export const createReferenceFamily = (): KernelFamily =>
  cachingFamily({ name: 'reference', device: 'CPU, 1 thread' }, async (spec) => build(spec));
