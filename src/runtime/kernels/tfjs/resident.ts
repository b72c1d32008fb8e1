import type { Tensor } from '@tensorflow/tfjs-core';
import type { DType } from '../../../program/types.js';
import type { DeviceTensor, HostTensor } from '../family.js';
import type { Numbers } from '../tensors.js';
import type { Backend } from './backend.js';

/** A tensor of tfjs between kernels. Nothing of tfjs disposes it. */
export class Resident implements DeviceTensor {
  readonly tensor: Tensor;
  readonly dtype: DType;
  readonly #backend: Backend;

  constructor(tensor: Tensor, dtype: DType, backend: Backend) {
    this.tensor = tensor;
    this.dtype = dtype;
    this.#backend = backend;
  }

  get length(): number {
    return this.tensor.size;
  }

  read(target: HostTensor): Promise<void> | void {
    return this.#backend.read(this.tensor, target as Numbers);
  }

  dispose(): void {
    this.tensor.dispose();
  }
}
