/** The kernel families by name. A tensor library is loaded with the family that needs it. */
import type { FamilyName, KernelFamily } from './family.js';

/**
 * For the process that runs kernels, to be set when it is started, so that glibc takes every block of 1 MB and more from
 * the system and gives it back, in pages of 2 MB where they fit. Otherwise onnxruntime's temporaries, which are aligned
 * and so don't fit where others of their size were, leave holes that are never used again: 200 to 600 MB where one
 * kernel needs 100 to 200 (ViTs of 12 layers, batch 16). The price is zeroing pages again: steps of those ViTs took a
 * fifth longer, smaller ones up to a half. Tensors between kernels are not concerned (see `Memory`). Other C libraries
 * ignore it.
 */
export const MALLOC_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 20),
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
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
