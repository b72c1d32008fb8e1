/** The tfjs families: a kernel's ops run one after the other in a backend of tfjs; operands and results alone leave it. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { invalid, isCompute } from '../../../program/ops/index.js';
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { Op, ValueId } from '../../../program/types.js';
import type { BuiltKernel } from '../caching.js';
import { cachingFamily } from '../caching.js';
import type { FamilyName } from '../families.js';
import type { DeviceTensor, HostTensor, KernelFamily, KernelSpec } from '../family.js';
import type { Numbers } from '../tensors.js';
import * as activation from './activation.js';
import type { Backend } from './backend.js';
import * as elementwise from './elementwise.js';
import type { TfjsCall, TfjsKernel } from './kernel.js';
import { shapeOf } from './kernel.js';
import * as loss from './loss.js';
import * as matmuls from './matmul.js';
import * as monitor from './monitor.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import { Resident } from './resident.js';
import * as shape from './shape.js';
import { operandsShared } from './sharing.js';
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

interface Step {
  readonly op: Op;
  /** Values that nothing after it uses. */
  readonly dying: readonly ValueId[];
  run(operands: readonly Tensor[]): Tensor[];
}

/** Values that no op after each of them uses. */
function dyingAfter({ ops, operands }: KernelSpec): ValueId[][] {
  const last = new Map<ValueId, number>();
  operands.forEach((id) => last.set(id, 0));
  ops.forEach((op, index) => [...op.operands, ...op.results].forEach((id) => last.set(id, index)));
  return ops.map((_, index) => [...last.keys()].filter((id) => last.get(id) === index));
}

/** What `make` gives, under a name: made once, and kept until the map's tensors are disposed. */
function once(tensors: Map<string, Tensor>, name: string, make: () => Tensor): Tensor {
  const tensor = tensors.get(name) ?? tf.keep(tf.tidy(make));
  tensors.set(name, tensor);
  return tensor;
}

function disposeAll(tensors: Map<unknown, Tensor>): void {
  for (const tensor of tensors.values()) tensor.dispose();
  tensors.clear();
}

/** @param numbers scalars by their value, of all kernels of the family */
function build(spec: KernelSpec, backend: Backend, numbers: Map<string, Tensor>): BuiltKernel {
  /** By the op's place and the name. */
  const kept = new Map<string, Tensor>();
  /** Of the run that is under way. */
  const shared = new Map<string, Tensor>();

  function runnerOf(op: Op, place: number): Step['run'] {
    const { name, attributes } = op;
    if (!isCompute(name)) throw invalid(op.id, 'an op that computes', name);
    const call: Omit<TfjsCall<ComputeName>, 'operands'> = {
      backend,
      types: op.operands.map((id) => spec.type(id)),
      resultTypes: op.results.map((id) => spec.type(id)),
      attributes: attributes as Attributes[ComputeName],
      coordinate: (axis) => spec.coordinate(axis),
      number: (value) => once(numbers, String(value), () => tf.scalar(value, 'float32')),
      kept: (what, make) => once(kept, `${place} ${what}`, make),
      shared: (what, make) => once(shared, what, make),
    };
    return (operands) => kernelOf(name)({ ...call, operands });
  }

  const dying = dyingAfter(spec);
  const steps = spec.ops.map((op, index): Step => ({ op, dying: dying[index]!, run: runnerOf(op, index) }));
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
    const { dtype } = types[index]!;
    const given = (isCopied ? array.slice() : array) as Float32Array | Int32Array;
    return tf.tensor(given, shapeOf(types[index]!), dtype === 'i32' ? 'int32' : 'float32');
  }

  /**
   * Runs the ops, in one go: meanwhile no other family's kernel may run, with its backend.
   *
   * @param values those of the operands; afterwards of all that stay
   * @param stays told of each value as it is there, and whether it outlives its last use
   */
  function compute(values: Map<ValueId, Tensor>, stays: (id: ValueId, tensor: Tensor) => boolean): void {
    const staying = new Set<ValueId>();
    const define = (id: ValueId, tensor: Tensor): void => {
      values.set(id, tensor);
      if (stays(id, tensor)) staying.add(id);
    };
    try {
      [...values].forEach(([id, tensor]) => define(id, tensor));
      for (const { op, run, dying } of steps) {
        const inputs = op.operands.map((id) => values.get(id)!);
        // Each value is a tensor of its own, to be disposed by itself; a reshape shares the memory.
        const made = tf.tidy(() =>
          run(inputs).map((tensor) => (inputs.includes(tensor) ? tf.reshape(tensor, tensor.shape) : tensor)),
        );
        op.results.forEach((id, index) => define(id, made[index]!));
        for (const id of dying.filter((value) => !staying.has(value))) {
          values.get(id)!.dispose();
          values.delete(id);
        }
      }
    } finally {
      disposeAll(shared);
    }
  }

  async function prepare(): Promise<void> {
    if (tf.getBackend() !== backend.name) await tf.setBackend(backend.name);
  }

  async function run(operands: readonly HostTensor[], results: readonly HostTensor[]): Promise<void> {
    await prepare();
    const reading: Promise<void>[] = [];
    const values = new Map<ValueId, Tensor>();
    try {
      operands.forEach((array, index) => values.set(spec.operands[index]!, upload(index, array, false)));
      // A result is read as soon as it is there: it lies in a cache then, and its memory can go to the next ones.
      compute(values, (id, tensor) => {
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
      compute(values, (id) => lent.has(id) || isResult.has(id));
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
      disposeAll(kept);
    },
  };
}

export function createTfjsFamily(name: FamilyName, backend: Backend): KernelFamily {
  const numbers = new Map<string, Tensor>();
  const family = cachingFamily({ name, device: backend.device }, async (spec) => build(spec, backend, numbers));
  return {
    ...family,
    async dispose() {
      await family.dispose();
      disposeAll(numbers);
    },
  };
}
