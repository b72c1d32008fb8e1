/** A kernel's ops as steps, each a call of tfjs or, where its backend records, a run of all ops that depend on each other. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { invalid, isCompute } from '../../../program/ops/index.js';
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { Op, ValueId } from '../../../program/types.js';
import type { KernelSpec } from '../family.js';
import { structureKey } from '../family.js';
import type { Backend, Recording, TensorType } from './backend.js';
import type { TfjsCall, TfjsKernel } from './kernel.js';
import { typeOf } from './kernel.js';
import { partsOf } from './parts.js';

/** Computes values from values. */
interface Step {
  readonly operands: readonly ValueId[];
  readonly results: readonly ValueId[];
  /** Values that nothing after it uses. */
  readonly dying: readonly ValueId[];
  run(operands: readonly Tensor[]): Tensor[];
}

/** What the kernels of a family share. */
export interface Common {
  readonly backend: Backend;
  kernelOf<N extends ComputeName>(name: N): TfjsKernel<N>;
  /** Scalars by their value. */
  readonly numbers: Map<string, Tensor>;
  /** Nothing where there can't be one. */
  readonly recordings: Map<string, Recording | undefined>;
}

/** What `make` gives, under a name: made once, and kept until the map's tensors are disposed. */
function once(tensors: Map<string, Tensor>, name: string, make: () => Tensor): Tensor {
  const tensor = tensors.get(name) ?? tf.keep(tf.tidy(make));
  tensors.set(name, tensor);
  return tensor;
}

export function disposeAll(tensors: Map<unknown, Tensor>): void {
  for (const tensor of tensors.values()) tensor.dispose();
  tensors.clear();
}

/** Says of each step which values no step after it uses. */
function withLastUses(steps: readonly Omit<Step, 'dying'>[], operands: readonly ValueId[]): Step[] {
  const last = new Map<ValueId, number>();
  operands.forEach((id) => last.set(id, 0));
  steps.forEach((step, index) => [...step.operands, ...step.results].forEach((id) => last.set(id, index)));
  return steps.map((step, index) => ({ ...step, dying: [...last.keys()].filter((id) => last.get(id) === index) }));
}

export class Steps {
  readonly #spec: KernelSpec;
  readonly #common: Common;
  readonly #steps: readonly Step[];
  /** By the op's place and the name. */
  readonly #kept = new Map<string, Tensor>();
  /** Of the run that is under way. */
  readonly #shared = new Map<string, Tensor>();

  /** @param isRecorded whether its backend may record it, and then does: in one go, as `run` */
  constructor(spec: KernelSpec, common: Common, isRecorded = common.backend.record !== undefined) {
    this.#spec = spec;
    this.#common = common;
    const steps = isRecorded
      ? partsOf(spec).flatMap((part) => this.#recorded(part) ?? part.ops.map((op) => this.#called(op)))
      : spec.ops.map((op) => this.#called(op));
    this.#steps = withLastUses(steps, spec.operands);
  }

  /**
   * Runs the ops, in one go: meanwhile no other family's kernel may run, with its backend.
   *
   * @param values those of the operands; afterwards of all that stay
   * @param stays told of each value as it is there, and whether it outlives its last use
   */
  run(values: Map<ValueId, Tensor>, stays: (id: ValueId, tensor: Tensor) => boolean): void {
    const staying = new Set<ValueId>();
    const define = (id: ValueId, tensor: Tensor): void => {
      values.set(id, tensor);
      if (stays(id, tensor)) staying.add(id);
    };
    try {
      [...values].forEach(([id, tensor]) => define(id, tensor));
      for (const { operands, results, run, dying } of this.#steps) {
        const inputs = operands.map((id) => values.get(id)!);
        // Each value is a tensor of its own, to be disposed by itself; a reshape shares the memory.
        const made = tf.tidy(() =>
          run(inputs).map((tensor) => (inputs.includes(tensor) ? tf.reshape(tensor, tensor.shape) : tensor)),
        );
        results.forEach((id, index) => define(id, made[index]!));
        for (const id of dying.filter((value) => !staying.has(value))) {
          values.get(id)!.dispose();
          values.delete(id);
        }
      }
    } finally {
      disposeAll(this.#shared);
    }
  }

  dispose(): void {
    disposeAll(this.#kept);
  }

  #called(op: Op): Omit<Step, 'dying'> {
    const { name, attributes, operands, results } = op;
    if (!isCompute(name)) throw invalid(op.id, 'an op that computes', name);
    const { backend, kernelOf, numbers } = this.#common;
    const place = this.#spec.ops.indexOf(op);
    const call: Omit<TfjsCall<ComputeName>, 'operands'> = {
      backend,
      types: operands.map((id) => this.#spec.type(id)),
      resultTypes: results.map((id) => this.#spec.type(id)),
      attributes: attributes as Attributes[ComputeName],
      coordinate: (axis) => this.#spec.coordinate(axis),
      number: (value) => once(numbers, String(value), () => tf.scalar(value, 'float32')),
      kept: (what, make) => once(this.#kept, `${place} ${what}`, make),
      shared: (what, make) => once(this.#shared, what, make),
    };
    const kernel = kernelOf(name);
    return { operands, results, run: (given) => kernel({ ...call, operands: given }) };
  }

  /** Parts of equal structure are recorded once. */
  #recorded(part: KernelSpec): Omit<Step, 'dying'> | undefined {
    const { recordings } = this.#common;
    const key = structureKey(part);
    if (!recordings.has(key)) recordings.set(key, this.#record(part));
    const recording = recordings.get(key);
    return recording && { ...part, run: (operands) => recording.run(operands) };
  }

  #record(part: KernelSpec): Recording | undefined {
    const { backend } = this.#common;
    const types = part.operands.map((id): TensorType => typeOf(part.type(id)));
    const steps = new Steps(part, this.#common, false);
    const remaining = new Set([...part.operands, ...part.results]);
    try {
      return backend.record!(types, (operands) => {
        const values = new Map(part.operands.map((id, index) => [id, operands[index]!]));
        steps.run(values, (id) => remaining.has(id));
        return part.results.map((id) => values.get(id)!);
      });
    } finally {
      steps.dispose();
    }
  }
}
