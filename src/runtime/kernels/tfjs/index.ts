/** The tfjs families: a kernel's ops run in a backend of tfjs; operands and results alone leave it. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ComputeName } from '../../../program/ops/index.js';
import type { ValueId } from '../../../program/types.js';
import type { BuiltKernel } from '../caching.js';
import { cachingFamily } from '../caching.js';
import type { FamilyName } from '../families.js';
import type { DeviceTensor, HostTensor, KernelFamily, KernelSpec } from '../family.js';
import type { Numbers } from '../tensors.js';
import * as activation from './activation.js';
import type { Backend } from './backend.js';
import * as elementwise from './elementwise.js';
import type { TfjsKernel } from './kernel.js';
import { shapeOf, typeOf } from './kernel.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import * as monitor from './monitor.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import { Resident } from './resident.js';
import * as shape from './shape.js';
import { operandsShared } from './sharing.js';
import type { Common } from './steps.js';
import { disposeAll, Steps } from './steps.js';
import * as tokens from './tokens.js';

export type { Backend } from './backend.js';

export const TFJS = {
  ...elementwise,
  ...shape,
  ...matmuls,
  ...activation,
  ...norm,
  ...monitor,
  ...loss,
  ...optimizer,
  ...tokens,
} satisfies { [N in ComputeName]: TfjsKernel<N> };

function kernelOf<N extends ComputeName>(name: N): TfjsKernel<N> {
  return (TFJS as unknown as { [K in N]: TfjsKernel<K> })[name];
}

/** @param prepare makes the backend tfjs's current one */
function build(spec: KernelSpec, common: Common, prepare: () => Promise<void>): BuiltKernel {
  const { backend } = common;
  const steps = new Steps(spec, common);
  const types = spec.operands.map((id) => spec.type(id));

  const isResult = new Set(spec.results);
  /** Results that are no operand's tensor, nor another result's. */
  const isOwn = new Set(
    spec.results.filter(
      (id) => !spec.operands.includes(id) && spec.results.indexOf(id) === spec.results.lastIndexOf(id),
    ),
  );
  const shares = operandsShared(spec);

  function upload(index: number, array: HostTensor, isCopied: boolean): Tensor {
    const { shape, dtype } = typeOf(types[index]!);
    return tf.tensor((isCopied ? array.slice() : array) as Float32Array | Int32Array, shape, dtype);
  }

  async function run(operands: readonly HostTensor[], results: readonly HostTensor[]): Promise<void> {
    await prepare();
    const reading: Promise<void>[] = [];
    const values = new Map<ValueId, Tensor>();
    try {
      operands.forEach((array, index) => values.set(spec.operands[index]!, upload(index, array, false)));
      // A result is read as soon as it is there: it lies in a cache then, and its memory can go to the next ones.
      steps.run(values, (id, tensor) => {
        const targets = results.filter((_, index) => spec.results[index] === id) as Numbers[];
        const reads = targets.map((target) => backend.read(tensor, target)).filter((read) => read !== undefined);
        reading.push(...reads);
        return reads.length > 0;
      });
      await Promise.all(reading);
    } finally {
      disposeAll(values);
    }
  }

  async function runOnDevice(
    operands: readonly (HostTensor | DeviceTensor)[],
    spent: readonly boolean[],
  ): Promise<DeviceTensor[]> {
    await prepare();
    const values = new Map<ValueId, Tensor>();
    /** Operands that are somebody's still. */
    const lent = new Map<ValueId, Tensor>();
    const results: Resident[] = [];
    try {
      operands.forEach((operand, index) => {
        const id = spec.operands[index]!;
        const isResident = operand instanceof Resident;
        const tensor = isResident ? operand.tensor : upload(index, operand as HostTensor, shares.has(id));
        values.set(id, tensor);
        if (isResident && !spent[index]!) lent.set(id, tensor);
      });
      steps.run(values, (id) => lent.has(id) || isResult.has(id));
      for (const id of spec.results) {
        const type = spec.type(id);
        const tensor = values.get(id)!;
        const isTaken = isOwn.has(id) && tf.util.arraysEqual(tensor.shape, shapeOf(type));
        if (isTaken) values.delete(id);
        results.push(new Resident(isTaken ? tensor : tf.reshape(tensor, shapeOf(type)), type.dtype, backend));
      }
      await backend.settle?.();
      return results;
    } catch (error) {
      results.forEach((result) => result.dispose());
      throw error;
    } finally {
      for (const [id, tensor] of values) if (lent.get(id) !== tensor) tensor.dispose();
    }
  }

  return {
    run,
    ...(backend.keeps && { runOnDevice }),
    async dispose() {
      steps.dispose();
    },
  };
}

export function createTfjsFamily(name: FamilyName, backend: Backend): KernelFamily {
  const common: Common = { backend, kernelOf, numbers: new Map(), recordings: new Map() };
  const prepare = async (): Promise<void> => {
    if (tf.getBackend() !== backend.name) await tf.setBackend(backend.name);
  };
  const family = cachingFamily({ name, device: backend.device }, async (spec) => {
    await prepare();
    return build(spec, common, prepare);
  });
  return {
    ...family,
    async dispose() {
      await family.dispose();
      await prepare();
      for (const recording of common.recordings.values()) recording?.dispose();
      common.recordings.clear();
      disposeAll(common.numbers);
    },
  };
}
