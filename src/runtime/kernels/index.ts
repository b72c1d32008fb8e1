/** The kernel families by name. A tensor library is loaded with the family that needs it. */
import type { FamilyName, KernelFamily } from './family.js';

/**
 * For the process that runs kernels, to be set when it is started: glibc else returns blocks over 32 MB to the system
 * when they are freed, and the next kernel pays for every page of them again. With 50 MB tensors elementwise kernels of
 * the onnx family took 19 ms instead of 120 ms. Other C libraries ignore it.
 */
export const MALLOC_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(2 ** 31),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 31),
};

export interface KernelFamilyOptions {
  /** Cores that one kernel runs on; the reference family uses one. Default 1. */
  readonly threads?: number;
}

export async function createKernelFamily(
  name: FamilyName,
  { threads = 1 }: KernelFamilyOptions = {},
): Promise<KernelFamily> {
  switch (name) {
    case 'onnx': {
      const { createOnnxFamily } = await import('./onnx/index.js');
      return createOnnxFamily({ threads });
    }
    case 'reference': {
      const { createReferenceFamily } = await import('./reference/index.js');
      return createReferenceFamily();
    }
  }
}

export type { CompiledKernel, FamilyName, HostTensor, KernelFamily, KernelSpec } from './family.js';
export { FAMILY_DTYPES, structureKey } from './family.js';
